/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks that others on the storage see: POSIX locks by owner (fs/view/locks.h),
 * BSD locks on the handle itself. Whoever has to wait gets a thread of its own,
 * of which there are NSM_LOCK_WAITERS_MAX: the threads that serve never wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>

#include "fs/base/cleanup.h"
#include "fs/ops/ops.h"
#include "fs/view/lock-waits.h"

#define STACK_SIZE ((size_t)64 << 10)
/* How often, and how long in between, a waiter is told that it is interrupted: for 10 s. */
#define INTERRUPT_ROUNDS 1000
#define INTERRUPT_PAUSE_MIN_NSEC 100000
#define INTERRUPT_PAUSE_MAX_NSEC 10000000

struct waiter {
        struct waiter *next;
        uint64_t node;
        fuse_req_t req;
        struct nsm_fs *fs;
        struct nsm_lock_owner *owner; /* of a POSIX lock, with a reference; NULL: BSD lock */
        int fd;
        struct flock lock;
        int op; /* of flock(2) */
        pthread_t thread;
        _Atomic bool interrupted;
        _Atomic bool returned; /* from the system call, for good */
};

/* -EAGAIN: it is somebody else's. */
static int try_lock(struct waiter *w)
{
        if (w->owner)
                return nsm_lock_set(w->fs->locks, w->owner, &w->lock);
        return flock(w->fd, w->op | LOCK_NB) < 0 ? -errno : 0;
}

static int wait_once(struct waiter *w)
{
        if (w->owner)
                return nsm_lock_wait(w->fs->locks, w->owner, &w->lock);
        return flock(w->fd, w->op) < 0 ? -errno : 0;
}

/*
 * Signals again and again: one that comes just before the system call is lost,
 * and how long a thread may stand there depends on the machine.
 */
static void interrupt(fuse_req_t req, void *data)
{
        struct waiter *w = data;
        struct timespec pause = { .tv_nsec = INTERRUPT_PAUSE_MIN_NSEC };

        atomic_store(&w->interrupted, true);
        if (pthread_equal(w->thread, pthread_self()))
                return; /* it came before the wait has begun */
        for (int i = 0; i < INTERRUPT_ROUNDS && !atomic_load(&w->returned); i++) {
                pthread_kill(w->thread, SIGUSR1);
                nanosleep(&pause, NULL);
                if (pause.tv_nsec < INTERRUPT_PAUSE_MAX_NSEC)
                        pause.tv_nsec += pause.tv_nsec / 8;
        }
}

unsigned nsm_lock_waiters(struct nsm_fs *fs)
{
        pthread_mutex_lock(&fs->waiters.lock);
        unsigned n = fs->waiters.n;
        pthread_mutex_unlock(&fs->waiters.lock);
        return n;
}

/* -ENOLCK: too many wait already, in all or on this file. */
static int list(struct waiter *w)
{
        struct nsm_lock_waiters *all = &w->fs->waiters;
        unsigned of_file = 0;

        pthread_mutex_lock(&all->lock);
        for (const struct waiter *i = all->first; i; i = i->next)
                of_file += i->node == w->node;
        bool room = all->n < NSM_LOCK_WAITERS_MAX && of_file < NSM_LOCK_WAITERS_OF_FILE_MAX;
        if (room) {
                w->next = all->first;
                all->first = w;
                all->n++;
        }
        pthread_mutex_unlock(&all->lock);
        return room ? 0 : -ENOLCK;
}

static void unlist(struct waiter *w)
{
        struct nsm_lock_waiters *all = &w->fs->waiters;

        pthread_mutex_lock(&all->lock);
        struct waiter **at = &all->first;
        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        all->n--;
        pthread_mutex_unlock(&all->lock);
}

