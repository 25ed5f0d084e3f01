/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks as programs use them: waits and interruptions, many waiters, programs on the storage. */
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "tests/integration/view-kit.h"

static int lock_file(int fd, int cmd, short type)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_len = 10 };

        return fcntl(fd, cmd, &lock);
}

static int lock_in_child(const char *path, int (*fn)(int fd))
{
        pid_t pid = fork();
        int status = -1;

        if (pid == 0) {
                int fd = open(path, O_RDWR);
                _exit(fd < 0 ? 99 : fn(fd));
        }
        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int is_locked(int fd)
{
        return lock_file(fd, F_SETLK, F_WRLCK) < 0 && (errno == EAGAIN || errno == EACCES);
}

/* Beyond what lock_file() locks. */
static int is_locked_far(int fd)
{
        struct flock lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 1 };

        return fcntl(fd, F_SETLK, &lock) < 0 && errno == EAGAIN;
}

static int is_flocked(int fd)
{
        return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void on_alarm(int sig)
{
}

static int is_interrupted(int fd)
{
        struct sigaction sa = { .sa_handler = on_alarm };
        /* Again and again, in case the first comes before there is anything to interrupt. */
        struct itimerval in = { { .tv_usec = 100000 }, { .tv_usec = 100000 } };

        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &in, NULL);
        return lock_file(fd, F_SETLKW, F_WRLCK) < 0 && errno == EINTR;
}

static int waits_for_lock(int fd)
{
        return lock_file(fd, F_SETLKW, F_WRLCK) == 0 ? 42 : 1;
}

static int use_locks(struct view_kit *k)
{
        int fd = open("f", O_RDWR);

        CHECK(fd >= 0 && lock_file(fd, F_SETLK, F_WRLCK) == 0);
        CHECK(lock_in_child("f", is_locked) == 1);
        CHECK(lock_in_child("f", is_interrupted) == 1);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0 && lock_in_child("f", is_locked) == 0);
        CHECK(lock_file(fd, F_SETLK, F_WRLCK) == 0);
        pid_t pid = fork();
        if (pid == 0)
                _exit(waits_for_lock(open("f", O_RDWR)));
        CHECK(nsm_process_wait_asleep(pid, SYS_fcntl, NSM_HARNESS_LIMIT_MS));
        int status;
        CHECK(waitpid(pid, &status, WNOHANG) == 0);
        CHECK(close(fd) == 0); /* gives the lock back */
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 42);
        fd = open("f", O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0 && lock_in_child("f", is_flocked) == 1);
        CHECK(flock(fd, LOCK_UN) == 0 && lock_in_child("f", is_flocked) == 0);
        return 0;
}

/* A view's locks go with the last close of a file, which nobody waits for. */
static bool is_free(void *below)
{
        return lock_in_child(below, is_locked) == 0 && lock_in_child(below, is_flocked) == 0;
}

static int lock_against_storage(struct view_kit *k)
{
        char below[PATH_MAX];
        int fd = open("f", O_RDWR);

        snprintf(below, sizeof below, "%s/f", k->src);
        CHECK(fd >= 0 && lock_file(fd, F_SETLK, F_WRLCK) == 0 && flock(fd, LOCK_EX) == 0);
        CHECK(lock_in_child(below, is_locked) == 1 && lock_in_child(below, is_flocked) == 1);
        CHECK(close(fd) == 0 && nsm_wait_until(NSM_HARNESS_LIMIT_MS, is_free, below));
        /* The tenant's own locks of an open file description end with it. */
        fd = open("f", O_RDWR);
        CHECK(fd >= 0 && lock_file(fd, F_OFD_SETLK, F_WRLCK) == 0);
        CHECK(lock_in_child(below, is_locked) == 1 && close(fd) == 0);
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, is_free, below));
        return 0;
}

/* More waiters than threads serve: the others still get answers. */
static int wait_in_numbers(struct view_kit *k)
{
        pid_t pids[40];
        int fd = open("f", O_RDWR);

        CHECK(fd >= 0 && lock_file(fd, F_SETLK, F_WRLCK) == 0);
        for (int i = 0; i < 40; i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        int own = open("f", O_RDWR);
                        _exit(own < 0 ? 1 : waits_for_lock(own));
                }
        }
        for (int i = 0; i < 40; i++)
                CHECK(nsm_process_wait_asleep(pids[i], SYS_fcntl, NSM_HARNESS_LIMIT_MS));
        CHECK(write_text("meanwhile", "served") == 0 && has_text("meanwhile", "served"));
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0);
        for (int i = 0; i < 40; i++) {
                int status;
                CHECK(waitpid(pids[i], &status, 0) == pids[i] && WEXITSTATUS(status) == 42);
        }
        return 0;
}

struct locker {
        int fd, result;
        pid_t tid;
        pthread_barrier_t started;
};

static void *wait_in_thread(void *arg)
{
        struct locker *l = arg;

        l->tid = gettid();
        pthread_barrier_wait(&l->started);
        l->result = lock_file(l->fd, F_SETLKW, F_WRLCK) < 0 ? -errno : 0;
        return NULL;
}

