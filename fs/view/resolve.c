/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/resolve-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/view/thread.h"

#define OPEN_DIR (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int nsm_statx(int dir_fd, const char *name, struct statx *ret)
{
        int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

        return statx(dir_fd, name, flags, NSM_STATX_MASK, ret) < 0 ? -errno : 0;
}

void nsm_dir_put(struct nsm_dir *dir)
{
        if (!dir->view)
                return;
        if (dir->slot) {
                pthread_mutex_lock(&dir->view->lock);
                nsm_dircache_unref(&dir->view->dirs, dir->slot);
                pthread_mutex_unlock(&dir->view->lock);
        }
        if (dir->owned)
                nsm_close_fd(dir->fd);
        dir->view = NULL;
}

bool nsm_resolve_is_same(const struct nsm_view *view, const struct nsm_identity *want,
                         const struct statx *stx)
{
        struct nsm_identity have;

        nsm_view_identify(view, stx, &have);
        return have.ino == want->ino && have.type == want->type && have.foreign == want->foreign &&
               (have.birth == want->birth || !have.birth || !want->birth);
}

struct chain {
        uint32_t *nodes; /* owned; from the wanted directory up */
        size_t n;
        size_t room;
};

static void chain_free(struct chain *chain)
{
        free(chain->nodes);
}

static int chain_push(struct chain *chain, uint32_t node)
{
        if (chain->n == NSM_DEPTH_MAX)
                return -ESTALE;
        if (chain->n == chain->room) {
                size_t room = chain->room ? chain->room * 2 : 16;
                uint32_t *grown = reallocarray(chain->nodes, room, sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                chain->nodes = grown;
                chain->room = room;
        }
        chain->nodes[chain->n++] = node;
        return 0;
}

/*
 * A descriptor that is open already for a record. Under the lock. A pin and a
 * handle may go while they are used: a copy does not.
 */
bool nsm_resolve_open_already(struct nsm_view *view, uint64_t node, struct nsm_inode *inode,
                              struct nsm_dir *ret)
{
        const struct nsm_handle *handle;

        *ret = (struct nsm_dir){ .view = view, .fd = -1 };
        if (node == NSM_TABLE_ROOT)
                ret->fd = view->root_fd;
        else if (inode->pin >= 0)
                ret->fd = fcntl(inode->pin, F_DUPFD_CLOEXEC, 0);
        else if (inode->nameless && (handle = nsm_handles_of(&view->handles, (uint32_t)node)))
                ret->fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);
        else if (inode->dir_slot) {
                ret->slot = inode->dir_slot;
                ret->fd = nsm_dircache_ref(&view->dirs, ret->slot);
        }
        ret->owned = ret->fd >= 0 && !ret->slot && node != NSM_TABLE_ROOT;
        return ret->fd >= 0;
}

/* Up until something is open; @chain is what has to be opened below it. Under the lock. */
static int climb(struct nsm_view *view, uint64_t node, struct chain *chain, struct nsm_dir *ret,
                 uint64_t *ret_top)
{
        for (;;) {
                struct nsm_inode *inode = nsm_table_get(&view->table, node);
                if (!inode)
                        return -ESTALE;
                if (!S_ISDIR(inode->type))
                        return -ENOTDIR;
                if (inode->foreign)
                        return -EXDEV;
                if (nsm_resolve_open_already(view, node, inode, ret)) {
                        *ret_top = node;
                        return 0;
                }
                if (!inode->links)
                        return -ESTALE;
                int r = chain_push(chain, (uint32_t)node);
                if (r < 0)
                        return r;
                node = nsm_names_at(&view->table.names, inode->links)->parent;
        }
}

/* The name of @node in @parent, and what it has to be. */
static int name_in(struct nsm_view *view, uint32_t node, uint32_t parent, char *ret_name,
                   struct nsm_identity *ret_identity)
{
        int r = -ESTALE;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        struct nsm_link *link = inode && inode->links
                                        ? nsm_names_at(&view->table.names, inode->links) : NULL;
        if (link && link->parent == parent) {
                memcpy(ret_name, link->name, link->len);
                ret_name[link->len] = '\0';
                nsm_resolve_identity(inode, ret_identity);
                r = 0;
        }
        pthread_mutex_unlock(&view->lock);
        return r;
}

