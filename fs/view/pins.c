/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/pins.h"

#include <fcntl.h>

#include "fs/base/cleanup.h"
#include "fs/view/thread.h"

/* Under the lock. */
static void pin(struct nsm_view *view, struct nsm_inode *inode, int *fd)
{
        if (inode->pin >= 0 || view->pins >= view->limits.pins)
                return;
        inode->pin = nsm_take_fd(fd);
        view->pins++;
}

void nsm_unpin_named(struct nsm_view *view, uint32_t node)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode && inode->pin >= 0 && inode->n_links) {
                nsm_close_fd(inode->pin);
                inode->pin = -1;
                view->pins--;
        }
        pthread_mutex_unlock(&view->lock);
}

void nsm_pin_unlinked(struct nsm_view *view, uint32_t node, uint32_t parent, const char *name,
                      int *fd)
{
        if (!node)
                return;
        nsm_table_remove_link(&view->table, node, parent, name);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (!inode || inode->n_links)
                return;
        inode->nameless = true;
        if (!inode->opens)
                pin(view, inode, fd);
}

/* The record that has no name, and nothing but this handle; or NULL. Under the lock. */
static struct nsm_inode *only_held_by(struct nsm_view *view, uint64_t number)
{
        const struct nsm_handle *handle = nsm_handles_get(&view->handles, number);
        struct nsm_inode *inode = handle ? nsm_table_get(&view->table, handle->node) : NULL;

        return inode && inode->nameless && inode->pin < 0 &&
               nsm_handles_is_last(&view->handles, number) ? inode : NULL;
}

void nsm_pin_at_close(struct nsm_view *view, uint64_t handle)
{
        cleanup_fd int fd = -1;

        if (!only_held_by(view, handle) || view->pins >= view->limits.pins)
                return;
        int known = nsm_handles_get(&view->handles, handle)->fd;
        pthread_mutex_unlock(&view->lock);
        /* The path is of the thread's own working directory, which it may not have yet. */
        if (nsm_thread_get(view))
                fd = open(nsm_fd_path(known).text, O_PATH | O_CLOEXEC);
        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = only_held_by(view, handle);
        if (inode && fd >= 0)
                pin(view, inode, &fd);
}
