/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes without a name that the kernel still holds: removed while in use, or
 * made by O_TMPFILE. Such a record keeps an O_PATH descriptor until the kernel
 * forgets it, or it gets a name. How many is limited (nsm_limits.pins).
 */
#ifndef NSM_VIEW_PINS_H
#define NSM_VIEW_PINS_H

#include <stdint.h>

#include "fs/view/view.h"

/* Gives a node a descriptor, which is taken from *@fd. 0 or -ENFILE. Takes the lock. */
int nsm_pin(struct nsm_view *view, uint32_t node, int *fd);

/* Takes the descriptor of a node back that has a name again. Takes the lock. */
void nsm_unpin_named(struct nsm_view *view, uint32_t node);

/*
 * The name of an inode is gone from the storage: takes the link away, and pins
 * the record if that was the last one. With the limit reached it is left
 * without, and an operation on it is -ESTALE. @node may be 0. Under the lock.
 */
void nsm_pin_unlinked(struct nsm_view *view, uint32_t node, uint32_t parent, const char *name,
                      int *fd);

/* Whether removing a name of this node must be refused, for it is open and cannot be pinned. */
bool nsm_pin_is_refused(struct nsm_view *view, const struct nsm_identity *identity);

#endif
