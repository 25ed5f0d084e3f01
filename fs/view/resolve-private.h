/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What resolving directories and resolving other inodes share. */
#ifndef NSM_VIEW_RESOLVE_PRIVATE_H
#define NSM_VIEW_RESOLVE_PRIVATE_H

#include <errno.h>

#include "fs/view/resolve.h"

/* Whether an error says that a name no longer is what the table has. */
static inline bool nsm_resolve_is_gone(int r)
{
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENXIO || r == -ESTALE;
}

static inline void nsm_resolve_identity(const struct nsm_inode *inode, struct nsm_identity *ret)
{
        *ret = (struct nsm_identity){ .ino = inode->ino, .birth = inode->birth,
                                      .type = inode->type, .foreign = inode->foreign };
}

/* Whether what was found is what was meant. */
bool nsm_resolve_is_same(const struct nsm_view *view, const struct nsm_identity *want,
                         const struct statx *stx);

/*
 * A descriptor that is open for a record: the root's, a pin, a handle's when it
 * has no name, a cached one. Under the lock.
 */
bool nsm_resolve_open_already(struct nsm_view *view, uint64_t node, struct nsm_inode *inode,
                              struct nsm_dir *ret);

/* A copy of a descriptor that a handle of this node has; the caller's. 0 or -ESTALE. */
int nsm_resolve_open_handle(struct nsm_view *view, uint64_t node, int *ret);

/* nsm_dir_get() without its second try. */
int nsm_resolve_try_dir(struct nsm_view *view, uint64_t node, struct nsm_dir *ret);

#endif
