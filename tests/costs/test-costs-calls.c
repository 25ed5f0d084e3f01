/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many system calls the worker makes for a request: a change after which there
 * are more, or fewer, changes this table and that of fs/README.md.
 */
#include <linux/fuse.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include "tests/costs/counts.h"
#include "tests/costs/operations.h"

/* One of so many tries has to be as the table says: see below for what may disturb one. */
#define TRIES 5
#define CALLS 600 /* numbers of system calls that are known here */
#define REQUESTS_MAX (4 * TIMES)
#define ANSWER_MS 10000
#define NOT_ASKED "not asked"

/*
 * Requests of one kind, some TIMES of which an operation causes. What is counted are
 * calls between reading a request and reading the next one, without these two, and
 * without waiting (tracing.h). It is what most of the requests take: a thread that is
 * new, or a question to the witness, adds to one of them.
 *
 * CAP_SYS_ADMIN is raised, or still is, as the thread had to wait before or not: so
 * there are two numbers for capset; that before the next wait is not counted.
 */
struct row {
        const char *name;
        uint32_t opcode;
        struct operation operation;
        const char *exclusive; /* "openat, statx 2, capset 0..1" */
        const char *shared; /* NULL: the same */
};

static const struct row rows[] = {
        { "LOOKUP of a missing name", FUSE_LOOKUP, { NULL, NULL, look_at_missing_files }, "statx" },
        { "LOOKUP of a file", FUSE_LOOKUP, { store_files, NULL, look_at_files }, "statx" },
        { "GETATTR, of a directory that changed", FUSE_GETATTR,
          { store_files, look_at_files, unlink_files }, "statx" },
        { "OPEN for reading", FUSE_OPEN, { store_files, look_at_files, open_files },
          "openat, statx, capset 0..1, ioctl" },
        { "OPEN for writing", FUSE_OPEN, { store_files, look_at_files, write_files },
          "openat, statx, capset 0..1, ioctl" },
        { "CREATE", FUSE_CREATE, { NULL, NULL, create_files },
          "setfsuid 4, openat, statx, capset 0..1, ioctl" },
        { "GETXATTR, before the first write", FUSE_GETXATTR, { NULL, NULL, create_files },
          "fcntl, getxattr, close", "openat, statx, getxattr, close" },
        { "FLUSH", FUSE_FLUSH, { store_files, look_at_files, open_files },
          NOT_ASKED, "fcntl, close" },
        { "RELEASE after reading", FUSE_RELEASE, { store_files, look_at_files, open_files },
          "close, capset 0..1, ioctl" },
        { "RELEASE after writing", FUSE_RELEASE, { NULL, NULL, create_files },
          "close, capset 0..1, ioctl" },
        { "WRITE, with O_DIRECT for writing alone", FUSE_WRITE,
          { store_file, open_past_cache, write_pages },
          "newfstatat, statx, pwritev2" },
        { "FSYNC", FUSE_FSYNC, { store_file, open_past_cache, sync_again }, "fsync" },
        { "MKDIR", FUSE_MKDIR, { NULL, NULL, make_dirs }, "mkdirat, statx" },
        { "MKDIR by two users in turn", FUSE_MKDIR,
          { store_open, NULL, make_dirs_in_turn, .by = BY_HOST_ROOT },
          "setfsgid 2, setfsuid 2, mkdirat, statx" },
        { "RMDIR", FUSE_RMDIR, { NULL, make_dirs, remove_dirs }, "openat, statx, unlinkat" },
        { "SYMLINK", FUSE_SYMLINK, { NULL, NULL, make_symlinks }, "symlinkat, statx" },
        { "READLINK", FUSE_READLINK, { NULL, make_symlinks, read_symlinks },
          "openat, statx, readlinkat, close" },
        { "LINK", FUSE_LINK, { store_file, look_at_file, link_files },
          "openat, statx 2, linkat, close" },
        { "RENAME", FUSE_RENAME, { store_files, look_at_files, rename_files },
          "openat 2, statx, renameat2, close" },
        { "UNLINK", FUSE_UNLINK, { store_files, look_at_files, unlink_files },
          "openat, statx, unlinkat" },
        { "SETATTR: mode", FUSE_SETATTR, { store_files, look_at_files, change_modes },
          "openat, statx 2, fchmodat, close" },
        { "SETATTR: owner", FUSE_SETATTR, { store_files, look_at_files, change_owners },
          "openat, statx 2, newfstatat, fchownat, close" },
        { "SETATTR: times", FUSE_SETATTR, { store_files, look_at_files, change_times },
          "openat, statx 2, utimensat, close" },
        { "SETATTR: size", FUSE_SETATTR, { store_files, look_at_files, truncate_files },
          "openat, statx 2, newfstatat, fcntl, truncate, close" },
        { "OPENDIR, the first of a directory", FUSE_OPENDIR, { store_dirs, NULL, list_dirs },
          NOT_ASKED, "openat 2, statx 2" },
        { "READDIRPLUS of 4 files", FUSE_READDIRPLUS, { store_dirs, NULL, list_dirs },
          "openat 2, getdents64 2, statx 5", "getdents64 2, statx 4" },
        { "READDIR at the end", FUSE_READDIR, { store_dirs, NULL, list_dirs },
          "getdents64, close", "getdents64" },
        { "RELEASEDIR", FUSE_RELEASEDIR, { store_dirs, NULL, list_dirs },
          NOT_ASKED, "close" },
};
#define ROWS (sizeof rows / sizeof *rows)

