/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/moved.h"

#include "fs/view/resolve-private.h"

/* Whether the name leads to the node. Under the exclusive lock of changes. */
static bool is_there(struct nsm_view *view, uint64_t node, uint64_t dir, const char *name)
{
        cleanup_nsm_dir struct nsm_dir at = { 0 };
        struct nsm_identity identity;
        struct statx stx;

        if (nsm_resolve_try_dir(view, dir, &at) < 0 || nsm_statx(at.fd, name, &stx) < 0)
                return false;
        nsm_view_identify(view, &stx, &identity);
        pthread_mutex_lock(&view->lock);
        const struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool same = inode && nsm_inode_is(inode, &identity);
        pthread_mutex_unlock(&view->lock);
        return same;
}

void nsm_moved_note(struct nsm_view *view, uint64_t node, uint64_t dir, const char *name)
{
        /* Exclusive: a rename of this view's must not come between the look and the note. */
        pthread_rwlock_wrlock(&view->changes);
        if (node != NSM_TABLE_ROOT && is_there(view, node, dir, name)) {
                pthread_mutex_lock(&view->lock);
                const struct nsm_inode *inode = nsm_table_get(&view->table, node);
                if (inode) {
                        nsm_moves_note(&view->moves, inode->ino);
                        nsm_table_add_link(&view->table, (uint32_t)node, (uint32_t)dir, name);
                }
                pthread_mutex_unlock(&view->lock);
        }
        pthread_rwlock_unlock(&view->changes);
}
