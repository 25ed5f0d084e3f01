/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many open files in a view: up to the worker's descriptors, and past them. */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "tests/integration/view-kit.h"

#define FILES_MAX 19900

/* How many files are there to open, and how many opens must succeed. */
struct crowd {
        struct view_kit *kit;
        int files, least;
};

static int make_files(void *arg)
{
        const struct crowd *c = arg;
        char name[32];

        CHECK(chdir(c->kit->src) == 0 && mkdir("d", 0777) == 0);
        for (int i = 0; i < c->files; i++) {
                snprintf(name, sizeof name, "d/%d", i);
                int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
                CHECK(fd >= 0 && close(fd) == 0);
        }
        return 0;
}

static int open_all(int files, int fds[])
{
        char name[32];
        int n = 0;

        for (; n < files; n++) {
                snprintf(name, sizeof name, "d/%d", n);
                fds[n] = open(name, O_RDWR | O_CLOEXEC);
                if (fds[n] < 0)
                        break;
        }
        return n;
}

static int count_entries(const char *path)
{
        DIR *dir = opendir(path);
        int n = 0;

        while (dir && readdir(dir))
                n++;
        return dir && closedir(dir) == 0 ? n : -1;
}

/* What needs no new open file goes on. */
static int go_on(struct view_kit *k, int fds[], int n, int files)
{
        char text[4];
        struct stat st;

        CHECK(write(fds[0], "abc", 3) == 3 && pread(fds[0], text, 3, 0) == 3 && text[2] == 'c');
        CHECK(fstat(fds[n - 1], &st) == 0 && stat("d/0", &st) == 0 && st.st_size == 3);
        CHECK(count_entries("d") == files + 2);
        CHECK(mkdir("new", 0700) == 0 && rename("new", "d/new") == 0 && rmdir("d/new") == 0);
        CHECK(symlink("x", "link") == 0 && unlink("link") == 0 && chmod("d/1", 0600) == 0);
        CHECK(unlink("d/0") == 0 && pread(fds[0], text, 3, 0) == 3 && fstat(fds[0], &st) == 0);
        CHECK(st.st_nlink == 0 && write_text(nsm_world_printf(k->w, "%s/d/0", k->src), "") == 0);
        return 0;
}

static int open_past_the_limit(void *arg)
{
        static int fds[FILES_MAX];
        const struct crowd *c = arg;
        int fd;

        CHECK(chdir(c->kit->mnt) == 0);
        int n = open_all(c->files, fds);
        CHECK((errno == ENFILE || errno == EMFILE) && n >= c->least && n < c->files);
        CHECK_ERR(open("d/1", O_RDONLY | O_CLOEXEC), errno);
        CHECK_ERR(open("d/fresh", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), ENFILE);
        CHECK_ERR(access("d/fresh", F_OK), ENOENT);
        CHECK(go_on(c->kit, fds, n, c->files) == 0);
        CHECK(close(fds[n - 1]) == 0);
        /* A close is told after it returns. */
        for (int i = 0; (fd = open("d/1", O_RDONLY | O_CLOEXEC)) < 0 && i < 1000; i++)
                usleep(10000);
        CHECK(fd >= 0 && close(fd) == 0);
        for (int i = 0; i < n - 1; i++)
                CHECK(close(fds[i]) == 0);
        return 0;
}

static void run_crowd(const char *prefix, const char *coherence, int files, int least)
{
        cleanup_view_kit struct view_kit k = view_kit_new("");
        struct crowd crowd = { &k, files, least };

        nsm_world_must(k.w, "umount -l mnt");
        struct nsm_output *o = nsm_world_call(k.w, make_files, &crowd);
        cr_assert_eq(o->status, 0, "%s", o->err);
        nsm_world_must(k.w, "%s nsmountfs src mnt -o idmap=0:0:2003,coherence=%s", prefix,
                       coherence);
        /* Nothing is left of it: as many once more. */
        for (int i = 0; i < (files < 10000 ? 2 : 1); i++) {
                o = nsm_world_call(k.w, open_past_the_limit, &crowd);
                cr_assert_eq(o->status, 0, "%s", o->err);
        }
}

Test(view_open, ten_thousand_files, .timeout = 120)
{
        NSM_REQUIRE();
        struct rlimit files;

        /* As many as this machine allows, and the worker takes for itself. */
        cr_assert(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max >= 20000);
        run_crowd("ulimit -n 20000 &&", "exclusive", 16000, 10000);
}

Test(view_open, ten_thousand_files_with_locks, .timeout = 120)
{
        NSM_REQUIRE();
        run_crowd("ulimit -n 20000 &&", "shared", 16000, 10000);
}

Test(view_open, few_descriptors, .timeout = 120)
{
        NSM_REQUIRE();
        run_crowd("ulimit -n 1024 &&", "exclusive", 1000, 500);
        run_crowd("ulimit -n 1024 &&", "shared", 1000, 450);
}

/* A file without a name needs no descriptor of its own any more when it gets one. */
static int name_nameless(struct view_kit *k)
{
        char from[40], to[16];

        for (int i = 0; i < 600; i++) {
                int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
                CHECK(fd >= 0);
                snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
                snprintf(to, sizeof to, "%d", i);
                CHECK(linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0);
                CHECK(write(fd, to, strlen(to)) == (ssize_t)strlen(to) && close(fd) == 0);
                CHECK(has_text(to, to));
        }
        return 0;
}