/* Puts a directory that was opened into the cache, or uses another thread's. Takes @fd. */
static void keep_dir(struct nsm_view *view, uint32_t node, int fd, struct nsm_dir *ret)
{
        uint32_t evicted = 0;
        int slot = -ENFILE;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode && nsm_resolve_open_already(view, node, inode, ret)) {
                pthread_mutex_unlock(&view->lock);
                nsm_close_fd(fd);
                return;
        }
        if (inode)
                slot = nsm_dircache_put(&view->dirs, node, fd, &evicted);
        if (evicted)
                nsm_table_get(&view->table, evicted)->dir_slot = 0;
        if (slot > 0)
                inode->dir_slot = (uint32_t)slot;
        pthread_mutex_unlock(&view->lock);
        *ret = (struct nsm_dir){ .view = view, .fd = fd, .slot = slot > 0 ? (uint32_t)slot : 0,
                                 .owned = slot <= 0 };
}

/* One step down, from @dir to its subdirectory @node; @dir becomes that one. */
static int step_down(struct nsm_view *view, uint32_t parent, uint32_t node, struct nsm_dir *dir)
{
        char name[NSM_FILE_NAME_MAX + 1];
        struct nsm_identity want;
        struct statx stx;

        int r = name_in(view, node, parent, name, &want);
        if (r < 0)
                return r;
        cleanup_fd int fd = openat(dir->fd, name, OPEN_DIR);
        if (fd < 0)
                return nsm_resolve_is_gone(-errno) ? -ESTALE : -errno;
        r = nsm_statx(fd, "", &stx);
        if (r < 0)
                return r;
        if (!nsm_resolve_is_same(view, &want, &stx))
                return -ESTALE;
        struct nsm_dir below;
        keep_dir(view, node, nsm_take_fd(&fd), &below);
        nsm_dir_put(dir);
        *dir = below;
        return 0;
}

int nsm_resolve_try_dir(struct nsm_view *view, uint64_t node, struct nsm_dir *ret)
{
        __attribute__((cleanup(chain_free))) struct chain chain = { 0 };
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        uint64_t top = 0;

        pthread_mutex_lock(&view->lock);
        int r = climb(view, node, &chain, &dir, &top);
        pthread_mutex_unlock(&view->lock);
        if (r < 0) {
                dir.view = NULL;
                return r;
        }
        uint32_t parent = (uint32_t)top;
        while (chain.n) {
                uint32_t below = chain.nodes[--chain.n];
                r = step_down(view, parent, below, &dir);
                if (r < 0)
                        return r;
                parent = below;
        }
        *ret = dir;
        dir.view = NULL;
        return 0;
}

int nsm_resolve_open_handle(struct nsm_view *view, uint64_t node, int *ret)
{
        int fd = -ESTALE;

        pthread_mutex_lock(&view->lock);
        const struct nsm_handle *handle = nsm_handles_of(&view->handles, (uint32_t)node);
        if (handle && handle->fd >= 0)
                fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);
        pthread_mutex_unlock(&view->lock);
        if (fd < 0)
                return -ESTALE;
        *ret = fd;
        return 0;
}

/* A directory that somebody has open, wherever it is now. */
static int dir_of_handle(struct nsm_view *view, uint64_t node, struct nsm_dir *ret)
{
        cleanup_fd int open_fd = -1;

        int r = nsm_resolve_open_handle(view, node, &open_fd);
        if (r < 0)
                return r;
        int fd = openat(open_fd, ".", OPEN_DIR);
        if (fd < 0)
                return -ESTALE;
        keep_dir(view, (uint32_t)node, fd, ret);
        return 0;
}

int nsm_dir_get(struct nsm_view *view, uint64_t node, struct nsm_dir *ret)
{
        int r = nsm_resolve_try_dir(view, node, ret);

        if (r == -ESTALE)
                r = dir_of_handle(view, node, ret);
        if (r != -ESTALE)
                return r;
        /* Perhaps a rename was seen half way: look again while there is none. */
        pthread_rwlock_wrlock(&view->changes);
        r = nsm_resolve_try_dir(view, node, ret);
        pthread_rwlock_unlock(&view->changes);
        return r;
}