static int wait_until_done(struct waiter *w)
{
        struct nsm_lock_wait wait;
        int r = w->owner ? nsm_lock_begin_wait(w->fs->locks, &wait, w->owner, &w->lock) : 0;

        if (r < 0)
                return r;
        r = -EINTR;
        while (r == -EINTR && !atomic_load(&w->interrupted))
                r = wait_once(w);
        atomic_store(&w->returned, true);
        if (w->owner)
                nsm_lock_end_wait(w->fs->locks, &wait);
        return r;
}

static void *wait_for_lock(void *arg)
{
        struct waiter *w = arg;
        struct nsm_fs *fs = w->fs;

        w->thread = pthread_self();
        fuse_req_interrupt_func(w->req, interrupt, w);
        int r = wait_until_done(w);
        atomic_store(&w->returned, true);
        fuse_req_interrupt_func(w->req, NULL, NULL);
        if (w->owner)
                nsm_locks_put(fs->locks, w->owner);
        nsm_reply(w->req, r);
        unlist(w);
        free(w);
        return NULL;
}

static int start_thread(struct waiter *w)
{
        pthread_attr_t attr;
        pthread_t thread;
        int r = -pthread_attr_init(&attr);

        if (r < 0)
                return r;
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        r = -pthread_create(&thread, &attr, wait_for_lock, w);
        pthread_attr_destroy(&attr);
        return r == -EAGAIN ? -ENOLCK : r; /* EAGAIN would say that somebody else has it */
}

/* Hands a request over to a thread that waits. 0: it will reply, and has the reference. */
static int start_waiter(const struct waiter *what)
{
        cleanup_free struct waiter *w = malloc(sizeof *w);

        if (!w)
                return -ENOMEM;
        *w = *what;
        int r = list(w);
        if (r < 0)
                return r;
        r = start_thread(w);
        if (r < 0)
                unlist(w);
        else
                nsm_take_ptr(w);
        return r;
}

/* Locks at once, or leaves the waiting to a thread. Replies; the reference is taken. */
static void lock_and_reply(struct waiter *w, bool sleep)
{
        int r = try_lock(w);

        if (r == -EAGAIN && sleep) {
                r = start_waiter(w);
                if (r == 0)
                        return;
        }
        if (w->owner)
                nsm_locks_put(w->fs->locks, w->owner);
        nsm_reply(w->req, r);
}

static int get_owner(struct nsm_fs *fs, fuse_ino_t node, const struct fuse_file_info *fi,
                     struct nsm_lock_owner **ret)
{
        int fd = nsm_handle_fd(fs->view, fi);

        if (fd < 0)
                return fd;
        if (!nsm_thread_get(fs->view))
                return -errno;
        return nsm_locks_get(fs->locks, node, fi->lock_owner, fi->fh, fd, ret);
}

void nsm_op_setlk(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, struct flock *lock,
                  int sleep)
{
        struct waiter w = { .node = node, .req = req, .fs = nsm_fs_of(req), .lock = *lock };
        int r = 0;

        if (lock->l_type == F_UNLCK) {
                w.owner = nsm_locks_find(w.fs->locks, node, fi->lock_owner);
                if (!w.owner) {
                        nsm_reply(req, 0);
                        return;
                }
        } else {
                r = get_owner(w.fs, node, fi, &w.owner);
        }
        if (r < 0)
                nsm_reply(req, r);
        else
                lock_and_reply(&w, sleep);
}

void nsm_op_getlk(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, struct flock *lock)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        struct nsm_lock_owner *owner = NULL;
        int r = get_owner(fs, node, fi, &owner);

        if (r == 0) {
                r = nsm_lock_test(fs->locks, owner, lock);
                nsm_locks_put(fs->locks, owner);
        }
        if (r < 0)
                nsm_reply(req, r);
        else
                fuse_reply_lock(req, lock);
}

void nsm_op_flock(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, int op)
{
        struct waiter w = { .node = node, .req = req, .fs = nsm_fs_of(req), .op = op & ~LOCK_NB };

        w.fd = nsm_handle_fd(w.fs->view, fi);
        if (w.fd < 0)
                nsm_reply(req, w.fd);
        else
                lock_and_reply(&w, !(op & LOCK_NB));
}
