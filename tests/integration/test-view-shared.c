/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shared view, and somebody who works on its storage meanwhile. How soon a
 * change is seen is measured elsewhere: here it has to be seen, with events of
 * the storage's and with timeouts alone (a storage that tells nothing: another
 * view).
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "tests/integration/view-kit.h"

#define LIMIT_MS 20000

/* Paths below the source, in a ring: valid until four more are asked for. */
static const char *below(const struct view_kit *k, const char *path)
{
        static char texts[4][PATH_MAX];
        static unsigned turn;
        char *text = texts[turn++ % 4];

        snprintf(text, PATH_MAX, "%s/%s", k->src, path);
        return text;
}

/* Waits until an expression holds. */
#define SEEN(condition)                                                         \
        ({                                                                      \
                bool seen_ = false;                                             \
                for (int round_ = 0; !seen_ && round_ < LIMIT_MS; round_++) {   \
                        seen_ = (condition);                                    \
                        if (!seen_)                                             \
                                usleep(1000);                                   \
                }                                                               \
                seen_;                                                          \
        })

static struct stat stat_of(const char *path)
{
        struct stat st = { 0 };

        if (lstat(path, &st) < 0)
                st.st_ino = 0;
        return st;
}

static bool is_there(const char *path)
{
        return stat_of(path).st_ino != 0;
}

static int sees_what_changes(struct view_kit *k)
{
        char value[8];

        CHECK(mkdir(below(k, "d"), 0755) == 0 && write_text(below(k, "d/f"), "one") == 0);
        CHECK(SEEN(has_text("d/f", "one")));
        CHECK(write_text(below(k, "d/f"), "other") == 0);
        CHECK(SEEN(stat_of("d/f").st_size == 5) && has_text("d/f", "other"));
        CHECK(!is_there("d/new") && write_text(below(k, "d/new"), "") == 0);
        CHECK(SEEN(is_there("d/new")));
        CHECK(unlink(below(k, "d/new")) == 0 && SEEN(!is_there("d/new")));
        CHECK(chmod(below(k, "d/f"), 0604) == 0);
        CHECK(SEEN((stat_of("d/f").st_mode & 07777) == 0604));
        CHECK(truncate(below(k, "d/f"), 2) == 0 && SEEN(has_text("d/f", "ot")));
        CHECK(link(below(k, "d/f"), below(k, "d/g")) == 0);
        CHECK(SEEN(is_there("d/g")) && SEEN(stat_of("d/f").st_nlink == 2));
        CHECK(symlink("f", below(k, "d/s")) == 0 && SEEN(has_text("d/s", "ot")));
        CHECK(unlink(below(k, "d/s")) == 0 && symlink("/", below(k, "d/s")) == 0);
        CHECK(SEEN(readlink("d/s", value, sizeof value) == 1));
        CHECK(setxattr(below(k, "d/f"), "user.x", "y", 1, 0) == 0);
        CHECK(SEEN(getxattr("d/f", "user.x", value, sizeof value) == 1));
        return 0;
}

static int sees_stores_through_mappings(struct view_kit *k)
{
        CHECK(write_text(below(k, "m"), "") == 0 && truncate(below(k, "m"), 8192) == 0);
        int under = open(below(k, "m"), O_RDWR | O_CLOEXEC);
        CHECK(SEEN(is_there("m")));
        int fd = open("m", O_RDONLY | O_CLOEXEC);
        CHECK(under >= 0 && fd >= 0);
        char *theirs = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, under, 0);
        const volatile char *ours = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
        CHECK(theirs != MAP_FAILED && ours != MAP_FAILED);
        for (char c = 'a'; c < 'd'; c++) {
                char got = 0;

                /* Once more each time into a page that is dirty already. */
                theirs[0] = theirs[4096] = c;
                CHECK(SEEN(pread(fd, &got, 1, 0) == 1 && got == c));
                CHECK(SEEN(ours[4096] == c));
        }
        return 0;
}

/* A file that is replaced again and again: always one of its contents, and never an error. */
static int follows_replacements(struct view_kit *k)
{
        char text[32], got[32];

        CHECK(write_text(below(k, "r"), "000") == 0 && SEEN(has_text("r", "000")));
        int old = open("r", O_RDONLY | O_CLOEXEC);
        CHECK(old >= 0);
        for (int i = 1; i < 200; i++) {
                snprintf(text, sizeof text, "%03d", i);
                CHECK(write_text(below(k, "r.new"), text) == 0);
                CHECK(rename(below(k, "r.new"), below(k, "r")) == 0);
                int fd = open("r", O_RDONLY | O_CLOEXEC);
                struct stat st;
                CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 3);
                CHECK(pread(fd, got, 3, 0) == 3 && atoi(got) <= i && close(fd) == 0);
        }
        CHECK(SEEN(has_text("r", "199")));
        CHECK(pread(old, got, 3, 0) == 3 && memcmp(got, "000", 3) == 0);
        return 0;
}

