/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/locks-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/base/cleanup.h"
#include "fs/view/thread.h"

static void free_owner(struct nsm_lock_owner *owner)
{
        nsm_close_fd(owner->fd);
        nsm_ranges_clear(&owner->ranges);
        pthread_mutex_destroy(&owner->busy);
        free(owner);
}

int nsm_locks_new(struct nsm_view *view, struct nsm_locks **ret)
{
        struct nsm_locks *locks = calloc(1, sizeof *locks);

        if (!locks)
                return -ENOMEM;
        locks->view = view;
        pthread_mutex_init(&locks->lock, NULL);
        *ret = locks;
        return 0;
}

void nsm_locks_free(struct nsm_locks *locks)
{
        if (!locks)
                return;
        for (unsigned b = 0; b < NSM_LOCKS_BUCKETS; b++) {
                while (locks->buckets[b]) {
                        struct nsm_lock_owner *o = locks->buckets[b];
                        locks->buckets[b] = o->next;
                        free_owner(o);
                }
        }
        pthread_mutex_destroy(&locks->lock);
        free(locks);
}

/* The place that points to such an owner, or to the end of its list. Under the lock. */
static struct nsm_lock_owner **place_of(struct nsm_locks *locks, uint64_t node, uint64_t owner)
{
        struct nsm_lock_owner **at = &locks->buckets[(node ^ owner ^ owner >> 32) % NSM_LOCKS_BUCKETS];

        while (*at && ((*at)->node != node || (*at)->owner != owner))
                at = &(*at)->next;
        return at;
}

struct nsm_lock_owner *nsm_locks_find(struct nsm_locks *locks, uint64_t node, uint64_t owner)
{
        pthread_mutex_lock(&locks->lock);
        struct nsm_lock_owner *found = *place_of(locks, node, owner);
        if (found)
                found->refs++;
        pthread_mutex_unlock(&locks->lock);
        return found;
}

/*
 * What the open file is, whatever its names lead to now: for both kinds of lock
 * where that can be, an append-only file's way if need be.
 */
