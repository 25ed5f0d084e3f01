/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/pins.h"

#include <errno.h>

#include "fs/base/cleanup.h"

int nsm_pin(struct nsm_view *view, uint32_t node, int *fd)
{
        int r = -ENFILE;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (view->pins < view->limits.pins && inode && inode->pin < 0) {
                inode->pin = nsm_take_fd(fd);
                view->pins++;
                r = 0;
        }
        pthread_mutex_unlock(&view->lock);
        return r;
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
        if (!inode || inode->n_links || inode->pin >= 0 || view->pins >= view->limits.pins)
                return;
        inode->pin = nsm_take_fd(fd);
        view->pins++;
}

bool nsm_pin_is_refused(struct nsm_view *view, const struct nsm_identity *identity)
{
        pthread_mutex_lock(&view->lock);
        uint32_t node = nsm_table_find(&view->table, identity);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool refused = inode && inode->opens && inode->n_links <= 1 && inode->pin < 0 &&
                       view->pins >= view->limits.pins;
        pthread_mutex_unlock(&view->lock);
        return refused;
}
