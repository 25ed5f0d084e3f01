/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content, times, locks, read-only views, limits, and the program itself. */
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <time.h>

#include "tests/integration/view-kit.h"

static int use_data(struct view_kit *k)
{
        static char big[3 << 20], back[3 << 20];
        struct stat st;
        int fd = open("f", O_CREAT | O_RDWR, 0600);

        for (size_t i = 0; i < sizeof big; i++)
                big[i] = (char)(i * 31 + i / 4096);
        CHECK(fd >= 0 && pwrite(fd, big, sizeof big, 12345) == sizeof big);
        CHECK(pread(fd, back, sizeof back, 12345) == sizeof back);
        CHECK(memcmp(big, back, sizeof big) == 0);
        CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && fstat(fd, &st) == 0);
        CHECK(st.st_size == 12345 + (off_t)sizeof big);
        CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8 << 20, 4096) == 0);
        CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 65536) == 0);
        CHECK(pread(fd, back, 1, (1 << 20) + 5) == 1 && back[0] == 0);
        CHECK(lseek(fd, 1 << 20, SEEK_DATA) == (1 << 20) + 65536);
        CHECK(lseek(fd, 1 << 19, SEEK_HOLE) == 1 << 20);
        CHECK_ERR(lseek(fd, 100 << 20, SEEK_DATA), ENXIO);
        CHECK(ftruncate(fd, 100) == 0 && write_text("r", "long") == 0);
        int reader = open("r", O_RDONLY | O_TRUNC); /* truncates, on Linux */
        CHECK(reader >= 0 && fstat(reader, &st) == 0 && st.st_size == 0);
        CHECK( fstat(fd, &st) == 0 && st.st_size == 100);
        int other = open("g", O_CREAT | O_RDWR, 0600);
        off_t in = 0, out = 50;
        CHECK(copy_file_range(fd, &in, other, &out, 100, 0) == 100);
        CHECK(fstat(other, &st) == 0 && st.st_size == 150);
        return 0;
}

static int use_append_and_mmap(struct view_kit *k)
{
        int a = open("log", O_CREAT | O_WRONLY | O_APPEND, 0600);
        int b = open("log", O_RDWR);

        CHECK(a >= 0 && b >= 0 && write(a, "one\n", 4) == 4 && pwrite(b, "ONE", 3, 0) == 3);
        CHECK(write(a, "two\n", 4) == 4 && has_text("log", "ONE\ntwo\n"));
        char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, b, 0);
        CHECK(map != MAP_FAILED);
        memcpy(map, "map", 3);
        CHECK(close(b) == 0 && msync(map, 4096, MS_SYNC) == 0 && munmap(map, 4096) == 0);
        CHECK(write(a, "three\n", 6) == 6 && has_text("log", "map\ntwo\nthree\n"));
        int d = open("log", O_RDONLY | O_DIRECT);
        void *page = aligned_alloc(4096, 4096);
        CHECK(d >= 0 && page && pread(d, page, 4096, 0) == 14 && memcmp(page, "map", 3) == 0);
        return 0;
}

Test(view_data, reads_what_was_written)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, use_data);
        view_do(&k, 0, use_append_and_mmap);
        cr_assert_str_eq(nsm_world_must(k.w, "cat src/log"), "map\ntwo\nthree\n");
}

/* Times that a store through a mapping moves are seen at once, and stay. */
#define LIMIT_MS 30000

/* Attributes of what may be mapped are believed for a tick; the old ones are of the year 1970. */
static bool is_new(void *name)
{
        struct stat st;

        return stat(name, &st) == 0 && st.st_mtim.tv_sec != 1000;
}

static int use_times_of_a_mapping(struct view_kit *k)
{
        const struct timespec old[2] = { { 1000, 5 }, { 1000, 5 } };
        struct stat st;

        CHECK(write_text("mapped", "long enough") == 0 && stat("mapped", &st) == 0);
        int fd = open("mapped", O_RDWR);
        char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(fd >= 0 && map != MAP_FAILED && futimens(fd, old) == 0);
        CHECK(fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 1000);
        map[0] = 'L';
        CHECK(nsm_wait_until(LIMIT_MS, is_new, (char *)"mapped"));
        CHECK(munmap(map, 4096) == 0 && close(fd) == 0 && has_text("mapped", "Long enough"));
        CHECK(stat("mapped", &st) == 0 && st.st_mtim.tv_sec != 1000);
        return 0;
}

/* A mapping outlives the descriptor that it was made with, and so do stores through it. */
static int use_times_of_a_mapping_that_is_left(struct view_kit *k)
{
        const struct timespec old[2] = { { 1000, 5 }, { 1000, 5 } };
        struct stat st;

        CHECK(write_text("left", "long enough") == 0);
        int fd = open("left", O_RDWR);
        char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(fd >= 0 && map != MAP_FAILED && close(fd) == 0);
        /* The close is told later: sooner or later it has been. */
        for (int i = 0; i < 50; i++) {
                CHECK(utimensat(AT_FDCWD, "left", old, 0) == 0);
                CHECK(stat("left", &st) == 0 && st.st_mtim.tv_sec == 1000);
                CHECK(msync(map, 4096, MS_SYNC) == 0); /* the next store is a first one again */
                map[0] = (char)('A' + i % 26);
                CHECK(nsm_wait_until(LIMIT_MS, is_new, (char *)"left"));
        }
        return munmap(map, 4096);
}

