/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories that are read while they change, and from any place in them. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <sys/mman.h>

#include "tests/integration/view-kit.h"

#define NAME_SIZE 16

/* ENTRIES comes from the build: what stays in the directory while others come and go. */
static int make_entries(void *dir)
{
        char name[NAME_SIZE];

        CHECK(chdir(dir) == 0 && mkdir("d", 0777) == 0 && chdir("d") == 0);
        for (int i = 0; i < ENTRIES; i++) {
                snprintf(name, sizeof name, "s%d", i);
                CHECK(mknod(name, S_IFREG | 0644, 0) == 0);
        }
        return 0;
}

static struct view_kit kit_with_entries(const char *coherence)
{
        struct view_kit k = view_kit_new("");
        struct nsm_output *o = nsm_world_call(k.w, make_entries, (void *)k.src);

        cr_assert_eq(o->status, 0, "%s", o->err);
        nsm_world_must(k.w, "umount -l mnt && nsmountfs src mnt -o idmap=0:%u:2000,coherence=%s",
                       k.base, coherence);
        return k;
}

/* Entries t0.. come, change their names and go until *@stop; how often is in stop[1]. */
static int churn(volatile int *stop, int who)
{
        char name[NAME_SIZE], next[NAME_SIZE];

        for (int i = 0; !stop[0]; i++, stop[1]++) {
                snprintf(name, sizeof name, "t%d-%d", who, i % 500);
                snprintf(next, sizeof next, "u%d-%d", who, i % 500);
                if (access(next, F_OK) == 0) {
                        CHECK(unlink(next) == 0);
                } else {
                        CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
                        CHECK(rename(name, next) == 0);
                }
        }
        return 0;
}

/* Reads the directory once with such a buffer: each of the entries that stay is there once. */
static int read_once(size_t size)
{
        static unsigned char seen[ENTRIES];
        char *buf = malloc(size);
        int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), i, total = 0;
        ssize_t n;

        memset(seen, 0, sizeof seen);
        CHECK(buf && fd >= 0);
        while ((n = getdents64(fd, buf, size)) > 0) {
                for (ssize_t at = 0; at < n;) {
                        const struct dirent64 *d = (const struct dirent64 *)(buf + at);
                        at += d->d_reclen;
                        if (sscanf(d->d_name, "s%d", &i) != 1)
                                continue;
                        if (seen[i]++)
                                fprintf(stderr, "%s is there twice\n", d->d_name);
                        CHECK(seen[i] == 1);
                        total++;
                }
        }
        CHECK(n == 0);
        if (total != ENTRIES)
                fprintf(stderr, "%d entries of %d\n", total, ENTRIES);
        CHECK(total == ENTRIES && close(fd) == 0);
        free(buf);
        return 0;
}

static int read_while_it_changes(struct view_kit *k)
{
        volatile int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                  -1, 0);
        pid_t pids[2];
        int status, r = 0;

        CHECK(chdir("d") == 0 && stop != MAP_FAILED);
        for (int i = 0; i < 2; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        _exit(churn(stop, i));
        }
        while (stop[1] < 500)
                usleep(1000);
        for (size_t size = 512; r == 0 && size <= 1 << 20; size *= 8)
                r = read_once(size);
        stop[0] = 1;
        for (int i = 0; i < 2; i++)
                CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
        return r;
}

ParameterizedTestParameters(view_directories, nothing_that_stays_is_lost_or_doubled)
{
        static char coherences[][16] = { "exclusive", "shared" };

        return cr_make_param_array(char[16], coherences, 2);
}

ParameterizedTest(char coherence[16], view_directories, nothing_that_stays_is_lost_or_doubled,
                  .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_with_entries(coherence);

        view_do(&k, 0, read_while_it_changes);
}

struct position {
        long at; /* before it */
        char name[NAME_SIZE];
};