/* A process that holds a lock until it is killed. */
static pid_t fork_holder(void)
{
        int ready[2];
        char byte;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return -1;
        pid_t pid = fork();
        if (pid == 0) {
                int fd = open("f", O_RDWR);
                if (fd < 0 || lock_file(fd, F_SETLK, F_WRLCK) < 0 || write(ready[1], "l", 1) != 1)
                        _exit(1);
                pause();
                _exit(0);
        }
        close(ready[1]);
        bool holds = read(ready[0], &byte, 1) == 1;
        close(ready[0]);
        return holds ? pid : -1;
}

/* A close takes what the process holds, and not what a thread of it still waits for. */
static int close_beside_a_waiter(struct view_kit *k)
{
        struct locker l = { .fd = open("f", O_RDWR | O_CLOEXEC), .result = 1 };
        int other = open("f", O_RDWR | O_CLOEXEC);
        struct flock held = { .l_type = F_WRLCK, .l_start = 100, .l_len = 1 };
        struct flock seen = { .l_type = F_RDLCK, .l_len = 1 };
        pthread_t thread;
        int status;

        pid_t pid = fork_holder();
        CHECK(l.fd >= 0 && other >= 0 && pid > 0 && fcntl(l.fd, F_SETLK, &held) == 0);
        CHECK(pthread_barrier_init(&l.started, NULL, 2) == 0);
        CHECK(pthread_create(&thread, NULL, wait_in_thread, &l) == 0);
        pthread_barrier_wait(&l.started);
        CHECK(nsm_process_wait_asleep(l.tid, SYS_fcntl, NSM_HARNESS_LIMIT_MS));
        CHECK(fcntl(other, F_GETLK, &seen) == 0 && seen.l_pid == pid);
        CHECK(lock_in_child("f", is_locked_far) == 1);
        CHECK(close(other) == 0 && lock_in_child("f", is_locked_far) == 0);
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
        CHECK(pthread_join(thread, NULL) == 0 && l.result == 0);
        CHECK(lock_in_child("f", is_locked) == 1);
        CHECK(close(l.fd) == 0 && lock_in_child("f", is_locked) == 0);
        return 0;
}

/* Who closes the very file through which it waits is told so, and holds nothing. */
static int close_what_is_waited_on(struct view_kit *k)
{
        struct locker l = { .fd = open("f", O_RDWR | O_CLOEXEC), .result = 1 };
        pthread_t thread;
        int status;

        pid_t pid = fork_holder();
        CHECK(l.fd >= 0 && pid > 0 && pthread_barrier_init(&l.started, NULL, 2) == 0);
        CHECK(pthread_create(&thread, NULL, wait_in_thread, &l) == 0);
        pthread_barrier_wait(&l.started);
        CHECK(nsm_process_wait_asleep(l.tid, SYS_fcntl, NSM_HARNESS_LIMIT_MS));
        CHECK(close(l.fd) == 0);
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
        CHECK(pthread_join(thread, NULL) == 0 && l.result == -EBADF);
        CHECK(lock_in_child("f", is_locked) == 0);
        return 0;
}

static bool is_new(void *path)
{
        return has_text(path, "new");
}

/* Who has a file open locks that one, whatever somebody else has put in its place. */
static int lock_what_was_replaced(struct view_kit *k)
{
        char seen[] = "f", new_one[PATH_MAX], below[PATH_MAX];
        int fd = open("f", O_RDWR | O_CLOEXEC);

        snprintf(new_one, sizeof new_one, "%s/new", k->src);
        snprintf(below, sizeof below, "%s/f", k->src);
        int old = open(below, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && old >= 0 && write_text(new_one, "new") == 0);
        CHECK(chmod(new_one, 0666) == 0 && rename(new_one, below) == 0);
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, is_new, seen));
        CHECK(lock_file(fd, F_SETLK, F_WRLCK) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
        CHECK(lock_file(old, F_OFD_SETLK, F_WRLCK) < 0 && errno == EAGAIN && is_flocked(old));
        CHECK(lock_in_child("f", is_locked) == 0 && lock_in_child("f", is_flocked) == 0);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0 && flock(fd, LOCK_UN) == 0);
        CHECK(lock_file(old, F_OFD_SETLK, F_WRLCK) == 0 && flock(old, LOCK_EX | LOCK_NB) == 0);
        CHECK(is_locked(fd) && is_flocked(fd));
        CHECK(close(old) == 0 && lock_file(fd, F_SETLK, F_WRLCK) == 0);
        CHECK(close(fd) == 0);
        return 0;
}