Test(view_open, files_that_got_a_name)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt && ulimit -n 1024 && "
                       "nsmountfs src mnt -o idmap=0:0:2003,coherence=exclusive");
        view_do(&k, UINT32_MAX, name_nameless);
}

/* ---- open, and without a name ---- */

#define NAMELESS 10000

/* How the i-th file of a crowd without names is made: under a name that goes, or without one. */
static int open_nameless(int i, bool tmpfile)
{
        char name[16];

        if (tmpfile)
                return open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        snprintf(name, sizeof name, "%d", i);
        int fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        return fd >= 0 && unlink(name) == 0 ? fd : -1;
}

/* All that a file without a name can be asked for, as on the storage. */
static int use_nameless(int fd, int i)
{
        char path[40];
        struct stat st;
        int got = -1;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        CHECK(pwrite(fd, &i, sizeof i, 0) == sizeof i && ftruncate(fd, 8) == 0);
        CHECK(fchmod(fd, 0640) == 0 && fsetxattr(fd, "user.n", &i, sizeof i, 0) == 0);
        CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 8);
        int again = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(again >= 0 && pread(again, &got, sizeof got, 0) == sizeof got && got == i);
        CHECK(close(again) == 0 && getxattr(path, "user.n", &got, sizeof got) == sizeof got);
        CHECK(got == i && chmod(path, 0600) == 0 && fstat(fd, &st) == 0);
        CHECK((st.st_mode & 07777) == 0600);
        return 0;
}

static int crowd_of_nameless(bool tmpfile)
{
        static int fds[NAMELESS];

        for (int i = 0; i < NAMELESS; i++) {
                fds[i] = open_nameless(i, tmpfile);
                CHECK(fds[i] >= 0);
        }
        for (int i = 0; i < NAMELESS; i++)
                CHECK(use_nameless(fds[i], i) == 0);
        for (int i = 0; i < NAMELESS; i++)
                CHECK(close(fds[i]) == 0);
        return 0;
}

static int crowd_of_removed(struct view_kit *k)
{
        return crowd_of_nameless(false);
}

static int crowd_of_tmpfiles(struct view_kit *k)
{
        return crowd_of_nameless(true);
}

Test(view_open, ten_thousand_files_without_names, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt && ulimit -n 20000 && "
                       "nsmountfs src mnt -o idmap=0:0:2003,coherence=exclusive");
        view_do(&k, UINT32_MAX, crowd_of_removed);
        view_do(&k, UINT32_MAX, crowd_of_tmpfiles);
        nsm_world_must(k.w, "test -z \"$(ls -A src)\"");
}

/* How many descriptors of removed files the worker has, open (flags: 0...) or O_PATH (01...). */
static bool worker_has(struct view_kit *k, int open, int paths)
{
        const char *counts = nsm_world_must(
                k->w, "p=$(pgrep -f '^nsmountfs src mnt -o idmap=0:0:2003' | tail -n 1); o=0; n=0;"
                "for f in /proc/$p/fd/*; do case $(readlink $f) in */removed*deleted*) "
                "if grep -q '^flags:.*01[0-7]\\{7\\}$' /proc/$p/fdinfo/${f##*/}; then n=$((n+1));"
                "else o=$((o+1)); fi;; esac; done; echo $o $n");
        int o = -1, n = -1;

        return sscanf(counts, "%d %d", &o, &n) == 2 && o == open && n == paths;
}

struct descriptors {
        struct view_kit *kit;
        int open, paths;
};

static bool has_descriptors(void *arg)
{
        const struct descriptors *d = arg;

        return worker_has(d->kit, d->open, d->paths);
}

/* Open handles keep it; the last one that closes leaves what O_PATH descriptors need. */
static int close_before_path(struct view_kit *k)
{
        struct descriptors want = { k, 2, 0 };
        char path[40];
        struct stat st;

        int fd = open("removed", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        int other = open("removed", O_RDONLY | O_CLOEXEC);
        int kept = open("removed", O_PATH | O_CLOEXEC);
        CHECK(fd >= 0 && other >= 0 && kept >= 0 && write(fd, "x", 1) == 1);
        CHECK(unlink("removed") == 0 && has_descriptors(&want));
        CHECK(close(fd) == 0);
        want = (struct descriptors){ k, 1, 0 };
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_descriptors, &want));
        CHECK(fstat(kept, &st) == 0 && close(other) == 0);
        want = (struct descriptors){ k, 0, 1 };
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_descriptors, &want));
        snprintf(path, sizeof path, "/proc/self/fd/%d", kept);
        CHECK(chmod(path, 0640) == 0 && stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
        fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 1 && st.st_nlink == 0);
        CHECK(close(fd) == 0 && close(kept) == 0);
        want = (struct descriptors){ k, 0, 0 };
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_descriptors, &want));
        return 0;
}

Test(view_open, a_removed_file_outlives_its_last_close)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt && "
                       "nsmountfs src mnt -o idmap=0:0:2003,coherence=exclusive");
        view_do(&k, UINT32_MAX, close_before_path);
}
