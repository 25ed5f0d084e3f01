/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes without a name that the kernel still holds: removed while in use, or
 * made by O_TMPFILE. An open handle is enough to find such a one; without one
 * its record keeps an O_PATH descriptor until the kernel forgets it, or it gets
 * a name. How many is limited (nsm_limits.pins): beyond that it is left without,
 * and an operation on it is -ESTALE.
 */
#ifndef NSM_VIEW_PINS_H
#define NSM_VIEW_PINS_H

#include <stdint.h>

#include "fs/view/view.h"

/* Takes the descriptor of a node back that has a name again. Takes the lock. */
void nsm_unpin_named(struct nsm_view *view, uint32_t node);

/*
 * The name of an inode is gone from the storage: takes the link away, and pins
 * the record by *@fd if that was the last one and it is not open. @node may be 0.
 * Under the lock.
 */
void nsm_pin_unlinked(struct nsm_view *view, uint32_t node, uint32_t parent, const char *name,
                      int *fd);

/*
 * The handle is about to be closed: when it is the last of an inode without a
 * name, which the kernel may hold for longer, pins that. Under the lock, which
 * it may let go meanwhile; the handle stays until it is removed.
 */
void nsm_pin_at_close(struct nsm_view *view, uint64_t handle);

#endif
