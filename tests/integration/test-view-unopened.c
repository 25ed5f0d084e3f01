/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of an exclusive view: the kernel reads them without a message that opens them. */
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <time.h>

#include "tests/integration/sides-kit.h"

/* Until the kernel's clock of files has moved on (clock_gettime(2)). */
static void wait_tick(void)
{
        struct timespec begin, now;

        clock_gettime(CLOCK_REALTIME_COARSE, &begin);
        do
                clock_gettime(CLOCK_REALTIME_COARSE, &now);
        while (now.tv_sec == begin.tv_sec && now.tv_nsec == begin.tv_nsec);
}

static int list(const char *name)
{
        DIR *d = opendir(name);
        int n = 0;

        while (d && readdir(d))
                n++;
        return d && closedir(d) == 0 ? n : -1;
}

/* Reads a directory; whether that was later than all its changes, as relatime wants it. */
static bool reading_moves_atime(const char *name)
{
        struct stat st;

        wait_tick();
        return list(name) >= 2 && stat(name, &st) == 0 &&
               (st.st_atim.tv_sec > st.st_ctim.tv_sec ||
                (st.st_atim.tv_sec == st.st_ctim.tv_sec &&
                 st.st_atim.tv_nsec > st.st_ctim.tv_nsec));
}

static int set_nodump(const char *name)
{
        int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), flags = 0;

        CHECK(fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0);
        flags |= FS_NODUMP_FL;
        CHECK(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 && fsync(fd) == 0);
        flags = 0;
        CHECK(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NODUMP_FL));
        return close(fd);
}

static int change_and_read(bool view)
{
        const struct timespec old[2] = { { 1000, 0 }, { .tv_nsec = UTIME_OMIT } };
        const char *side = view ? "seen" : "stored";

        CHECK(mkdir(side, 0755) == 0 && chdir(side) == 0);
        CHECK(mkdir("other", 0755) == 0 && mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
        CHECK(reading_moves_atime("d") && reading_moves_atime("d"));
        CHECK(utimensat(AT_FDCWD, "d", old, 0) == 0 && reading_moves_atime("d"));
        CHECK(chmod("d", 0700) == 0 && reading_moves_atime("d"));
        CHECK(chown("d", 1, 1) == 0 && reading_moves_atime("d"));
        CHECK(setxattr("d", "user.x", "y", 1, 0) == 0 && reading_moves_atime("d"));
        CHECK(removexattr("d", "user.x") == 0 && reading_moves_atime("d"));
        CHECK(set_nodump("d") == 0 && reading_moves_atime("d"));
        CHECK(mkdir("d/f", 0755) == 0 && reading_moves_atime("d"));
        CHECK(rename("d/f", "d/g") == 0 && reading_moves_atime("d"));
        CHECK(rename("d", "c") == 0 && reading_moves_atime("c"));
        CHECK(rename("c", "other/d") == 0 && reading_moves_atime("other/d"));
        CHECK(mkdir("d", 0755) == 0 && reading_moves_atime("d"));
        CHECK(renameat2(AT_FDCWD, "d", AT_FDCWD, "other/d", RENAME_EXCHANGE) == 0);
        CHECK(reading_moves_atime("d") && reading_moves_atime("other/d"));
        return 0;
}

/* What the kernel has cached of a directory must not keep its atime, which ext4 moves. */
Test(view_unopened, reading_after_a_change_moves_atime)
{
        NSM_REQUIRE();
        do_with("exclusive", change_and_read);
}

/* An atime that each reading moves asks for each reading. */
static int read_each_time(struct view_kit *k)
{
        struct stat before, after;

        (void)k;
        CHECK(mkdir("d", 0755) == 0);
        for (int i = 0; i < 3; i++) {
                CHECK(list("d") == 2 && stat("d", &before) == 0);
                wait_tick();
                CHECK(list("d") == 2 && stat("d", &after) == 0);
                CHECK(after.st_atim.tv_sec > before.st_atim.tv_sec ||
                      after.st_atim.tv_nsec > before.st_atim.tv_nsec);
        }
        return 0;
}

Test(view_unopened, strictatime_is_kept)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt; mount -t tmpfs -o strictatime none src && "
                       "nsmountfs src mnt -o idmap=0:%u:1000,coherence=exclusive", k.base);
        view_do(&k, 0, read_each_time);
}

#define DIRS 24 /* more than are kept open to be read on (NSM_STREAMS_MAX) */
#define ENTRIES 100

static int make_dirs(void)
{
        char name[300];

        for (int d = 0; d < DIRS; d++) {
                snprintf(name, sizeof name, "d%d", d);
                CHECK(mkdir(name, 0755) == 0);
                for (int i = 0; i < ENTRIES; i++) {
                        snprintf(name, sizeof name, "d%d/%0200d", d, i);
                        CHECK(mknod(name, S_IFREG | 0644, 0) == 0);
                }
        }
        return 0;
}

/* Reads on in each of many directories by turns: all is there, and once. */
static int read_by_turns(struct view_kit *k)
{
        static unsigned char seen[DIRS][ENTRIES];
        static char buf[4096];
        int fds[DIRS], going = DIRS;
        char name[16];

        (void)k;
        CHECK(make_dirs() == 0);
        for (int d = 0; d < DIRS; d++) {
                snprintf(name, sizeof name, "d%d", d);
                fds[d] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                CHECK(fds[d] >= 0);
        }
        while (going) {
                for (int d = 0; d < DIRS; d++) {
                        if (fds[d] < 0)
                                continue;
                        ssize_t n = getdents64(fds[d], buf, sizeof buf);
                        CHECK(n >= 0);
                        for (ssize_t at = 0; at < n;) {
                                const struct dirent64 *e = (const struct dirent64 *)(buf + at);
                                at += e->d_reclen;
                                if (e->d_name[0] != '.')
                                        CHECK(seen[d][atoi(e->d_name)]++ == 0);
                        }
                        if (n == 0) {
                                CHECK(close(fds[d]) == 0);
                                fds[d] = -1;
                                going--;
                        }
                }
        }
        for (int d = 0; d < DIRS; d++)
                for (int i = 0; i < ENTRIES; i++)
                        CHECK(seen[d][i] == 1);
        return 0;
}

Test(view_unopened, many_are_read_by_turns)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, read_by_turns);
}

/* Holds more directories open than the worker may have descriptors. */
static int hold_many(struct view_kit *k)
{
        static int fds[900];
        struct stat st;

        (void)k;
        CHECK(mkdir("d", 0755) == 0);
        for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
                fds[i] = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                CHECK(fds[i] >= 0);
        }
        CHECK(list("d") == 2 && rmdir("d") == 0);
        CHECK(fstat(fds[0], &st) == 0 && st.st_nlink == 0 && fsync(fds[0]) == 0);
        CHECK_ERR(openat(fds[1], "x", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), ENOENT);
        return 0;
}

Test(view_unopened, takes_no_descriptor)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt; ulimit -n 300; "
                       "nsmountfs src mnt -o idmap=0:%u:1000,coherence=exclusive", k.base);
        view_do(&k, 0, hold_many);
}
