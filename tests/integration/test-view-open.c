/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many open files in a view: up to the worker's descriptors, and past them. */
#include <dirent.h>
#include <sys/resource.h>

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
        nsm_world_must(k.w, "%s nsmountfs src mnt -o idmap=0:0:2000,coherence=%s", prefix,
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

/* A file without a name has a descriptor for itself, which it needs no more when it gets one. */
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
                       "nsmountfs src mnt -o idmap=0:0:2000,coherence=exclusive");
        view_do(&k, UINT32_MAX, name_nameless);
}
