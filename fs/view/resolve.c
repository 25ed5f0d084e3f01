/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/resolve.h"

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

/* Whether an error says that a name no longer is what the table has. */
static bool is_gone(int r)
{
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENXIO || r == -ESTALE;
}

static void identity_of(const struct nsm_inode *inode, struct nsm_identity *ret)
{
        *ret = (struct nsm_identity){ .ino = inode->ino, .birth = inode->birth,
                                      .type = inode->type, .foreign = inode->foreign };
}

static bool is_same(const struct nsm_view *view, const struct nsm_identity *want,
                    const struct statx *stx)
{
        struct nsm_identity have;

        nsm_view_identify(view, stx, &have);
        return have.ino == want->ino && have.type == want->type && have.foreign == want->foreign &&
               (have.birth == want->birth || !have.birth || !want->birth);
}

/* ---- directories ---- */

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

/* A descriptor that is open already for a directory's record. Under the lock. */
static bool open_already(struct nsm_view *view, uint64_t node, struct nsm_inode *inode,
                         struct nsm_dir *ret)
{
        *ret = (struct nsm_dir){ .view = view, .fd = -1 };
        if (node == NSM_TABLE_ROOT)
                ret->fd = view->root_fd;
        else if (inode->pin >= 0)
                ret->fd = inode->pin;
        else if (inode->dir_slot) {
                ret->slot = inode->dir_slot;
                ret->fd = nsm_dircache_ref(&view->dirs, ret->slot);
        }
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
                if (open_already(view, node, inode, ret)) {
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
                identity_of(inode, ret_identity);
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
        if (inode && open_already(view, node, inode, ret)) {
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
                return is_gone(-errno) ? -ESTALE : -errno;
        r = nsm_statx(fd, "", &stx);
        if (r < 0)
                return r;
        if (!is_same(view, &want, &stx))
                return -ESTALE;
        struct nsm_dir below;
        keep_dir(view, node, nsm_take_fd(&fd), &below);
        nsm_dir_put(dir);
        *dir = below;
        return 0;
}

static int try_dir(struct nsm_view *view, uint64_t node, struct nsm_dir *ret)
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

int nsm_dir_get(struct nsm_view *view, uint64_t node, struct nsm_dir *ret)
{
        int r = try_dir(view, node, ret);

        if (r != -ESTALE)
                return r;
        /* Perhaps a rename was seen half way: look again while there is none. */
        pthread_rwlock_wrlock(&view->changes);
        r = try_dir(view, node, ret);
        pthread_rwlock_unlock(&view->changes);
        return r;
}

/* ---- any inode, by one of its places ---- */

/* What is done at a place. -ESTALE (or what is_gone() says): it is not there. */
struct visit {
        int (*at_place)(struct nsm_view *view, int dir_fd, const char *name, struct visit *visit);
        int (*at_fd)(int fd, bool is_dir, struct visit *visit);
        struct nsm_identity want;
        int flags;
        int fd;
        struct statx stx;
};

struct place {
        uint32_t parent;
        char name[NSM_FILE_NAME_MAX + 1];
};

/* Copies the record's @nth link. False when there are no more. */
static bool nth_place(struct nsm_view *view, uint64_t node, int nth, struct place *ret)
{
        bool found = false;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        uint32_t at = inode ? inode->links : 0;
        while (at && nth--)
                at = nsm_names_at(&view->table.names, at)->next;
        if (at) {
                struct nsm_link *link = nsm_names_at(&view->table.names, at);
                ret->parent = link->parent;
                memcpy(ret->name, link->name, link->len);
                ret->name[link->len] = '\0';
                found = true;
        }
        pthread_mutex_unlock(&view->lock);
        return found;
}

static int visit_places(struct nsm_view *view, uint64_t node, struct visit *visit, bool prune)
{
        struct place place;
        int nth = 0;

        while (nth < NSM_TABLE_LINKS_MAX && nth_place(view, node, nth, &place)) {
                cleanup_nsm_dir struct nsm_dir dir = { 0 };
                int r = try_dir(view, place.parent, &dir);
                if (r == 0)
                        r = visit->at_place(view, dir.fd, place.name, visit);
                if (!is_gone(r))
                        return r;
                if (!prune) {
                        nth++;
                        continue;
                }
                pthread_mutex_lock(&view->lock);
                nsm_table_remove_link(&view->table, (uint32_t)node, place.parent, place.name);
                pthread_mutex_unlock(&view->lock);
        }
        return -ESTALE;
}

/* What is open already for any record: see open_already(). */
static int visit_open(struct nsm_view *view, uint64_t node, struct visit *visit, bool *ret_done)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        bool is_dir = false;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode) {
                is_dir = S_ISDIR(inode->type);
                identity_of(inode, &visit->want);
                *ret_done = open_already(view, node, inode, &dir);
        }
        pthread_mutex_unlock(&view->lock);
        if (!inode)
                return -ESTALE;
        if (*ret_done)
                return visit->at_fd(dir.fd, is_dir, visit);
        dir.view = NULL;
        return 0;
}

static int visit(struct nsm_view *view, uint64_t node, struct visit *v)
{
        bool done = false;

        int r = visit_open(view, node, v, &done);
        if (r < 0 || done)
                return r;
        r = visit_places(view, node, v, false);
        if (r != -ESTALE)
                return r;
        pthread_rwlock_wrlock(&view->changes);
        r = visit_open(view, node, v, &done);
        if (r == 0 && !done)
                r = visit_places(view, node, v, true);
        pthread_rwlock_unlock(&view->changes);
        return r;
}

static int stat_place(struct nsm_view *view, int dir_fd, const char *name, struct visit *v)
{
        int r = nsm_statx(dir_fd, name, &v->stx);

        if (r == 0 && !is_same(view, &v->want, &v->stx))
                r = -ESTALE;
        return r;
}

static int stat_fd(int fd, bool is_dir, struct visit *v)
{
        return nsm_statx(fd, "", &v->stx);
}

int nsm_node_stat(struct nsm_view *view, uint64_t node, struct statx *ret)
{
        struct visit v = { .at_place = stat_place, .at_fd = stat_fd };

        int r = visit(view, node, &v);
        if (r == 0)
                *ret = v.stx;
        return r;
}

static int open_place(struct nsm_view *view, int dir_fd, const char *name, struct visit *v)
{
        if (v->want.foreign)
                return -EXDEV;
        cleanup_fd int fd = openat(dir_fd, name, v->flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = nsm_statx(fd, "", &v->stx);
        if (r < 0)
                return r;
        if (!is_same(view, &v->want, &v->stx))
                return -ESTALE;
        v->fd = nsm_take_fd(&fd);
        return 0;
}

static int open_fd(int known, bool is_dir, struct visit *v)
{
        int flags = v->flags | O_NONBLOCK | O_CLOEXEC;
        cleanup_fd int fd = is_dir ? openat(known, ".", flags | O_NOFOLLOW)
                                   : open(nsm_fd_path(known).text, flags);

        if (fd < 0)
                return -errno;
        int r = nsm_statx(fd, "", &v->stx);
        if (r == 0)
                v->fd = nsm_take_fd(&fd);
        return r;
}

int nsm_node_open(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                  struct statx *ret_stx)
{
        struct visit v = { .at_place = open_place, .at_fd = open_fd, .flags = flags, .fd = -1 };

        int r = visit(view, node, &v);
        if (r < 0)
                return r;
        *ret_fd = v.fd;
        if (ret_stx)
                *ret_stx = v.stx;
        return 0;
}