static int goes_on_with_what_is_removed(struct view_kit *k)
{
        struct stat st;
        char got[4];

        CHECK(write_text("open", "text") == 0);
        int fd = open("open", O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && unlink(below(k, "open")) == 0 && SEEN(!is_there("open")));
        CHECK(SEEN(fstat(fd, &st) == 0 && st.st_nlink == 0));
        CHECK(st.st_size == 4 && pread(fd, got, 4, 0) == 4 && fchmod(fd, 0600) == 0);
        CHECK(ftruncate(fd, 2) == 0 && fstat(fd, &st) == 0 && st.st_size == 2);
        CHECK((st.st_mode & 07777) == 0600 && futimens(fd, NULL) == 0);
        return 0;
}

/* More directories than the view keeps open: so none of those is found by its descriptor. */
static int use_others(void)
{
        char name[32];

        for (int i = 0; i < 300; i++) {
                snprintf(name, sizeof name, "others/%d", i);
                if ((mkdir(name, 0700) < 0 && errno != EEXIST))
                        return -1;
                strcat(name, "/x");
                if (mkdir(name, 0700) < 0 && errno != EEXIST)
                        return -1;
        }
        return 0;
}

static int follows_directories(struct view_kit *k)
{
        struct stat st;
        int stop = open(".", O_PATH | O_CLOEXEC);

        CHECK(mkdir("a", 0700) == 0 && mkdir("a/b", 0700) == 0 && mkdir("a/b/c", 0700) == 0);
        CHECK(mkdir("others", 0700) == 0 && write_text("a/b/c/f", "text") == 0);
        int fd = open("a/b/c/f", O_RDWR | O_CLOEXEC);
        int dir = open("a/b/c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(stop >= 0 && fd >= 0 && dir >= 0 && chdir("a/b/c") == 0);
        CHECK(rename(below(k, "a"), below(k, "z")) == 0);
        CHECK(fchdir(stop) == 0 && SEEN(has_text("z/b/c/f", "text")) && use_others() == 0);
        CHECK(chdir("z/b/c") == 0 && rename(below(k, "z/b"), below(k, "moved")) == 0);
        CHECK(fstat(fd, &st) == 0 && fchmod(fd, 0640) == 0 && write(fd, "more", 4) == 4);
        CHECK(fstatat(dir, "f", &st, 0) == 0 && write_text("g", "made") == 0);
        CHECK(fchdir(stop) == 0 && use_others() == 0);
        CHECK(fstatat(dir, "g", &st, 0) == 0 && fstat(dir, &st) == 0);
        CHECK(SEEN(has_text("moved/c/g", "made")) && SEEN(!is_there("z/b")));
        CHECK(has_text(below(k, "moved/c/f"), "more"));
        return 0;
}

static volatile sig_atomic_t broken;

static void note_break(int signal)
{
        broken = 1;
}

/* Has a lease below until somebody else opens the file. */
static int lease(const char *path, int ready)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        signal(SIGIO, note_break);
        CHECK(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && write(ready, "", 1) == 1);
        for (int i = 0; !broken && i < LIMIT_MS; i++)
                usleep(1000);
        CHECK(broken && fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
        return 0;
}

/* As an NFS server's delegation is: who opens the file waits, if he may be kept waiting. */
static int waits_for_leases(struct view_kit *k)
{
        int ready[2], status;
        char byte;

        CHECK(write_text(below(k, "leased"), "text") == 0 && SEEN(is_there("leased")));
        CHECK(pipe2(ready, O_CLOEXEC) == 0);
        pid_t pid = fork();
        if (pid == 0)
                _exit(lease(below(k, "leased"), ready[1]));
        CHECK(pid > 0 && read(ready[0], &byte, 1) == 1 && has_text("leased", "text"));
        CHECK_ERR(open("leased", O_WRONLY | O_NONBLOCK | O_CLOEXEC), EAGAIN);
        int fd = open("leased", O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0 && write(fd, "more", 4) == 4 && close(fd) == 0);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        return 0;
}

/* @on_view: the storage is a view itself, of which nobody tells anything. */
static void with(int (*fn)(struct view_kit *k), bool on_view)
{
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.src = nsm_world_printf(k.w, "%s/src", k.w->dir);
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 .; mkdir -m 755 src mnt; ulimit -n 512; %s"
                       "nsmountfs src mnt -o idmap=0:0:65536",
                       on_view ? "mkdir -m 755 real; nsmountfs real src -o "
                                 "idmap=0:0:65536,coherence=exclusive; " : "");
        view_do(&k, UINT32_MAX, fn);
        nsm_world_run(k.w, "umount -l mnt%s", on_view ? "; umount -l src" : "");
        nsm_world_free(k.w);
}

#define SHARED_TEST(fn)                                  \
        Test(view_shared, fn, .timeout = 120)            \
        {                                                \
                NSM_REQUIRE();                           \
                with(fn, false);                         \
        }                                                \
        Test(view_shared, fn##_by_timeouts, .timeout = 120) \
        {                                                \
                NSM_REQUIRE();                           \
                with(fn, true);                          \
        }

SHARED_TEST(sees_what_changes)
SHARED_TEST(sees_stores_through_mappings)
SHARED_TEST(follows_replacements)
SHARED_TEST(goes_on_with_what_is_removed)
SHARED_TEST(follows_directories)
SHARED_TEST(waits_for_leases)
