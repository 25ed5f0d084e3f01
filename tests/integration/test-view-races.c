/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several processes in one directory at once: what each may and may not see. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/integration/view-kit.h"

#define PROCESSES 4
#define NAME_SIZE 32

/* What the processes of one race share. */
struct race {
        _Atomic int at;     /* processes that have come to the current round */
        _Atomic int round;  /* that may be run */
        _Atomic int winners;
        _Atomic int done;   /* writers that have ended */
};

/* All processes begin a round together. */
static void meet(struct race *race, int round)
{
        if (atomic_fetch_add(&race->at, 1) == PROCESSES - 1) {
                atomic_store(&race->at, 0);
                atomic_store(&race->round, round);
        }
        while (atomic_load(&race->round) < round)
                sched_yield();
}

static int run_race(int (*run)(struct race *race, int who), struct race **ret)
{
        struct race *race = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                 -1, 0);
        pid_t pids[PROCESSES];
        int status, bad = 0;

        CHECK(race != MAP_FAILED);
        for (int i = 0; i < PROCESSES; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        _exit(run(race, i));
        }
        for (int i = 0; i < PROCESSES; i++)
                bad += waitpid(pids[i], &status, 0) != pids[i] || status != 0;
        CHECK(bad == 0);
        if (ret)
                *ret = race;
        return 0;
}

