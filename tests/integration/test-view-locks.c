/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks: each case runs on the storage itself and on views of both kinds of
 * coherence, with the same expectations; and between a view and its storage.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/integration/view-kit.h"

#define LIMIT_MS 30000

/* A process that does what it is told by a pipe, one function at a time. */
struct peer {
        pid_t pid;
        int to, from;
};

struct order {
        int (*fn)(int fd, int arg);
        int fd, arg;
};

static struct peer new_peer(void)
{
        int to[2], from[2];
        struct peer p = { 0 };

        if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
                _exit(90);
        p.pid = fork();
        if (p.pid == 0) {
                struct order o;
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_DUMPABLE, 1); /* or nobody may look what it does */
                close(to[1]);
                while (read(to[0], &o, sizeof o) == sizeof o) {
                        int r = o.fn(o.fd, o.arg) < 0 ? -errno : 0;
                        if (write(from[1], &r, sizeof r) != sizeof r)
                                _exit(91);
                }
                _exit(0);
        }
        close(to[0]);
        close(from[1]);
        p.to = to[1];
        p.from = from[0];
        return p;
}

static void tell(const struct peer *p, int (*fn)(int, int), int fd, int arg)
{
        struct order o = { fn, fd, arg };

        if (write(p->to, &o, sizeof o) != sizeof o)
                _exit(92);
}

static int answer_of(const struct peer *p)
{
        int r;

        return read(p->from, &r, sizeof r) == sizeof r ? r : -ESRCH;
}

static int ask(const struct peer *p, int (*fn)(int, int), int fd, int arg)
{
        tell(p, fn, fd, arg);
        return answer_of(p);
}

static void end_peer(const struct peer *p)
{
        close(p->to);
        close(p->from);
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
}

static bool wait_asleep(const struct peer *p, long call)
{
        return nsm_process_wait_asleep(p->pid, call, LIMIT_MS);
}

/* The byte of a file that a peer locks or unlocks. */
static int change(int fd, int cmd, short type, int byte)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

        return fcntl(fd, cmd, &lock);
}

static int set_write(int fd, int byte) { return change(fd, F_SETLK, F_WRLCK, byte); }
static int set_read(int fd, int byte) { return change(fd, F_SETLK, F_RDLCK, byte); }
static int wait_write(int fd, int byte) { return change(fd, F_SETLKW, F_WRLCK, byte); }
static int unlock(int fd, int byte) { return change(fd, F_SETLK, F_UNLCK, byte); }
static int ofd_set(int fd, int byte) { return change(fd, F_OFD_SETLK, F_WRLCK, byte); }
static int ofd_wait(int fd, int byte) { return change(fd, F_OFD_SETLKW, F_WRLCK, byte); }
static int bsd_set(int fd, int op) { return flock(fd, op | LOCK_NB); }
static int bsd_wait(int fd, int op) { return flock(fd, op); }
static int close_it(int fd, int arg) { return close(fd); }
static int reopen(int fd, int arg)
{
        int made = open("f", O_RDWR | O_CLOEXEC);

        if (made < 0 || made == fd)
                return made;
        return dup2(made, fd) < 0 ? -1 : close(made);
}

/* ---- what a process holds ---- */

static int ranges_split_and_join(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC);
        struct flock all = { .l_type = F_WRLCK };
        struct peer p = new_peer();

        CHECK(fd >= 0 && fcntl(fd, F_SETLK, &all) == 0);
        CHECK(ask(&p, set_write, fd, 5) == -EAGAIN);
        CHECK(unlock(fd, 5) == 0 && ask(&p, set_write, fd, 5) == 0);
        CHECK(ask(&p, set_write, fd, 4) == -EAGAIN && ask(&p, set_write, fd, 6) == -EAGAIN);
        CHECK(set_read(fd, 4) == 0 && ask(&p, set_read, fd, 4) == 0);
        CHECK_ERR(set_write(fd, 4), EAGAIN);
        CHECK(ask(&p, unlock, fd, 4) == 0 && set_write(fd, 4) == 0);
        end_peer(&p);
        CHECK(set_write(fd, 5) == 0);
        return 0;
}