/* How often each system call is made: by its number. */
struct calls {
        unsigned least[CALLS], most[CALLS];
};

/* The C library's choice between two names of one thing. */
static int counted_as(int call)
{
        switch (call) {
#ifdef SYS_fstat
        case SYS_fstat:
                return SYS_newfstatat;
#endif
#ifdef SYS_chown
        case SYS_chown:
                return SYS_fchownat;
#endif
#ifdef SYS_renameat
        case SYS_renameat:
                return SYS_renameat2;
#endif
        default:
                return call;
        }
}

static struct calls parse_calls(struct nsm_world *w, const char *text)
{
        char *words = nsm_world_printf(w, "%s", strcmp(text, NOT_ASKED) == 0 ? "" : text);
        struct calls calls = { .most = { [SYS_sched_setscheduler] = 2 } }; /* around the reply */
        char *rest = NULL;

        for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
                char name[32];
                unsigned least = 1, most;
                int n = sscanf(word, " %31s %u..%u", name, &least, &most);
                int call = seccomp_syscall_resolve_name(name);

                if (n < 1 || call < 0 || call >= CALLS)
                        nsm_harness_die("%s: no system call", name);
                call = counted_as(call);
                calls.least[call] = least;
                calls.most[call] = n == 3 ? most : least;
        }
        return calls;
}

static const char *calls_text(struct nsm_world *w, const unsigned calls[])
{
        struct counts counts = { 0 };

        for (int i = 0; i < CALLS; i++)
                for (unsigned j = 0; j < calls[i]; j++) {
                        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
                        counts_add(&counts, nsm_world_printf(w, "%s", name ? name : "?"));
                        free(name);
                }
        return counts_text(w, &counts);
}

static bool is_call_of(const struct traced *e, pid_t tid)
{
        return e->kind == TRACED_CALL && e->tid == tid;
}

static bool reads_request(const struct traced *e, pid_t tid, uint64_t fd)
{
        return is_call_of(e, tid) && e->number == SYS_read && e->first == fd;
}

static bool is_for_waiting(const struct traced *e, uint64_t fd, bool is_answered)
{
        bool replies = e->first == fd && (e->number == SYS_writev || e->number == SYS_write);

        return replies || (is_answered && e->number == SYS_capset) || e->number < 0 ||
               e->number >= CALLS;
}

/* What a thread called for the request that it answered by this event. */
static void count_calls(const struct traced_all *all, size_t answer, unsigned ret_calls[])
{
        pid_t tid = all->of[answer].tid;
        size_t i = answer;

        while (i > 0 && !is_call_of(&all->of[i], tid))
                i--;
        uint64_t fd = all->of[i].first; /* where the reply was written */
        while (i > 0 && !reads_request(&all->of[i], tid, fd))
                i--;
        memset(ret_calls, 0, CALLS * sizeof *ret_calls);
        for (i++; i < all->n && !reads_request(&all->of[i], tid, fd); i++)
                if (is_call_of(&all->of[i], tid) && !is_for_waiting(&all->of[i], fd, i > answer))
                        ret_calls[counted_as((int)all->of[i].number)]++;
}

static size_t find_answer(const struct traced_all *all, size_t request)
{
        size_t i = request;

        while (i < all->n && (all->of[i].kind != TRACED_ANSWERED ||
                              all->of[i].unique != all->of[request].unique))
                i++;
        return i;
}

static bool is_of_row(const struct traced *e, const struct row *row,
                      const struct operation_time *time)
{
        return e->kind == TRACED_SENT && e->number == row->opcode && e->at_ns >= time->begin &&
               e->at_ns <= time->end;
}

