/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX locks of a shared view, held on the storage for the kernel's owners:
 * one open file description per (inode, owner), on which the locks are
 * F_OFD_* locks (fcntl_locking(2)). It is open while the owner holds or asks
 * for something, and never exchanged meanwhile. Any thread. How many is limited
 * (nsm_limits.lock_owners, NSM_LOCK_RANGES_MAX).
 *
 * The storage knows neither which process of the tenant's holds what, nor that
 * one waits for another. So what each owner holds is written down here, too:
 * for F_GETLK's pid, and to refuse a wait that would never end.
 */
#ifndef NSM_VIEW_LOCKS_H
#define NSM_VIEW_LOCKS_H

#include <fcntl.h>
#include <stdint.h>

#include "fs/view/ranges.h"
#include "fs/view/view.h"

struct nsm_locks;
struct nsm_lock_owner;

int nsm_locks_new(struct nsm_view *view, struct nsm_locks **ret);
void nsm_locks_free(struct nsm_locks *locks);

/*
 * An owner's description of an inode, opened on first use. @handle: the number
 * of the open file through which it asks now, and its descriptor, by which it is
 * opened once more: the calling thread has its struct nsm_thread. 0, -ENOLCK or
 * -errno.
 */
int nsm_locks_get(struct nsm_locks *locks, uint64_t node, uint64_t owner, uint64_t handle,
                  int handle_fd, struct nsm_lock_owner **ret);

/* The same if there is one; NULL: the owner holds nothing. */
struct nsm_lock_owner *nsm_locks_find(struct nsm_locks *locks, uint64_t node, uint64_t owner);

/* Gives back what get or find returned. */
void nsm_locks_put(struct nsm_locks *locks, struct nsm_lock_owner *owner);

/* Locks or unlocks without waiting; l_pid is the kernel's. 0, -EAGAIN, -ENOLCK, or -errno. */
int nsm_lock_set(struct nsm_locks *locks, struct nsm_lock_owner *owner, const struct flock *lock);

/*
 * Waits, once, between nsm_lock_begin_wait() and nsm_lock_end_wait() (lock-waits.h):
 * -EINTR when a signal came, then it may be called again. After any other result
 * the wait is to be ended.
 */
int nsm_lock_wait(struct nsm_locks *locks, struct nsm_lock_owner *owner, const struct flock *lock);

/*
 * F_GETLK: l_pid is the kernel's of whoever holds it through this view, and 0
 * of others.
 */
int nsm_lock_test(struct nsm_locks *locks, struct nsm_lock_owner *owner, struct flock *lock);

/* The owner closed the file: all its locks of this inode go. */
void nsm_locks_drop(struct nsm_locks *locks, uint64_t node, uint64_t owner);

/*
 * The open file is gone, and with it an owner that is this open file itself
 * (the tenant's own F_OFD_* locks). A process that locked through it was dropped
 * when it closed it; what it has locked since, it has locked through others.
 */
void nsm_locks_drop_handle(struct nsm_locks *locks, uint64_t node, uint64_t handle);

#endif