static int read_positions(DIR *dir, struct position *all, int max)
{
        int n = 0;

        for (struct dirent *d; n < max; n++) {
                all[n].at = telldir(dir);
                d = readdir(dir);
                if (!d)
                        break;
                snprintf(all[n].name, sizeof all[n].name, "%.15s", d->d_name);
        }
        return n;
}

static bool is_next(DIR *dir, const struct position *p)
{
        seekdir(dir, p->at);
        struct dirent *d = readdir(dir);
        if (!d || strcmp(d->d_name, p->name) != 0)
                fprintf(stderr, "%s where %s was\n", d ? d->d_name : "the end", p->name);
        return d && strcmp(d->d_name, p->name) == 0;
}

/* A place in a directory stays what it is, whatever others do to other entries. */
static int go_to_places(struct view_kit *k)
{
        static struct position all[ENTRIES + 8];
        DIR *dir = opendir("d"), *other = opendir("d");
        struct stat st;

        CHECK(dir && other);
        int n = read_positions(dir, all, ENTRIES + 8);
        CHECK(n == ENTRIES + 2);
        for (int i = 0; i < 100; i++)
                CHECK(is_next(i % 2 ? dir : other, &all[(unsigned)i * 7919u % (unsigned)n]));
        CHECK(chdir("d") == 0);
        /* Every third goes; then places of the others are looked up. */
        for (int i = 0; i < n; i += 3)
                CHECK(all[i].name[0] == '.' || unlink(all[i].name) == 0);
        for (int i = 1; i < n; i += n / 100 + 1)
                CHECK(i % 3 == 0 || all[i].name[0] == '.' || is_next(i % 2 ? dir : other, &all[i]));
        CHECK(mknod("fresh", S_IFREG | 0600, 0) == 0);
        rewinddir(dir);
        int left = 0, fresh = 0;
        for (struct dirent *d; (d = readdir(dir)); left++)
                fresh += strcmp(d->d_name, "fresh") == 0;
        CHECK(fresh == 1 && stat("s0", &st) == (strcmp(all[0].name, "s0") ? 0 : -1));
        CHECK(left < n - n / 3 + 4 && closedir(dir) == 0 && closedir(other) == 0);
        return 0;
}

Test(view_directories, places_stay_where_they_are_cached, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_with_entries("exclusive");

        view_do(&k, 0, go_to_places);
}

Test(view_directories, places_stay_where_others_write, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_with_entries("shared");

        view_do(&k, 0, go_to_places);
}

/* Names, places, inode numbers and types are the storage's, entry by entry. */
static int compare_with_storage(struct view_kit *k)
{
        const char *src = nsm_world_printf(k->w, "%s/d", k->src);
        DIR *here = opendir("d"), *there = opendir(src);
        struct dirent *a, *b;

        CHECK(here && there);
        do {
                a = readdir(here);
                b = readdir(there);
                CHECK(!a == !b);
                if (!a)
                        break;
                CHECK(strcmp(a->d_name, b->d_name) == 0 && a->d_ino == b->d_ino);
                CHECK(a->d_off == b->d_off && a->d_type == b->d_type);
        } while (a);
        CHECK(closedir(here) == 0 && closedir(there) == 0);
        return 0;
}

Test(view_directories, entries_are_the_storages, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_with_entries("exclusive");

        view_do(&k, 0, compare_with_storage);
        view_do(&k, UINT32_MAX, compare_with_storage);
}

static ino_t number_of(const char *dir, const char *name)
{
        DIR *d = opendir(dir);
        ino_t ino = 0;

        for (struct dirent *e; d && (e = readdir(d));)
                if (strcmp(e->d_name, name) == 0)
                        ino = e->d_ino;
        if (d)
                closedir(d);
        return ino;
}

