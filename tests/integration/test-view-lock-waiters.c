/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many who wait for the same lock of a shared view: each gets it, up to the limit. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "fs/view/limits.h"
#include "tests/integration/view-kit.h"

#define OF_FILE NSM_LOCK_WAITERS_OF_FILE_MAX
#define FLOCKS 200

struct waiter {
        const char *path;
        bool flock;
        pthread_t thread;
        int result; /* 0 or an errno */
        pid_t tid;
        pthread_barrier_t *started;
};

static int refused[2]; /* a pipe: a byte for each who must not wait */

/* As fcntl_locking(2) for all of the file. */
static int set_lock(int fd, int cmd, short type)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

        return fcntl(fd, cmd, &lock);
}

static void *wait_for_lock(void *arg)
{
        struct waiter *w = arg;
        int fd = open(w->path, O_RDWR | O_CLOEXEC);

        w->tid = gettid();
        pthread_barrier_wait(w->started);
        int r = fd < 0 ? -1 : w->flock ? flock(fd, LOCK_EX) : set_lock(fd, F_SETLKW, F_WRLCK);
        w->result = r < 0 ? errno : 0;
        if (w->result == ENOLCK && write(refused[1], "r", 1) != 1)
                abort();
        /* What a process holds goes with any of its descriptors; flock's must go. */
        if (w->flock)
                close(fd);
        return NULL;
}

/* Starts a waiter. */
static int start(struct waiter *w, const char *path, bool flock)
{
        pthread_barrier_t started;
        pthread_attr_t attr;

        *w = (struct waiter){ .path = path, .flock = flock, .result = -1, .started = &started };
        CHECK(pthread_barrier_init(&started, NULL, 2) == 0 && pthread_attr_init(&attr) == 0);
        CHECK(pthread_attr_setstacksize(&attr, 64 << 10) == 0);
        CHECK(pthread_create(&w->thread, &attr, wait_for_lock, w) == 0);
        pthread_barrier_wait(&started);
        CHECK(pthread_barrier_destroy(&started) == 0 && pthread_attr_destroy(&attr) == 0);
        return 0;
}

static int wait_asleep(const struct waiter *w)
{
        CHECK(nsm_process_wait_asleep(w->tid, w->flock ? SYS_flock : SYS_fcntl,
                                      NSM_HARNESS_LIMIT_MS));
        return 0;
}

static int finish(struct waiter *w)
{
        CHECK(pthread_join(w->thread, NULL) == 0);
        return w->result;
}

/* A process that has "f" and "g" locked until @ret_stop is closed. */
static int start_holder(pid_t *ret, int *ret_stop)
{
        int ready[2], stop[2];
        char byte;

        CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(stop, O_CLOEXEC) == 0);
        *ret = fork();
        if (*ret == 0) {
                int f = open("f", O_RDWR), g = open("g", O_RDWR);
                close(stop[1]);
                if (set_lock(f, F_SETLK, F_WRLCK) < 0 || flock(f, LOCK_EX) < 0 ||
                    set_lock(g, F_SETLK, F_WRLCK) < 0 || write(ready[1], "r", 1) != 1)
                        _exit(1);
                _exit(read(stop[0], &byte, 1) == 0 ? 0 : 2);
        }
        CHECK(close(ready[1]) == 0 && close(stop[0]) == 0 && read(ready[0], &byte, 1) == 1);
        *ret_stop = stop[1];
        return close(ready[0]);
}

static int end_holder(pid_t pid, int stop)
{
        int status;

        CHECK(close(stop) == 0 && waitpid(pid, &status, 0) == pid && status == 0);
        return 0;
}

static int wait_on_one_file(struct view_kit *k)
{
        static struct waiter all[OF_FILE + 1], other;
        int stop, n = 0;
        pid_t holder;
        char byte;

        CHECK(pipe2(refused, O_CLOEXEC) == 0 && start_holder(&holder, &stop) == 0);
        for (int i = 0; i <= OF_FILE; i++)
                CHECK(start(&all[i], "f", false) == 0);
        CHECK(read(refused[0], &byte, 1) == 1);
        /* Whom that does not concern. */
        CHECK(start(&other, "g", false) == 0 && wait_asleep(&other) == 0);
        CHECK(end_holder(holder, stop) == 0 && finish(&other) == 0);
        for (int i = 0; i <= OF_FILE; i++) {
                int r = finish(&all[i]);
                CHECK(r == 0 || r == ENOLCK);
                n += r == 0;
        }
        CHECK(n == OF_FILE);
        return close(refused[0]) + close(refused[1]);
}

static int wait_for_flock(struct view_kit *k)
{
        static struct waiter all[FLOCKS];
        pid_t holder;
        int stop;

        CHECK(start_holder(&holder, &stop) == 0);
        for (int i = 0; i < FLOCKS; i++)
                CHECK(start(&all[i], "f", true) == 0 && wait_asleep(&all[i]) == 0);
        CHECK(end_holder(holder, stop) == 0);
        for (int i = 0; i < FLOCKS; i++)
                CHECK(finish(&all[i]) == 0);
        return 0;
}

/* All that wait are killed with their process, and what they wait for stays free. */
static int wait_and_be_killed(struct view_kit *k)
{
        static struct waiter all[FLOCKS];
        int stop, status, fd = open("f", O_RDWR | O_CLOEXEC), ready[2];
        pid_t holder;
        char byte;

        CHECK(fd >= 0 && start_holder(&holder, &stop) == 0 && pipe2(ready, O_CLOEXEC) == 0);
        pid_t pid = fork();
        if (pid == 0) {
                for (int i = 0; i < FLOCKS; i++)
                        if (start(&all[i], "f", i % 2) != 0 || wait_asleep(&all[i]) != 0)
                                _exit(1);
                _exit(write(ready[1], "w", 1) == 1 && pause());
        }
        CHECK(close(ready[1]) == 0 && read(ready[0], &byte, 1) == 1);
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        CHECK(end_holder(holder, stop) == 0);
        CHECK(set_lock(fd, F_SETLKW, F_WRLCK) == 0 && flock(fd, LOCK_EX) == 0);
        close(ready[0]);
        return close(fd);
}

#define WAITERS_TEST(fn)                                                \
        Test(view_lock_waiters, fn##_)                                  \
        {                                                               \
                NSM_REQUIRE();                                          \
                cleanup_view_kit struct view_kit k = view_kit_new("");  \
                                                                        \
                nsm_world_must(k.w, "touch src/f src/g");               \
                view_do(&k, 0, fn);                                     \
        }

WAITERS_TEST(wait_on_one_file)
WAITERS_TEST(wait_for_flock)
WAITERS_TEST(wait_and_be_killed)