/* What each of the row's requests took. -1: one is not answered yet. */
static int count_each(const struct traced_all *all, const struct row *row,
                      const struct operation_time *time, unsigned ret_calls[][CALLS])
{
        int n = 0;

        for (size_t i = 0; i < all->n; i++) {
                if (!is_of_row(&all->of[i], row, time))
                        continue;
                size_t answer = find_answer(all, i);
                if (answer == all->n)
                        return -1;
                if (n == REQUESTS_MAX)
                        nsm_harness_die("%s: more requests than can be counted", row->name);
                count_calls(all, answer, ret_calls[n++]);
        }
        return n;
}

/* The least number that most of the requests do not exceed. */
static unsigned most_take(unsigned calls[][CALLS], int n, int call)
{
        for (unsigned most = 0;; most++) {
                int within = 0;
                for (int i = 0; i < n; i++)
                        within += calls[i][call] <= most;
                if (within > n / 2)
                        return most;
        }
}

/* What a request of the row takes. Returns how many there are, or -1: not all is known. */
static int measure(struct view_kit *k, struct tracing *tracing, const struct row *row,
                   const char *name, unsigned ret_calls[])
{
        unsigned each[REQUESTS_MAX][CALLS];
        int n = -1;

        tracing_clear(tracing);
        struct operation_time time = operation_do(k, name, &row->operation);
        /* For RELEASE nobody waits. */
        for (int ms = 0; n < 0 && ms < ANSWER_MS; ms++) {
                usleep(1000);
                struct traced_all all = tracing_read(tracing);
                if (all.lost)
                        break;
                n = count_each(&all, row, &time, each);
        }
        for (int i = 0; i < CALLS; i++)
                ret_calls[i] = n > 0 ? most_take(each, n, i) : 0;
        return n;
}

/* Which calls are more or fewer than expected. */
static const char *amiss(struct nsm_world *w, const struct calls *expected, const unsigned calls[])
{
        unsigned other[CALLS];

        for (int i = 0; i < CALLS; i++)
                other[i] = calls[i] < expected->least[i] || calls[i] > expected->most[i];
        return calls_text(w, other);
}

/* Whether a row is as expected in one of its tries; if not, says what the last one was. */
static bool check_row(struct view_kit *k, struct tracing *tracing, size_t row, const char *text)
{
        struct calls expected = parse_calls(k->w, text);
        const char *found = NULL, *differ = NULL;
        bool asked = strcmp(text, NOT_ASKED) != 0;
        unsigned calls[CALLS];

        for (int try = 0; try < TRIES; try++) {
                int n = measure(k, tracing, &rows[row], counts_try_name(k->w, row, try), calls);
                differ = amiss(k->w, &expected, calls);
                found = n > 0 ? calls_text(k->w, calls) : n < 0 ? "not known" : NOT_ASKED;
                if (n >= 0 && (n > 0) == asked && strcmp(differ, "none") == 0)
                        return true;
        }
        fprintf(stderr, "%s:\n    expected: %s\n    found:    %s\n    amiss:    %s\n",
                rows[row].name, text, found, differ);
        return false;
}

static void check_rows(bool exclusive)
{
        cleanup_view_kit struct view_kit k = operation_place_new();
        unsigned wrong = 0;

        TRACING_REQUIRE(k.w);
        for (size_t i = 0; i < ROWS; i++)
                for (int try = 0; try < TRIES; try++)
                        operation_store(&k, counts_try_name(k.w, i, try), &rows[i].operation);
        const char *program = operation_place_show(&k, exclusive ? "exclusive" : "shared");
        struct tracing *tracing = tracing_new(k.w, k.mnt, program);
        for (size_t i = 0; i < ROWS; i++)
                wrong += !check_row(&k, tracing, i, exclusive || !rows[i].shared
                                    ? rows[i].exclusive : rows[i].shared);
        tracing_free(tracing);
        cr_assert_eq(wrong, 0, "%u requests take other system calls than they should", wrong);
}

Test(costs_calls, where_nobody_else_writes)
{
        NSM_REQUIRE();
        check_rows(true);
}

Test(costs_calls, where_others_write)
{
        NSM_REQUIRE();
        check_rows(false);
}

Test(costs_calls, are_documented)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        unsigned missing = 0;

        for (size_t i = 0; i < ROWS; i++)
                missing += !counts_are_documented(w, rows[i].name, rows[i].exclusive,
                                                  rows[i].shared);
        cr_assert_eq(missing, 0, "fs/README.md, \"What an operation costs\", is not true");
}