static int tells_who_holds_what(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC);
        struct flock lock = { .l_type = F_RDLCK, .l_start = 3, .l_len = 40 };
        struct flock mine = { .l_type = F_WRLCK, .l_start = 10, .l_len = 20 };
        struct peer p = new_peer();

        CHECK(fd >= 0 && fcntl(fd, F_SETLK, &mine) == 0);
        CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
        CHECK(ask(&p, set_write, fd, 50) == 0 && ask(&p, set_read, fd, 51) == 0);
        lock = (struct flock){ .l_type = F_RDLCK };
        CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK);
        CHECK(lock.l_start == 50 && lock.l_len == 1 && lock.l_pid == p.pid);
        lock = (struct flock){ .l_type = F_RDLCK, .l_start = 51 };
        CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
        lock = (struct flock){ .l_type = F_WRLCK, .l_start = 51, .l_len = 100 };
        CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_RDLCK && lock.l_pid == p.pid);
        CHECK(lock.l_start == 51 && lock.l_len == 1 && lock.l_whence == SEEK_SET);
        end_peer(&p);
        return 0;
}

/* ---- their end ---- */

static int any_close_ends_a_process_s_locks(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), other = open("f", O_RDONLY | O_CLOEXEC);
        struct peer p = new_peer();

        CHECK(fd >= 0 && other >= 0 && set_write(fd, 0) == 0);
        CHECK(ask(&p, set_write, fd, 0) == -EAGAIN);
        CHECK(ask(&p, close_it, other, 0) == 0 && ask(&p, set_write, fd, 0) == -EAGAIN);
        CHECK(close(other) == 0 && ask(&p, set_write, fd, 0) == 0);
        end_peer(&p);
        CHECK(set_write(fd, 0) == 0);
        return 0;
}

static int the_end_of_a_process_ends_its_locks(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC);
        struct peer holder = new_peer(), heir = new_peer();

        CHECK(fd >= 0 && ask(&holder, reopen, fd, 0) == 0 && ask(&heir, reopen, fd, 0) == 0);
        CHECK(ask(&holder, set_write, fd, 0) == 0 && ask(&holder, bsd_set, fd, LOCK_EX) == 0);
        tell(&heir, wait_write, fd, 0);
        CHECK(wait_asleep(&heir, SYS_fcntl));
        end_peer(&holder);
        CHECK(answer_of(&heir) == 0 && ask(&heir, bsd_wait, fd, LOCK_EX) == 0);
        end_peer(&heir);
        return 0;
}

/* Of an open file description: shared by a fork, ended by its last close. */
static int open_files_have_locks_of_their_own(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), other = open("f", O_RDWR | O_CLOEXEC);
        struct peer p = new_peer();

        CHECK(fd >= 0 && other >= 0 && ofd_set(fd, 0) == 0);
        CHECK_ERR(ofd_set(other, 0), EAGAIN);
        CHECK_ERR(set_write(fd, 0), EAGAIN);
        CHECK(ask(&p, ofd_set, fd, 0) == 0 && ask(&p, ofd_set, other, 0) == -EAGAIN);
        CHECK(close(fd) == 0 && ask(&p, ofd_set, other, 0) == -EAGAIN);
        tell(&p, close_it, fd, 0);
        CHECK(ofd_wait(other, 0) == 0 && answer_of(&p) == 0);
        end_peer(&p);
        return 0;
}

/* ---- waiting ---- */

static int bsd_locks_convert(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), other = open("f", O_RDWR | O_CLOEXEC);
        struct peer p = new_peer();

        CHECK(fd >= 0 && other >= 0 && bsd_set(fd, LOCK_SH) == 0 && bsd_set(other, LOCK_SH) == 0);
        CHECK_ERR(bsd_set(fd, LOCK_EX), EWOULDBLOCK);
        CHECK(bsd_set(other, LOCK_UN) == 0 && bsd_set(fd, LOCK_EX) == 0);
        tell(&p, bsd_wait, other, LOCK_SH);
        CHECK(wait_asleep(&p, SYS_flock));
        CHECK(set_write(fd, 0) == 0); /* the two kinds do not know each other */
        CHECK(bsd_set(fd, LOCK_UN) == 0 && answer_of(&p) == 0);
        end_peer(&p);
        return 0;
}

