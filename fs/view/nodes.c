/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any inode, by one of the places where it was found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/view/resolve-private.h"
#include "fs/view/thread.h"

/* What is done at a place. -ESTALE (or another error that says so): it is not there. */
struct visit {
        int (*at_place)(struct nsm_view *view, int dir_fd, const char *name, struct visit *visit);
        int (*at_fd)(int fd, bool is_dir, struct visit *visit);
        struct nsm_identity want;
        int flags;
        bool opens; /* its content */
        int fd;
        struct statx stx;
};

struct place {
        uint64_t lookups; /* of the record, before the place is looked at */
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
                ret->lookups = inode->nlookup;
                ret->parent = link->parent;
                memcpy(ret->name, link->name, link->len);
                ret->name[link->len] = '\0';
                found = true;
        }
        pthread_mutex_unlock(&view->lock);
        return found;
}

/*
 * Forgets a place where the node was not found. Not when a lookup has counted
 * since: it may have found the node there, just after we looked.
 */
static void prune_place(struct nsm_view *view, uint64_t node, const struct place *place)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode && inode->nlookup == place->lookups) {
                nsm_moves_note(&view->moves, inode->ino);
                nsm_table_remove_link(&view->table, (uint32_t)node, place->parent, place->name);
        }
        pthread_mutex_unlock(&view->lock);
}

static int visit_places(struct nsm_view *view, uint64_t node, struct visit *visit, bool prune)
{
        struct place place;
        int nth = 0;

        /* What is not forgotten is looked at again: a bounded number of times. */
        for (int n = 0; n < 2 * NSM_TABLE_LINKS_MAX && nth < NSM_TABLE_LINKS_MAX &&
                        nth_place(view, node, nth, &place); n++) {
                cleanup_nsm_dir struct nsm_dir dir = { 0 };
                int r = nsm_resolve_try_dir(view, place.parent, &dir);
                if (r == 0)
                        r = visit->at_place(view, dir.fd, place.name, visit);
                if (!nsm_resolve_is_gone(r))
                        return r;
                if (prune)
                        prune_place(view, node, &place);
                else
                        nth++;
        }
        return -ESTALE;
}

/* What is open already for any record: see nsm_resolve_open_already(). */
static int visit_open(struct nsm_view *view, uint64_t node, struct visit *visit, bool *ret_done)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        bool is_dir = false;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (inode) {
                is_dir = S_ISDIR(inode->type);
                nsm_resolve_identity(inode, &visit->want);
                *ret_done = nsm_resolve_open_already(view, node, inode, &dir);
        }
        pthread_mutex_unlock(&view->lock);
        if (!inode)
                return -ESTALE;
        if (*ret_done)
                return visit->at_fd(dir.fd, is_dir, visit);
        dir.view = NULL;
        return 0;
}

/*
 * What somebody has open goes on, whatever others have done to its names. But
 * to open it once more is to ask for what the name leads to now.
 */
static int visit_handle(struct nsm_view *view, uint64_t node, struct visit *visit)
{
        cleanup_fd int fd = -1;

        int r = visit->opens ? -ESTALE : nsm_resolve_open_handle(view, node, &fd);
        return r < 0 ? r : visit->at_fd(fd, S_ISDIR(visit->want.type), visit);
}

static int visit(struct nsm_view *view, uint64_t node, struct visit *v)
{
        bool done = false;

        int r = visit_open(view, node, v, &done);
        if (r < 0 || done)
                return r;
        r = visit_places(view, node, v, false);
        if (r == -ESTALE)
                r = visit_handle(view, node, v);
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

        if (r == 0 && !nsm_resolve_is_same(view, &v->want, &v->stx))
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
        if (!nsm_resolve_is_same(view, &v->want, &v->stx))
                return -ESTALE;
        v->fd = nsm_take_fd(&fd);
        return 0;
}

/* What is known is the inode itself; its path in /proc is a link that must be followed. */
static int open_fd(int known, bool is_dir, struct visit *v)
{
        int flags = v->flags | O_NONBLOCK | O_CLOEXEC;
        cleanup_fd int fd = is_dir ? openat(known, ".", flags | O_NOFOLLOW)
                                   : open(nsm_fd_path(known).text, flags & ~O_NOFOLLOW);

        if (fd < 0)
                return -errno;
        int r = nsm_statx(fd, "", &v->stx);
        if (r == 0)
                v->fd = nsm_take_fd(&fd);
        return r;
}

/* Not under a lock, and by no name: what a name leads to may be a FIFO by now. */
static int open_when_given_back(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                                struct statx *ret_stx)
{
        cleanup_fd int known = -1;

        int r = nsm_node_open(view, node, O_PATH, &known, ret_stx);
        if (r < 0)
                return r;
        if (!S_ISREG(ret_stx->stx_mode))
                return -ESTALE;
        int fd = open(nsm_fd_path(known).text,
                      (flags & ~(O_NOFOLLOW | O_NONBLOCK)) | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int nsm_node_open_leased(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                         struct statx *ret_stx)
{
        int r = nsm_node_open(view, node, flags, ret_fd, ret_stx);

        return r == -EAGAIN ? open_when_given_back(view, node, flags, ret_fd, ret_stx) : r;
}

int nsm_node_open(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                  struct statx *ret_stx)
{
        struct visit v = { .at_place = open_place, .at_fd = open_fd, .flags = flags,
                           .opens = !(flags & O_PATH), .fd = -1 };

        /* Where nobody else moves names, what is open need not be found. */
        if (flags == O_PATH && !ret_stx && view->config.coherence == NSM_COHERENCE_EXCLUSIVE &&
            nsm_resolve_open_handle(view, node, ret_fd) == 0)
                return 0;
        int r = visit(view, node, &v);
        if (r < 0)
                return r;
        *ret_fd = v.fd;
        if (ret_stx)
                *ret_stx = v.stx;
        return 0;
}
