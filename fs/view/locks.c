/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/base/cleanup.h"
#include "fs/view/resolve.h"

#define BUCKETS 64u

struct nsm_lock_owner {
        struct nsm_lock_owner *next;
        uint64_t node, owner;
        int fd;        /* owned */
        unsigned refs; /* operations, and one while it is listed */
};

struct nsm_locks {
        struct nsm_view *view;
        pthread_mutex_t lock;
        /* below under @lock */
        struct nsm_lock_owner *buckets[BUCKETS];
        uint32_t count;
};

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
        for (unsigned b = 0; b < BUCKETS; b++) {
                while (locks->buckets[b]) {
                        struct nsm_lock_owner *o = locks->buckets[b];
                        locks->buckets[b] = o->next;
                        nsm_close_fd(o->fd);
                        free(o);
                }
        }
        pthread_mutex_destroy(&locks->lock);
        free(locks);
}

/* The place that points to such an owner, or to the end of its list. Under the lock. */
static struct nsm_lock_owner **place_of(struct nsm_locks *locks, uint64_t node, uint64_t owner)
{
        struct nsm_lock_owner **at = &locks->buckets[(node ^ owner ^ owner >> 32) % BUCKETS];

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

/* For both kinds of lock where the view may write. */
static int open_for_locks(struct nsm_locks *locks, uint64_t node, int *ret)
{
        int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        int r = -EROFS;

        if (!locks->view->config.read_only)
                r = nsm_node_open(locks->view, node, flags | O_RDWR, ret, NULL);
        if (r == -EROFS || r == -ETXTBSY)
                r = nsm_node_open(locks->view, node, flags | O_RDONLY, ret, NULL);
        return r;
}

int nsm_locks_get(struct nsm_locks *locks, uint64_t node, uint64_t owner,
                  struct nsm_lock_owner **ret)
{
        cleanup_fd int fd = -1;

        *ret = nsm_locks_find(locks, node, owner);
        if (*ret)
                return 0;
        int r = open_for_locks(locks, node, &fd);
        if (r < 0)
                return r;
        cleanup_free struct nsm_lock_owner *made = calloc(1, sizeof *made);
        if (!made)
                return -ENOMEM;
        pthread_mutex_lock(&locks->lock);
        struct nsm_lock_owner **at = place_of(locks, node, owner);
        if (!*at && locks->count >= locks->view->limits.lock_owners) {
                r = -ENOLCK;
        } else if (!*at) {
                *made = (struct nsm_lock_owner){ .node = node, .owner = owner, .refs = 1,
                                                 .fd = nsm_take_fd(&fd) };
                *at = nsm_take_ptr(made);
                locks->count++;
        }
        if (r == 0) {
                (*at)->refs++;
                *ret = *at;
        }
        pthread_mutex_unlock(&locks->lock);
        return r;
}

int nsm_lock_owner_fd(const struct nsm_lock_owner *owner)
{
        return owner->fd;
}

void nsm_locks_put(struct nsm_locks *locks, struct nsm_lock_owner *owner)
{
        pthread_mutex_lock(&locks->lock);
        bool last = --owner->refs == 0;
        pthread_mutex_unlock(&locks->lock);
        if (!last)
                return;
        nsm_close_fd(owner->fd);
        free(owner);
}

static struct nsm_lock_owner *take_out(struct nsm_locks *locks, struct nsm_lock_owner **at)
{
        struct nsm_lock_owner *gone = *at;

        if (gone) {
                *at = gone->next;
                locks->count--;
        }
        return gone;
}

/* Whoever waits on it keeps it open: what is held now must go at once. */
static void end_owner(struct nsm_locks *locks, struct nsm_lock_owner *gone)
{
        struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

        if (!gone)
                return;
        fcntl(gone->fd, F_OFD_SETLK, &all);
        nsm_locks_put(locks, gone);
}

void nsm_locks_drop(struct nsm_locks *locks, uint64_t node, uint64_t owner)
{
        pthread_mutex_lock(&locks->lock);
        struct nsm_lock_owner *gone = take_out(locks, place_of(locks, node, owner));
        pthread_mutex_unlock(&locks->lock);
        end_owner(locks, gone);
}

/* Takes one owner of the inode out, whichever. NULL: there is none. */
static struct nsm_lock_owner *take_any(struct nsm_locks *locks, uint64_t node)
{
        for (unsigned b = 0; locks->count && b < BUCKETS; b++) {
                struct nsm_lock_owner **at = &locks->buckets[b];
                while (*at && (*at)->node != node)
                        at = &(*at)->next;
                if (*at)
                        return take_out(locks, at);
        }
        return NULL;
}

void nsm_locks_drop_all(struct nsm_locks *locks, uint64_t node)
{
        struct nsm_lock_owner *gone;

        do {
                pthread_mutex_lock(&locks->lock);
                gone = take_any(locks, node);
                pthread_mutex_unlock(&locks->lock);
                end_owner(locks, gone);
        } while (gone);
}