/* Each of @n processes holds a byte and wants the next one's: one of them is refused. */
static int circle_of(int n)
{
        int fd = open("f", O_RDWR | O_CLOEXEC);
        struct peer peers[8];
        int refused = 0;

        CHECK(fd >= 0);
        for (int i = 0; i < n; i++) {
                peers[i] = new_peer();
                CHECK(ask(&peers[i], set_write, fd, i) == 0);
        }
        for (int i = 0; i < n; i++)
                tell(&peers[i], wait_write, fd, (i + 1) % n);
        for (int i = n - 1, left = n; left; i = (i + n - 1) % n) {
                struct timeval none = { .tv_usec = 1000 };
                fd_set ready;

                FD_ZERO(&ready);
                if (peers[i].from >= 0)
                        FD_SET(peers[i].from, &ready);
                if (peers[i].from < 0 || select(1024, &ready, NULL, NULL, &none) != 1)
                        continue;
                int r = answer_of(&peers[i]);
                CHECK(r == 0 || r == -EDEADLK);
                refused += r == -EDEADLK;
                end_peer(&peers[i]); /* gives way to the one before it */
                peers[i].from = -1;
                left--;
        }
        CHECK(refused == 1);
        return 0;
}

static int circles_are_refused(struct view_kit *k)
{
        for (int n = 2; n <= 5; n++)
                CHECK(circle_of(n) == 0);
        return 0;
}

/* Which of two answers first. */
static const struct peer *first_of(const struct peer *a, const struct peer *b)
{
        struct pollfd polls[] = { { a->from, POLLIN, 0 }, { b->from, POLLIN, 0 } };

        while (poll(polls, 2, -1) < 0)
                ;
        return polls[0].revents ? a : b;
}

/*
 * The same through two files, and a queue that is no circle. Of those in the
 * circle the one is refused whose request comes last.
 */
static int queues_are_not_refused(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), other = open("g", O_RDWR | O_CLOEXEC);
        struct peer a = new_peer(), b = new_peer(), c = new_peer();

        CHECK(fd >= 0 && other >= 0);
        CHECK(ask(&a, set_write, fd, 0) == 0 && ask(&b, set_write, other, 0) == 0);
        tell(&b, wait_write, fd, 0);
        CHECK(wait_asleep(&b, SYS_fcntl));
        tell(&c, wait_write, fd, 0);
        CHECK(wait_asleep(&c, SYS_fcntl));
        CHECK(ask(&a, set_write, other, 1) == 0);
        tell(&a, wait_write, other, 0);
        const struct peer *next = first_of(&a, &b);
        CHECK(answer_of(next) == -EDEADLK);
        if (next == &b) {
                CHECK(ask(&b, unlock, other, 0) == 0 && answer_of(&a) == 0);
                CHECK(ask(&a, unlock, fd, 0) == 0 && answer_of(&c) == 0);
        } else { /* those who wait for one lock get it in any order */
                CHECK(ask(&a, unlock, fd, 0) == 0);
                next = first_of(&b, &c);
                CHECK(answer_of(next) == 0 && ask(next, unlock, fd, 0) == 0);
                CHECK(answer_of(next == &b ? &c : &b) == 0);
        }
        end_peer(&a);
        end_peer(&b);
        end_peer(&c);
        return 0;
}

static void nothing(int sig)
{
}

static int catch_signal(int fd, int arg)
{
        struct sigaction sa = { .sa_handler = nothing };

        return sigaction(SIGUSR1, &sa, NULL);
}

static int waiters_are_interrupted(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC);

        CHECK(fd >= 0 && set_write(fd, 0) == 0 && bsd_set(fd, LOCK_EX) == 0);
        for (int i = 0; i < 20; i++) {
                struct peer p = new_peer();

                CHECK(ask(&p, reopen, fd, 0) == 0 && ask(&p, catch_signal, 0, 0) == 0);
                tell(&p, i % 2 ? wait_write : bsd_wait, fd, i % 2 ? 0 : LOCK_EX);
                CHECK(wait_asleep(&p, i % 2 ? SYS_fcntl : SYS_flock));
                CHECK(kill(p.pid, SIGUSR1) == 0 && answer_of(&p) == -EINTR);
                tell(&p, i % 2 ? wait_write : bsd_wait, fd, i % 2 ? 0 : LOCK_EX);
                CHECK(wait_asleep(&p, i % 2 ? SYS_fcntl : SYS_flock));
                end_peer(&p); /* by SIGKILL, and it is gone */
        }
        CHECK(unlock(fd, 0) == 0 && set_write(fd, 0) == 0);
        return 0;
}