/* Ways to make one name, of which one process alone succeeds. */
static int make_as(int how, const char *name, int who)
{
        char own[NAME_SIZE];
        int fd;

        snprintf(own, sizeof own, "own%d", who);
        switch (how) {
        case 0:
                fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
                return fd < 0 ? -1 : close(fd);
        case 1:
                return mkdir(name, 0700);
        case 2:
                return symlink(own, name);
        case 3:
                return link("linked", name);
        case 4:
                fd = open(own, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
                if (fd < 0 || close(fd) < 0)
                        return -1;
                fd = renameat2(AT_FDCWD, own, AT_FDCWD, name, RENAME_NOREPLACE);
                if (fd < 0) {
                        unlink(own);
                        errno = EEXIST;
                }
                return fd;
        default:
                return mknod(name, S_IFIFO | 0600, 0);
        }
}

#define ROUNDS 200

static int make_the_same(struct race *race, int who)
{
        char name[NAME_SIZE];
        struct stat st;

        for (int i = 1; i <= ROUNDS; i++) {
                meet(race, i);
                snprintf(name, sizeof name, "n%d", i);
                if (make_as(i % 6, name, who) == 0)
                        race->winners++;
                else
                        CHECK(errno == EEXIST);
                CHECK(lstat(name, &st) == 0);
        }
        return 0;
}

static int one_wins(struct view_kit *k)
{
        struct race *race;

        CHECK(write_text("linked", "x") == 0 && run_race(make_the_same, &race) == 0);
        CHECK(race->winners == ROUNDS);
        return 0;
}

/* One opens it without O_EXCL, and all get the same file. */
static int open_the_same(struct race *race, int who)
{
        char name[NAME_SIZE];
        struct stat a, b;

        for (int i = 1; i <= ROUNDS; i++) {
                meet(race, i);
                snprintf(name, sizeof name, "o%d", i);
                int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
                CHECK(fd >= 0 && fstat(fd, &a) == 0 && stat(name, &b) == 0);
                CHECK(a.st_ino == b.st_ino && close(fd) == 0);
        }
        return 0;
}

static int all_open_one(struct view_kit *k)
{
        return run_race(open_the_same, NULL);
}

/* Each has names of its own, and nobody's errors. */
static int work_side_by_side(struct race *race, int who)
{
        char a[NAME_SIZE], b[NAME_SIZE], c[NAME_SIZE], text[NAME_SIZE];
        struct stat st;

        for (int i = 0; i < ROUNDS; i++) {
                snprintf(a, sizeof a, "a%d-%d", who, i);
                snprintf(b, sizeof b, "b%d-%d", who, i % 7);
                snprintf(c, sizeof c, "sub/c%d", who);
                snprintf(text, sizeof text, "%d %d", who, i);
                CHECK_ERR(stat(a, &st), ENOENT);
                CHECK(write_text(a, text) == 0 && has_text(a, text));
                CHECK(link(a, c) == 0 && rename(a, b) == 0 && has_text(b, text));
                CHECK_ERR(stat(a, &st), ENOENT);
                CHECK(stat(c, &st) == 0 && st.st_nlink == 2 && chmod(c, 0640) == 0);
                CHECK(unlink(b) == 0 && has_text(c, text) && unlink(c) == 0);
                CHECK(mkdir(a, 0700) == 0 && chdir(a) == 0 && write_text("in", text) == 0);
                CHECK(rename("in", "../in") == 0 || errno == EEXIST);
                CHECK(chdir("..") == 0 && rmdir(a) == 0);
                CHECK(has_text("always", "here") && stat("never", &st) < 0 && errno == ENOENT);
        }
        return 0;
}

static int side_by_side(struct view_kit *k)
{
        CHECK(mkdir("sub", 0700) == 0 && write_text("always", "here") == 0);
        CHECK(run_race(work_side_by_side, NULL) == 0);
        CHECK(unlink("in") == 0 && rmdir("sub") == 0 && unlink("always") == 0);
        return 0;
}

/* Two exchange names without end; the others find both, at every moment. */
static int exchange(struct race *race, int who)
{
        char text[NAME_SIZE];
        struct stat st;

        if (who < 2) {
                for (int i = 0; i < 2 * ROUNDS; i++)
                        CHECK(renameat2(AT_FDCWD, who ? "fa" : "da", AT_FDCWD, who ? "fb" : "db",
                                        RENAME_EXCHANGE) == 0);
                race->done++;
                return 0;
        }
        while (race->done < 2) {
                CHECK(stat("fa", &st) == 0 && stat("fb", &st) == 0);
                int fa = open("fa", O_RDONLY | O_CLOEXEC);
                CHECK(fa >= 0 && read(fa, text, 2) == 1 && close(fa) == 0);
                CHECK(*text == 'a' || *text == 'b');
                CHECK(stat("da", &st) == 0 && stat("db/in", &st) == 0);
                snprintf(text, sizeof text, "da/new%d", who);
                int fd = open(text, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
                CHECK(fd >= 0 && fstat(fd, &st) == 0 && close(fd) == 0);
        }
        return 0;
}

static int both_are_always_there(struct view_kit *k)
{
        CHECK(write_text("fa", "a") == 0 && write_text("fb", "b") == 0);
        CHECK(mkdir("da", 0700) == 0 && mkdir("db", 0700) == 0);
        CHECK(write_text("da/in", "1") == 0 && write_text("db/in", "2") == 0);
        return run_race(exchange, NULL);
}

/* A file is replaced by rename(2) all the time: it is always there, whole, one or the other. */
static int replace(struct race *race, int who)
{
        char own[NAME_SIZE], dir[NAME_SIZE], buf[8];

        snprintf(own, sizeof own, "own%d", who);
        snprintf(dir, sizeof dir, "deep%d", who);
        for (int i = 0; i < ROUNDS; i++) {
                if (who < 2) {
                        CHECK(write_text(own, who ? "one" : "two") == 0);
                        CHECK(rename(own, "target") == 0);
                } else {
                        int fd = open("target", O_RDONLY | O_CLOEXEC);
                        CHECK(fd >= 0 && read(fd, buf, sizeof buf) == 3 && close(fd) == 0);
                        CHECK(memcmp(buf, "one", 3) == 0 || memcmp(buf, "two", 3) == 0);
                        CHECK(mkdir(dir, 0700) == 0 && rmdir(dir) == 0);
                }
        }
        return 0;
}

static int replaced_files_are_whole(struct view_kit *k)
{
        CHECK(write_text("target", "one") == 0);
        return run_race(replace, NULL);
}

/* Directories that move below one another, never below themselves. */
static int move_directories(struct race *race, int who)
{
        char from[NAME_SIZE], to[NAME_SIZE];

        for (int i = 0; i < ROUNDS; i++) {
                int a = (who + i) % 3, b = (who + 2 * i + 1) % 3;
                snprintf(from, sizeof from, i % 2 ? "m%d" : "m%d/m%d", a, b);
                snprintf(to, sizeof to, i % 2 ? "m%d/m%d" : "m%d", b, a);
                if (rename(from, to) == 0)
                        continue;
                CHECK(errno == EINVAL || errno == ENOENT || errno == ENOTEMPTY ||
                      errno == EEXIST);
        }
        return 0;
}

static int trees_stay_trees(struct view_kit *k)
{
        for (int i = 0; i < 3; i++) {
                char name[NAME_SIZE];
                snprintf(name, sizeof name, "m%d", i);
                CHECK(mkdir(name, 0700) == 0);
        }
        return run_race(move_directories, NULL);
}

static const struct {
        const char *name;
        int (*fn)(struct view_kit *kit);
} races[] = {
        { "one wins", one_wins },
        { "all open one", all_open_one },
        { "side by side", side_by_side },
        { "both are always there", both_are_always_there },
        { "replaced files are whole", replaced_files_are_whole },
        { "trees stay trees", trees_stay_trees },
};

struct case_of {
        size_t race;
        bool exclusive;
};

ParameterizedTestParameters(view_races, each)
{
        static struct case_of cases[2 * sizeof races / sizeof *races];

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                cases[i] = (struct case_of){ i / 2, i % 2 };
        return cr_make_param_array(struct case_of, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct case_of *c, view_races, each, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k =
                view_kit_new(c->exclusive ? ",coherence=exclusive" : "");
        struct view_call call = { &k, 0, races[c->race].fn };
        struct nsm_output *o;

        nsm_world_must(k.w, "chmod 777 src");
        o = nsm_world_call(k.w, view_call_as, &call);
        cr_assert_eq(o->status, 0, "%s, %s: %s%s", races[c->race].name,
                     c->exclusive ? "exclusive" : "shared", o->out, o->err);
        /* What the view says at the end is what there is. */
        nsm_world_must(k.w, "umount -l mnt && nsmountfs src mnt -o idmap=0:%u:1000 &&"
                       "(cd src && find . -printf '%%P %%y %%s %%n\\n' | sort) >a;"
                       "(cd mnt && find . -printf '%%P %%y %%s %%n\\n' | sort) >b; cmp a b", k.base);
}