/* What is asked for by a flag at the open, and taken back with fcntl(2), as dd(1) does. */
static int write_an_odd_end_past_the_cache(struct view_kit *k)
{
        char *page = aligned_alloc(4096, 4096);
        struct stat st;
        int fd = open("odd", O_CREAT | O_WRONLY | O_DIRECT, 0600);

        CHECK(page && fd >= 0);
        memset(page, 'd', 4096);
        CHECK(write(fd, page, 4096) == 4096);
        CHECK_ERR(write(fd, page, 100), EINVAL);
        CHECK(fcntl(fd, F_SETFL, 0) == 0 && write(fd, page, 100) == 100);
        CHECK(fstat(fd, &st) == 0 && st.st_size == 4196);
        free(page);
        return close(fd);
}

Test(view_data, passes_by_the_worker)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, use_times_of_a_mapping);
        view_do(&k, 0, use_times_of_a_mapping_that_is_left);
        view_do(&k, 0, write_an_odd_end_past_the_cache);
}

Test(view_data, reads_what_was_written_when_shared)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, use_data);
        view_do(&k, 0, use_append_and_mmap);
        /* Lines of two writers, one of them below, do not overwrite each other. */
        nsm_world_must(k.w, "for i in 1 2 3 4 5; do echo below >> src/log; echo above >> mnt/log;"
                       "done; test $(grep -c -x -e above -e below src/log) = 10");
}

static int set_times(struct view_kit *k)
{
        struct timespec t[2] = { { 1000, 5 }, { 0, UTIME_OMIT } };
        struct stat before, after;

        CHECK(write_text("t", "x") == 0 && symlink("t", "l") == 0 && stat("t", &before) == 0);
        CHECK(utimensat(AT_FDCWD, "t", t, 0) == 0 && stat("t", &after) == 0);
        CHECK(after.st_atim.tv_sec == 1000 && after.st_atim.tv_nsec == 5);
        CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
        t[0].tv_nsec = UTIME_OMIT;
        t[1].tv_nsec = UTIME_NOW;
        CHECK(utimensat(AT_FDCWD, "t", t, 0) == 0 && stat("t", &after) == 0);
        CHECK(after.st_atim.tv_sec == 1000 && after.st_mtim.tv_sec >= before.st_mtim.tv_sec);
        t[1] = (struct timespec){ 77, 0 };
        CHECK(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW) == 0 && lstat("l", &after) == 0);
        CHECK(after.st_mtim.tv_sec == 77 && stat("t", &after) == 0 && after.st_mtim.tv_sec != 77);
        struct statx stx;
        CHECK(statx(AT_FDCWD, "t", 0, STATX_BASIC_STATS | STATX_BTIME, &stx) == 0);
        struct statvfs stv;
        CHECK(statvfs(".", &stv) == 0 && stv.f_blocks > 0 && stv.f_namemax == 255);
        return 0;
}

Test(view_data, times_are_set_one_by_one)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, set_times);
}

static int change_nothing(struct view_kit *k)
{
        CHECK(has_text("f", "x"));
        CHECK_ERR(open("f", O_WRONLY), EROFS);
        CHECK_ERR(open("f", O_RDONLY | O_TRUNC), EROFS);
        CHECK_ERR(open("new", O_CREAT | O_WRONLY, 0600), EROFS);
        CHECK_ERR(mkdir("new", 0700), EROFS);
        CHECK_ERR(unlink("f"), EROFS);
        CHECK_ERR(rename("f", "g"), EROFS);
        CHECK_ERR(link("f", "g"), EROFS);
        CHECK_ERR(symlink("f", "g"), EROFS);
        CHECK_ERR(chmod("f", 0777), EROFS);
        CHECK_ERR(truncate("f", 0), EROFS);
        CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EROFS);
        return 0;
}

Test(view_data, read_only_is_read_only)
{
        NSM_REQUIRE();
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 .; mkdir src mnt; printf x > src/f; nsmountfs src mnt "
                       "-o ro,beside,idmap=0:%u:1000", k.base);
        view_do(&k, 0, change_nothing);
        view_do(&k, UINT32_MAX, change_nothing);
        /* Not the mount's flag alone: the superblock's, too. */
        nsm_world_must(k.w, "mount -o remount,bind,rw mnt");
        view_do(&k, 0, change_nothing);
        view_kit_free(&k);
}

/* ---- limits ---- */

