/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that go or move: what the table knows of them follows the storage. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs/base/cleanup.h"
#include "fs/view/entries.h"
#include "fs/view/pins.h"
#include "fs/view/resolve.h"

/* What a name stood for before it went. */
struct victim {
        int fd; /* O_PATH, owned; -1: there was nothing */
        struct nsm_identity identity;
};

static void victim_close(struct victim *victim)
{
        nsm_close_fd(victim->fd);
}

#define cleanup_victim __attribute__((cleanup(victim_close)))

static int take_hold(struct nsm_view *view, int dir_fd, const char *name, struct victim *ret)
{
        struct statx stx;

        ret->fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (ret->fd < 0)
                return -errno;
        int r = nsm_statx(ret->fd, "", &stx);
        if (r < 0)
                return r;
        nsm_view_identify(view, &stx, &ret->identity);
        if (ret->identity.foreign)
                return -EBUSY; /* as the mount point that it looks like */
        return 0;
}

/* What a name stood for has it no more. Under the lock. */
static void unlinked(struct nsm_view *view, struct victim *victim, uint64_t parent,
                     const char *name)
{
        nsm_moves_note(&view->moves, victim->identity.ino);
        nsm_pin_unlinked(view, nsm_table_find(&view->table, &victim->identity),
                         (uint32_t)parent, name, &victim->fd);
}

int nsm_entry_remove(struct nsm_view *view, uint64_t parent, const char *name, int flags)
{
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        cleanup_victim struct victim victim = { .fd = -1 };

        if (view->config.read_only)
                return -EROFS;
        int r = nsm_entry_check_name(name);
        if (r == 0)
                r = nsm_dir_get(view, parent, &dir);
        if (r == 0)
                r = take_hold(view, dir.fd, name, &victim);
        if (r < 0)
                return r;
        pthread_rwlock_rdlock(&view->changes);
        r = unlinkat(dir.fd, name, flags) < 0 ? -errno : 0;
        if (r == 0) {
                pthread_mutex_lock(&view->lock);
                unlinked(view, &victim, parent, name);
                pthread_mutex_unlock(&view->lock);
        }
        pthread_rwlock_unlock(&view->changes);
        return r;
}

struct move {
        uint64_t old_parent, new_parent;
        const char *old_name, *new_name;
        unsigned flags;
        struct victim source, target;
        uint32_t *moved; /* nodes that have another name now, up to two */
};

/* What a name stood for has another one now: its node, or 0. Under the lock. */
static uint32_t follow(struct nsm_view *view, const struct victim *victim, uint64_t from,
                   const char *old_name, uint64_t to, const char *new_name)
{
        uint32_t node = nsm_table_find(&view->table, &victim->identity);

        /* Also of an inode that nobody knows yet: somebody may be about to note it. */
        nsm_moves_note(&view->moves, victim->identity.ino);
        if (!node)
                return 0;
        nsm_table_add_link(&view->table, node, (uint32_t)to, new_name);
        nsm_table_remove_link(&view->table, node, (uint32_t)from, old_name);
        return node;
}

static void follow_move(struct nsm_view *view, struct move *m)
{
        const struct victim *source = &m->source, *target = &m->target;

        pthread_mutex_lock(&view->lock);
        if (m->flags & RENAME_EXCHANGE) {
                m->moved[0] = follow(view, source, m->old_parent, m->old_name, m->new_parent,
                                     m->new_name);
                m->moved[1] = follow(view, target, m->new_parent, m->new_name, m->old_parent,
                                     m->old_name);
        } else if (target->fd < 0 || source->identity.ino != target->identity.ino) {
                if (target->fd >= 0)
                        unlinked(view, &m->target, m->new_parent, m->new_name);
                m->moved[0] = follow(view, source, m->old_parent, m->old_name, m->new_parent,
                                     m->new_name);
        }
        /* else: two names of one file, of which rename(2) leaves both */
        pthread_mutex_unlock(&view->lock);
}

static int hold_both(struct nsm_view *view, int old_fd, int new_fd, struct move *m)
{
        int r = take_hold(view, old_fd, m->old_name, &m->source);

        if (r < 0)
                return r;
        r = take_hold(view, new_fd, m->new_name, &m->target);
        return r == -ENOENT ? 0 : r;
}

int nsm_entry_rename(struct nsm_view *view, uint64_t old_parent, const char *old_name,
                     uint64_t new_parent, const char *new_name, unsigned flags,
                     uint32_t ret_moved[2])
{
        cleanup_nsm_dir struct nsm_dir old_dir = { 0 }, new_dir = { 0 };
        struct move m = { .old_parent = old_parent, .new_parent = new_parent,
                          .old_name = old_name, .new_name = new_name, .flags = flags,
                          .source.fd = -1, .target.fd = -1, .moved = ret_moved };

        ret_moved[0] = ret_moved[1] = 0;
        if (view->config.read_only)
                return -EROFS;
        int r = nsm_entry_check_name(old_name);
        if (r == 0)
                r = nsm_entry_check_name(new_name);
        if (r == 0)
                r = nsm_dir_get(view, old_parent, &old_dir);
        if (r == 0)
                r = nsm_dir_get(view, new_parent, &new_dir);
        if (r == 0)
                r = hold_both(view, old_dir.fd, new_dir.fd, &m);
        if (r == 0) {
                pthread_rwlock_rdlock(&view->changes);
                if (renameat2(old_dir.fd, old_name, new_dir.fd, new_name, flags) < 0)
                        r = -errno;
                else
                        follow_move(view, &m);
                pthread_rwlock_unlock(&view->changes);
        }
        victim_close(&m.source);
        victim_close(&m.target);
        return r;
}