static int look_at_dots(struct view_kit *k)
{
        struct stat root, a, b;

        CHECK(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0 && mkdir("a/x", 0700) == 0);
        CHECK(stat(".", &root) == 0 && stat("a", &a) == 0 && stat("b", &b) == 0);
        CHECK(number_of(".", ".") == root.st_ino && number_of(".", "..") == root.st_ino);
        CHECK(number_of("a", ".") == a.st_ino && number_of("a", "..") == root.st_ino);
        CHECK(number_of("a/x", "..") == a.st_ino && rename("a/x", "b/x") == 0);
        CHECK(number_of("b/x", "..") == b.st_ino && number_of(".", "a") == a.st_ino);
        return 0;
}

Test(view_directories, dots_have_their_numbers)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, look_at_dots);
}

/* What fits one entry gives one, and what fits none is refused: the first entry is ".". */
static int read_with_little_room(struct view_kit *k)
{
        char buf[64];
        int fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
        ssize_t got;

        CHECK(fd >= 0);
        CHECK_ERR(getdents64(fd, buf, 8), EINVAL);
        while (n < 100 && (got = getdents64(fd, buf, 32)) > 0)
                n++;
        CHECK(n == 100 && close(fd) == 0);
        return 0;
}

static int use_removed_directory(struct view_kit *k)
{
        char buf[4096];
        struct stat st;

        CHECK(mkdir("gone", 0700) == 0 && mkdir("gone/below", 0700) == 0 && chdir("gone") == 0);
        int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0 && rmdir("below") == 0);
        CHECK_ERR(rmdir("."), EINVAL);
        CHECK(rmdir("../gone") == 0);
        CHECK_ERR(getdents64(fd, buf, sizeof buf), ENOENT);
        CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && stat(".", &st) == 0);
        CHECK_ERR(mkdir("new", 0700), ENOENT);
        CHECK_ERR(open("new", O_CREAT | O_WRONLY, 0600), ENOENT);
        CHECK_ERR(stat("below", &st), ENOENT);
        CHECK(!getcwd(buf, sizeof buf) && errno == ENOENT);
        CHECK(stat("..", &st) == 0 && fchmod(fd, 0755) == 0 && chdir("..") == 0);
        CHECK(close(fd) == 0 && mkdir("gone", 0700) == 0 && rmdir("gone") == 0);
        return 0;
}

Test(view_directories, little_room_and_removed_ones, .timeout = 60)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_with_entries("exclusive");

        nsm_world_must(k.w, "chown 0:0 src && chmod 777 src");
        view_do(&k, 0, read_with_little_room);
        view_do(&k, 0, use_removed_directory);
}

static bool is_listed(DIR *dir, const char *name)
{
        struct dirent *d;

        rewinddir(dir);
        while ((d = readdir(dir)))
                if (strcmp(d->d_name, name) == 0)
                        return true;
        return false;
}

/* What is done in one place shows at once in another, where the directory is cached. */
static int change_and_look(struct view_kit *k)
{
        DIR *here = opendir("d"), *there = opendir("../again/d");
        struct stat st;
        char name[NAME_SIZE];

        CHECK(here && there);
        for (int i = 0; i < 30; i++) {
                snprintf(name, sizeof name, "d/n%d", i);
                CHECK(!is_listed(there, name + 2) && !is_listed(here, name + 2));
                CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
                CHECK(is_listed(there, name + 2) && is_listed(here, name + 2));
                CHECK(rename(name, "d/moved") == 0 && is_listed(there, "moved"));
                CHECK(!is_listed(there, name + 2) && stat("../again/d/moved", &st) == 0);
                CHECK(unlink("../again/d/moved") == 0 && !is_listed(here, "moved"));
        }
        CHECK(closedir(here) == 0 && closedir(there) == 0);
        return 0;
}

Test(view_directories, changes_show_at_once_in_every_graft, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        nsm_world_must(k.w, "mkdir again src/d && chmod 777 src/d && mount --bind mnt again");
        view_do(&k, 0, change_and_look);
        nsm_world_must(k.w, "umount again");
}
