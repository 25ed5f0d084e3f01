/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX locks of a shared view, held on the storage for the kernel's owners:
 * one open file description per (inode, owner), on which the locks are
 * F_OFD_* locks (fcntl_locking(2)). Closing it gives them all back. Any
 * thread. How many is limited (nsm_limits.lock_owners).
 */
#ifndef NSM_VIEW_LOCKS_H
#define NSM_VIEW_LOCKS_H

#include <stdint.h>

#include "fs/view/view.h"

struct nsm_locks;
struct nsm_lock_owner;

int nsm_locks_new(struct nsm_view *view, struct nsm_locks **ret);
void nsm_locks_free(struct nsm_locks *locks);

/* An owner's description of an inode, opened on first use. 0, -ENOLCK or -errno. */
int nsm_locks_get(struct nsm_locks *locks, uint64_t node, uint64_t owner,
                  struct nsm_lock_owner **ret);

/* The same if there is one; NULL: the owner holds nothing. */
struct nsm_lock_owner *nsm_locks_find(struct nsm_locks *locks, uint64_t node, uint64_t owner);

int nsm_lock_owner_fd(const struct nsm_lock_owner *owner);

/* Gives back what get or find returned. */
void nsm_locks_put(struct nsm_locks *locks, struct nsm_lock_owner *owner);

/* The owner closed the file: all its locks of this inode go. */
void nsm_locks_drop(struct nsm_locks *locks, uint64_t node, uint64_t owner);

/*
 * Nobody has the inode open any more: what is left goes. An owner that is an
 * open file description of the tenant's (its own F_OFD_* locks) ends so, too;
 * the kernel does not say when.
 */
void nsm_locks_drop_all(struct nsm_locks *locks, uint64_t node);

#endif