static int open_again(const struct nsm_locks *locks, int known)
{
        struct nsm_fd_path path = nsm_fd_path(known);
        const int ways[] = { O_RDWR, O_RDWR | O_APPEND, O_RDONLY };
        int fd = -1;

        for (int i = locks->view->config.read_only ? 2 : 0; i < 3; i++) {
                fd = open(path.text, ways[i] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                /* EAGAIN: somebody on the storage has a lease, so nobody writes. */
                if (fd >= 0 || (errno != EPERM && errno != EROFS && errno != ETXTBSY &&
                                errno != EAGAIN))
                        break;
        }
        return fd < 0 ? -errno : fd;
}

static bool is_writable(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/*
 * Nobody can open an immutable file for writing again. Who has had it open so
 * since before locks through that description itself, which can be lent to one.
 */
static int open_for_locks(const struct nsm_locks *locks, int known, int *ret, bool *ret_lent)
{
        cleanup_fd int fd = open_again(locks, known);

        if (fd < 0)
                return fd;
        bool lend = !is_writable(fd) && is_writable(known);
        if (lend) {
                int lent = fcntl(known, F_DUPFD_CLOEXEC, 0);
                if (lent < 0)
                        return -errno;
                nsm_close_fd(fd);
                fd = lent;
        }
        *ret = nsm_take_fd(&fd);
        *ret_lent = lend;
        return 0;
}

/* Whether somebody locks through the very description of an open file. Under the lock. */
static bool is_lent(const struct nsm_locks *locks, uint64_t node, uint64_t handle)
{
        for (unsigned b = 0; b < NSM_LOCKS_BUCKETS; b++)
                for (struct nsm_lock_owner *o = locks->buckets[b]; o; o = o->next)
                        if (o->lent && o->node == node && o->handle == handle)
                                return true;
        return false;
}

int nsm_locks_get(struct nsm_locks *locks, uint64_t node, uint64_t owner, uint64_t handle,
                  int handle_fd, struct nsm_lock_owner **ret)
{
        cleanup_fd int fd = -1;
        bool lent = false;

        struct nsm_lock_owner *known = nsm_locks_find(locks, node, owner);
        if (known) {
                pthread_mutex_lock(&locks->lock);
                known->process |= known->handle != handle;
                pthread_mutex_unlock(&locks->lock);
                *ret = known;
                return 0;
        }
        int r = open_for_locks(locks, handle_fd, &fd, &lent);
        if (r < 0)
                return r;
        cleanup_free struct nsm_lock_owner *made = calloc(1, sizeof *made);
        if (!made)
                return -ENOMEM;
        pthread_mutex_lock(&locks->lock);
        struct nsm_lock_owner **at = place_of(locks, node, owner);
        if (!*at && (locks->count >= locks->view->limits.lock_owners ||
                     (lent && is_lent(locks, node, handle)))) {
                r = -ENOLCK;
        } else if (!*at) {
                *made = (struct nsm_lock_owner){ .node = node, .owner = owner, .handle = handle,
                                                 .fd = nsm_take_fd(&fd), .lent = lent,
                                                 .busy = PTHREAD_MUTEX_INITIALIZER };
                *at = nsm_take_ptr(made);
                locks->count++;
        }
        if (r == 0) {
                (*at)->refs++;
                (*at)->process |= (*at)->handle != handle;
                *ret = *at;
        }
        pthread_mutex_unlock(&locks->lock);
        return r;
}

/* Whoever neither holds nor wants anything is forgotten, whatever of it was closed when. */
void nsm_locks_put(struct nsm_locks *locks, struct nsm_lock_owner *owner)
{
        pthread_mutex_lock(&locks->lock);
        bool done = --owner->refs == 0 && !owner->ranges.n;
        if (done) {
                *place_of(locks, owner->node, owner->owner) = owner->next;
                locks->count--;
        }
        pthread_mutex_unlock(&locks->lock);
        if (done)
                free_owner(owner);
}

static int change_storage(const struct nsm_lock_owner *owner, int cmd, struct flock lock)
{
        lock.l_pid = 0; /* as F_OFD_* wants it */
        if (fcntl(owner->fd, cmd, &lock) == 0)
                return 0;
        /* The caller's file is open for it, as the kernel has found: it is this one that is not. */
        return errno == EBADF ? -ENOLCK : -errno;
}

static int reserve(struct nsm_locks *locks, struct nsm_lock_owner *owner,
                   const struct nsm_range *range)
{
        pthread_mutex_lock(&locks->lock);
        int r = nsm_ranges_reserve(&owner->ranges, range, NSM_LOCK_RANGES_MAX);
        pthread_mutex_unlock(&locks->lock);
        return r;
}

static void write_down(struct nsm_locks *locks, struct nsm_lock_owner *owner,
                       const struct nsm_range *range, pid_t pid)
{
        pthread_mutex_lock(&locks->lock);
        nsm_ranges_set(&owner->ranges, range);
        if (range->type != F_UNLCK)
                owner->pid = pid;
        pthread_mutex_unlock(&locks->lock);
}

/* Locks on the storage, and writes it down. Room was reserved, or promised. Under @busy. */
static int change(struct nsm_locks *locks, struct nsm_lock_owner *owner, const struct flock *lock)
{
        struct nsm_range range = nsm_range_of(lock);

        int r = change_storage(owner, F_OFD_SETLK, *lock);
        if (r == 0)
                write_down(locks, owner, &range, lock->l_pid);
        return r == -EACCES ? -EAGAIN : r;
}

int nsm_lock_set(struct nsm_locks *locks, struct nsm_lock_owner *owner, const struct flock *lock)
{
        struct nsm_range range = nsm_range_of(lock);

        pthread_mutex_lock(&owner->busy);
        int r = reserve(locks, owner, &range);
        if (r == 0)
                r = change(locks, owner, lock);
        pthread_mutex_unlock(&owner->busy);
        return r;
}

/*
 * Another thread of the process may close a file, or unlock, between the end of
 * the wait and the note of it: the lock is asked for once more then.
 */
int nsm_lock_wait(struct nsm_locks *locks, struct nsm_lock_owner *owner, const struct flock *lock)
{
        int r;

        do {
                r = change_storage(owner, F_OFD_SETLKW, *lock);
                if (r < 0)
                        return r;
                pthread_mutex_lock(&owner->busy);
                r = change(locks, owner, lock);
                pthread_mutex_unlock(&owner->busy);
        } while (r == -EAGAIN);
        return r;
}

/* Who of this view holds the first byte of what the storage says is locked, or 0. */
static pid_t find_holder(struct nsm_locks *locks, const struct nsm_lock_owner *but,
                         const struct flock *held)
{
        struct nsm_range byte = { (uint64_t)held->l_start, (uint64_t)held->l_start, F_WRLCK };
        pid_t pid = 0;

        pthread_mutex_lock(&locks->lock);
        for (unsigned b = 0; !pid && b < NSM_LOCKS_BUCKETS; b++)
                for (struct nsm_lock_owner *o = locks->buckets[b]; !pid && o; o = o->next)
                        if (o != but && o->node == but->node &&
                            nsm_ranges_conflict(&o->ranges, &byte))
                                pid = o->pid;
        pthread_mutex_unlock(&locks->lock);
        return pid;
}

int nsm_lock_test(struct nsm_locks *locks, struct nsm_lock_owner *owner, struct flock *lock)
{
        lock->l_pid = 0;
        if (fcntl(owner->fd, F_OFD_GETLK, lock) < 0)
                return -errno;
        lock->l_pid = lock->l_type == F_UNLCK ? 0 : find_holder(locks, owner, lock);
        return 0;
}

/* All that it holds, also while threads of it wait for more. Gives the owner back. */
static void unlock_all(struct nsm_locks *locks, struct nsm_lock_owner *owner)
{
        struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

        pthread_mutex_lock(&owner->busy);
        fcntl(owner->fd, F_OFD_SETLK, &all);
        pthread_mutex_lock(&locks->lock);
        nsm_ranges_empty(&owner->ranges);
        pthread_mutex_unlock(&locks->lock);
        pthread_mutex_unlock(&owner->busy);
        nsm_locks_put(locks, owner);
}

void nsm_locks_drop(struct nsm_locks *locks, uint64_t node, uint64_t owner)
{
        struct nsm_lock_owner *found = nsm_locks_find(locks, node, owner);

        if (found)
                unlock_all(locks, found);
}

/* An owner of the inode that locked through @handle and no other, with a reference, or NULL. */
static struct nsm_lock_owner *find_any(struct nsm_locks *locks, uint64_t node, uint64_t handle)
{
        struct nsm_lock_owner *found = NULL;

        pthread_mutex_lock(&locks->lock);
        for (unsigned b = 0; locks->count && !found && b < NSM_LOCKS_BUCKETS; b++) {
                found = locks->buckets[b];
                while (found && (found->node != node || found->handle != handle ||
                                 found->process || !found->ranges.n))
                        found = found->next;
        }
        if (found)
                found->refs++;
        pthread_mutex_unlock(&locks->lock);
        return found;
}

void nsm_locks_drop_handle(struct nsm_locks *locks, uint64_t node, uint64_t handle)
{
        struct nsm_lock_owner *found;

        while ((found = find_any(locks, node, handle)))
                unlock_all(locks, found);
}