/* A release is not waited for. */
static bool opens_again(void *unused)
{
        int fd = open("f", O_RDONLY);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static int fill_handles(struct view_kit *k)
{
        struct rlimit files = { 2048, 2048 };
        int fds[1024], n = 0;

        CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0 && write_text("f", "x") == 0);
        while (n < 1024 && (fds[n] = open("f", O_RDONLY)) >= 0)
                n++;
        CHECK(n > 100 && n < 1024 && errno == ENFILE);
        struct stat st;
        CHECK(stat("f", &st) == 0 && mkdir("d", 0700) == 0 && rmdir("d") == 0);
        while (n)
                close(fds[--n]);
        return nsm_wait_until(NSM_HARNESS_LIMIT_MS, opens_again, NULL) ? 0 : 1;
}

/* Far more removed inodes than may be pinned, none of them open. */
static int remove_many(struct view_kit *k)
{
        char name[32];

        CHECK(mkdir("m", 0700) == 0 && chdir("m") == 0);
        for (int i = 0; i < 3000; i++) {
                snprintf(name, sizeof name, "%d", i);
                CHECK(write_text(name, "x") == 0);
        }
        for (int i = 0; i < 3000; i++) {
                snprintf(name, sizeof name, "%d", i);
                CHECK(unlink(name) == 0);
        }
        return 0;
}

Test(view_data, limits_refuse_and_recover, .timeout = 280)
{
        NSM_REQUIRE();
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 .; mkdir -m 755 src mnt; ulimit -n 1024; nsmountfs src mnt "
                       "-o idmap=0:%u:1000", k.base);
        view_do(&k, 0, fill_handles);
        view_do(&k, 0, remove_many);
        view_kit_free(&k);
}

/* ---- many at once ---- */

static void *churn(void *arg)
{
        char dir[32], a[64], b[64];
        long bad = 0;
        int me = *(int *)arg;

        snprintf(dir, sizeof dir, "t%d", me % 3);
        for (int i = 0; i < 300; i++) {
                snprintf(a, sizeof a, "%s/%d-%d", dir, me, i);
                snprintf(b, sizeof b, "t%d/%d-%d-moved", (me + i) % 3, me, i);
                bad += write_text(a, "text") < 0;
                bad += rename(a, b) < 0;
                bad += !has_text(b, "text");
                bad += chmod(b, 0600) < 0;
                bad += unlink(b) < 0;
        }
        return bad ? arg : NULL;
}

static int churn_at_once(struct view_kit *k)
{
        pthread_t threads[8];
        int ids[8];

        for (int i = 0; i < 3; i++) {
                char dir[8];
                snprintf(dir, sizeof dir, "t%d", i);
                CHECK(mkdir(dir, 0700) == 0);
        }
        for (int i = 0; i < 8; i++) {
                ids[i] = i;
                CHECK(pthread_create(&threads[i], NULL, churn, &ids[i]) == 0);
        }
        for (int i = 0; i < 8; i++) {
                void *bad;
                CHECK(pthread_join(threads[i], &bad) == 0 && bad == NULL);
        }
        CHECK(rmdir("t0") == 0 && rmdir("t1") == 0 && rmdir("t2") == 0);
        return 0;
}

/* Directories move while files below them are used by inode. */
static void *move_directories(void *arg)
{
        _Atomic bool *stop = arg;
        long bad = 0;

        while (!*stop) {
                bad += rename("p/a", "q/a") < 0;
                bad += rename("q/a", "p/a") < 0;
        }
        return bad ? arg : NULL;
}

static int use_while_moving(struct view_kit *k)
{
        _Atomic bool stop = false;
        pthread_t mover;
        struct stat st;
        void *bad;

        CHECK(mkdir("p", 0700) == 0 && mkdir("q", 0700) == 0 && mkdir("p/a", 0700) == 0);
        CHECK(mkdir("p/a/b", 0700) == 0 && write_text("p/a/b/f", "x") == 0);
        int fd = open("p/a/b/f", O_RDWR), dir = open("p/a/b", O_PATH);
        CHECK(fd >= 0 && dir >= 0);
        CHECK(pthread_create(&mover, NULL, move_directories, &stop) == 0);
        for (int i = 0; i < 2000; i++) {
                CHECK(fchmod(fd, 0600 + i % 8) == 0 && fstat(fd, &st) == 0);
                CHECK(fstatat(dir, "f", &st, 0) == 0);
                int made = openat(dir, "g", O_CREAT | O_EXCL | O_WRONLY, 0600);
                CHECK(made >= 0 && close(made) == 0 && unlinkat(dir, "g", 0) == 0);
        }
        stop = true;
        CHECK(pthread_join(mover, &bad) == 0 && bad == NULL);
        return 0;
}

Test(view_data, many_threads_at_once, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, churn_at_once);
        view_do(&k, 0, use_while_moving);
}

Test(view_data, many_threads_at_once_when_shared, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, churn_at_once);
        view_do(&k, 0, use_while_moving);
}