/* A lease of the kernel's own: whoever opens the file below does not end it. */
static int leases_are_broken_by_who_opens(struct view_kit *k)
{
        int fd = open("f", O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0 && signal(SIGIO, nothing) != SIG_ERR);
        CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_GETLEASE) == F_RDLCK);
        CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK | O_CLOEXEC), EWOULDBLOCK);
        CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK && fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
        int other = open("f", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        CHECK(other >= 0);
        CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
        return 0;
}

static void everywhere(int (*fn)(struct view_kit *k))
{
        cleanup_view_kit struct view_kit shared = view_kit_new("");
        cleanup_view_kit struct view_kit exclusive = view_kit_new(",coherence=exclusive");
        struct view_kit storage = shared;

        nsm_world_must(shared.w, "touch src/f src/g; chmod 666 src/f src/g");
        nsm_world_must(exclusive.w, "touch src/f src/g; chmod 666 src/f src/g");
        storage.mnt = storage.src;
        view_do(&storage, UINT32_MAX, fn);
        view_do(&shared, 0, fn);
        view_do(&exclusive, 0, fn);
}

#define LOCK_TEST(fn)                          \
        Test(view_locks, fn, .timeout = 120)   \
        {                                      \
                NSM_REQUIRE();                 \
                everywhere(fn);                \
        }

LOCK_TEST(ranges_split_and_join)
LOCK_TEST(tells_who_holds_what)
LOCK_TEST(any_close_ends_a_process_s_locks)
LOCK_TEST(the_end_of_a_process_ends_its_locks)
LOCK_TEST(open_files_have_locks_of_their_own)
LOCK_TEST(bsd_locks_convert)
LOCK_TEST(circles_are_refused)
LOCK_TEST(queues_are_not_refused)
LOCK_TEST(waiters_are_interrupted)
LOCK_TEST(leases_are_broken_by_who_opens)

/* ---- a view and its storage ---- */

static int share_with_storage(struct view_kit *k)
{
        char below[PATH_MAX];
        int fd = open("f", O_RDWR | O_CLOEXEC);
        struct flock lock = { .l_type = F_RDLCK, .l_start = 3, .l_len = 40 };

        snprintf(below, sizeof below, "%s/f", k->src);
        int under = open(below, O_RDWR | O_CLOEXEC);
        struct peer p = new_peer(), q = new_peer();
        CHECK(fd >= 0 && under >= 0 && ask(&p, set_write, under, 7) == 0);
        CHECK_ERR(set_write(fd, 7), EAGAIN);
        CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK);
        CHECK(lock.l_start == 7 && lock.l_len == 1 && lock.l_pid == 0);
        tell(&q, wait_write, fd, 7);
        CHECK(wait_asleep(&q, SYS_fcntl));
        CHECK(ask(&p, unlock, under, 7) == 0 && answer_of(&q) == 0);
        tell(&p, wait_write, under, 7);
        CHECK(wait_asleep(&p, SYS_fcntl));
        end_peer(&q);
        CHECK(answer_of(&p) == 0 && ask(&p, bsd_set, under, LOCK_EX) == 0);
        CHECK_ERR(bsd_set(fd, LOCK_SH), EWOULDBLOCK);
        end_peer(&p);
        CHECK(close(under) == 0 && bsd_set(fd, LOCK_EX) == 0);
        return 0;
}

/* Many ranges of one process end with an error, and can be given back. */
static int fill_ranges(struct view_kit *k)
{
        int fd = open("f", O_RDWR | O_CLOEXEC), n = 0;
        struct flock all = { .l_type = F_UNLCK };

        CHECK(fd >= 0);
        while (n < 10000 && set_write(fd, 2 * n) == 0)
                n++;
        CHECK(n == 4096 && errno == ENOLCK);
        CHECK(unlock(fd, 0) == 0 && set_write(fd, 2 * n) == 0);
        CHECK(fcntl(fd, F_SETLK, &all) == 0 && set_write(fd, 2 * n) == 0);
        return 0;
}

Test(view_locks, are_the_storage_s)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; chmod 666 src/f");
        view_do(&k, UINT32_MAX, share_with_storage);
        view_do(&k, 0, fill_ranges);
}
