/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who waits for which lock, and whether a wait would never end: because it is,
 * through whatever others of this view, for a process that waits for the very
 * one that is about to. A process may wait for several locks, by its threads.
 */
#ifndef NSM_VIEW_LOCK_WAITS_H
#define NSM_VIEW_LOCK_WAITS_H

#include "fs/view/locks.h"

#define NSM_LOCK_WAITS_BUCKETS 256u

/* Somebody who waits. In a list while it does. */
struct nsm_lock_wait {
        struct nsm_lock_wait *next;   /* of its bucket */
        struct nsm_lock_owner *owner; /* referenced by the caller */
        struct nsm_range range;
        /* of the search for a circle */
        uint64_t reached;           /* by the search of this number */
        struct nsm_lock_wait *then; /* the next that it has reached and has to follow */
};

/* All that wait, by who they are. Under the lock of struct nsm_locks. */
struct nsm_lock_waits {
        struct nsm_lock_wait *buckets[NSM_LOCK_WAITS_BUCKETS];
        uint64_t searches;
        uint64_t followed; /* waits, by all searches */
};

/*
 * Notes that an owner will wait. -EDEADLK: it would wait for itself, through
 * whatever others of this view. -ENOLCK or -ENOMEM: it would hold too much. It
 * is not noted then.
 */
int nsm_lock_begin_wait(struct nsm_locks *locks, struct nsm_lock_wait *wait,
                        struct nsm_lock_owner *owner, const struct flock *lock);

/* It waits no longer, whether it has the lock or not. */
void nsm_lock_end_wait(struct nsm_locks *locks, struct nsm_lock_wait *wait);

#endif