/* Not by its name: each close of the file would end the process's locks. */
static int set_flags(int fd, int flags)
{
        return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int is_locked_for_reading(int fd)
{
        return lock_file(fd, F_SETLK, F_RDLCK) < 0 && (errno == EAGAIN || errno == EACCES);
}

/* A file that may only grow, and whoever has opened it before it was one. */
static int lock_what_can_only_grow(struct view_kit *k)
{
        int before = open("f", O_RDWR | O_CLOEXEC);

        CHECK(before >= 0 && set_flags(before, FS_APPEND_FL) == 0);
        CHECK_ERR(open("f", O_RDWR | O_CLOEXEC), EPERM);
        int fd = open("f", O_RDWR | O_APPEND | O_CLOEXEC);
        CHECK(fd >= 0 && lock_file(fd, F_SETLK, F_WRLCK) == 0);
        CHECK(lock_in_child("f", is_locked_for_reading) == 99);
        CHECK(lock_file(before, F_OFD_SETLK, F_RDLCK) < 0 && errno == EAGAIN);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0);
        CHECK(lock_file(before, F_OFD_SETLK, F_WRLCK) == 0 && is_locked(fd));
        CHECK(lock_file(before, F_OFD_SETLK, F_UNLCK) == 0 && !is_locked(fd));
        CHECK(set_flags(before, 0) == 0 && lock_in_child("f", is_locked) == 1);
        CHECK(close(fd) == 0 && close(before) == 0);
        return 0;
}

/* A file that nobody can change can be locked for reading. */
static int lock_what_never_changes(struct view_kit *k)
{
        int fd = open("f", O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0 && set_flags(fd, FS_IMMUTABLE_FL) == 0);
        CHECK_ERR(open("f", O_RDWR | O_CLOEXEC), EPERM);
        CHECK(lock_file(fd, F_SETLK, F_RDLCK) == 0);
        CHECK_ERR(lock_file(fd, F_SETLK, F_WRLCK), EBADF);
        CHECK(set_flags(fd, 0) == 0 && lock_in_child("f", is_locked) == 1);
        CHECK(lock_in_child("f", is_locked_for_reading) == 0);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0 && lock_in_child("f", is_locked) == 0);
        CHECK(close(fd) == 0);
        return 0;
}

/* A write lock through what was open for writing before; other descriptions know of it. */
static int lock_what_was_writable(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), other = open("f", O_RDWR | O_CLOEXEC);

        CHECK(fd >= 0 && other >= 0 && set_flags(fd, FS_IMMUTABLE_FL) == 0);
        CHECK(lock_file(fd, F_SETLK, F_WRLCK) == 0);
        CHECK(lock_file(other, F_OFD_SETLK, F_WRLCK) < 0 && errno == EAGAIN);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0);
        CHECK(lock_file(other, F_OFD_SETLK, F_WRLCK) == 0 && is_locked(fd));
        CHECK(lock_file(other, F_OFD_SETLK, F_UNLCK) == 0);
        CHECK(lock_file(fd, F_SETLK, F_WRLCK) == 0 && set_flags(fd, 0) == 0);
        CHECK(lock_in_child("f", is_locked) == 1 && close(other) == 0);
        CHECK(lock_in_child("f", is_locked) == 0 && close(fd) == 0);
        return 0;
}

static int lock_error(int fd)
{
        errno = 0;
        lock_file(fd, F_SETLK, F_WRLCK);
        return errno;
}

/* What a view has not: locks of two owners, or of two descriptors, of an immutable file. */
static int lock_twice_what_was_writable(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), status;

        CHECK(fd >= 0 && set_flags(fd, FS_IMMUTABLE_FL) == 0);
        CHECK(lock_file(fd, F_SETLK, F_WRLCK) == 0);
        pid_t pid = fork();
        if (pid == 0)
                _exit(lock_error(fd));
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == ENOLCK);
        CHECK(lock_file(fd, F_SETLK, F_UNLCK) == 0);
        pid = fork();
        if (pid == 0)
                _exit(lock_error(fd));
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0);
        int reads = open("f", O_RDONLY | O_CLOEXEC);
        CHECK(reads >= 0 && lock_file(reads, F_SETLK, F_RDLCK) == 0);
        CHECK(lock_error(fd) == ENOLCK && lock_in_child("f", is_locked) == 99);
        CHECK(lock_file(reads, F_SETLK, F_UNLCK) == 0 && lock_error(fd) == 0);
        CHECK(set_flags(fd, 0) == 0 && close(fd) == 0);
        return 0;
}

/* The same on the storage, which shows what is expected, and in a view of it. */
static void on_both(struct view_kit *k, int (*fn)(struct view_kit *k))
{
        struct view_kit storage = *k;

        storage.mnt = k->src;
        view_do(&storage, UINT32_MAX, fn);
        view_do(k, UINT32_MAX, fn);
}

Test(view_lockers, files_that_a_process_closes)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        on_both(&k, close_beside_a_waiter);
        on_both(&k, close_what_is_waited_on);
}

Test(view_lockers, files_that_others_replace)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        on_both(&k, lock_what_was_replaced);
}

Test(view_lockers, files_that_cannot_be_opened_for_writing)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        on_both(&k, lock_what_can_only_grow);
        on_both(&k, lock_what_never_changes);
        on_both(&k, lock_what_was_writable);
        view_do(&k, UINT32_MAX, lock_twice_what_was_writable);
}

Test(view_lockers, locks_of_a_shared_view)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        view_do(&k, 0, use_locks);
        view_do(&k, UINT32_MAX, lock_against_storage);
        view_do(&k, 0, wait_in_numbers);
}

Test(view_lockers, locks_of_an_exclusive_view)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        view_do(&k, 0, use_locks);
}
