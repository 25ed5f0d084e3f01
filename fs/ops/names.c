/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/ops/ops.h"
#include "fs/view/resolve.h"

static void reply_made(fuse_req_t req, int r, const struct nsm_entry *entry)
{
        if (r < 0)
                nsm_reply(req, r);
        else
                nsm_reply_entry(req, entry);
}

void nsm_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
        const struct nsm_policy *policy = &nsm_fs_of(req)->policy;
        struct nsm_entry entry;

        int r = nsm_entry_lookup(nsm_view_of(req), parent, name, &entry);
        if (r == -ENOENT && policy->negative_timeout > 0) {
                struct fuse_entry_param none = { .entry_timeout = policy->negative_timeout };
                fuse_reply_entry(req, &none);
                return;
        }
        reply_made(req, r, &entry);
}

void nsm_op_forget(fuse_req_t req, fuse_ino_t node, uint64_t n)
{
        nsm_entry_forget(nsm_view_of(req), node, n);
        fuse_reply_none(req);
}

void nsm_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
        struct nsm_view *view = nsm_view_of(req);

        pthread_mutex_lock(&view->lock);
        for (size_t i = 0; i < count; i++)
                nsm_table_forget(&view->table, forgets[i].ino, forgets[i].nlookup);
        pthread_mutex_unlock(&view->lock);
        fuse_reply_none(req);
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, const struct nsm_make *what)
{
        struct nsm_caller caller = nsm_caller_of(req);
        struct nsm_entry entry;

        int r = nsm_entry_make(nsm_view_of(req), parent, name, what, &caller, &entry);
        reply_made(req, r, &entry);
}

void nsm_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
        make(req, parent, name, &(struct nsm_make){ .mode = mode, .rdev = rdev });
}

void nsm_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
        make(req, parent, name, &(struct nsm_make){ .mode = S_IFDIR | (mode & 07777) });
}

void nsm_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
        make(req, parent, name, &(struct nsm_make){ .mode = S_IFLNK | 0777, .target = target });
}

void nsm_op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent, const char *name)
{
        struct nsm_entry entry;

        int r = nsm_entry_link(nsm_view_of(req), node, parent, name, &entry);
        reply_made(req, r, &entry);
}

void nsm_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
        nsm_reply(req, nsm_entry_remove(nsm_view_of(req), parent, name, 0));
}

void nsm_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
        nsm_reply(req, nsm_entry_remove(nsm_view_of(req), parent, name, AT_REMOVEDIR));
}

void nsm_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);
        struct nsm_caller caller = nsm_caller_of(req);
        int r = thread ? 0 : -errno;
        uint32_t moved[2] = { 0 };

        if (r == 0 && (flags & RENAME_WHITEOUT)) /* leaves a new inode behind */
                r = nsm_caller_become(view, thread, &caller);
        if (r == 0)
                r = nsm_entry_rename(view, parent, name, new_parent, new_name, flags, moved);
        for (int i = 0; i < 2 && moved[i]; i++) /* '..', and a time that makes atime due */
                nsm_op_forget_listing(nsm_fs_of(req), moved[i]);
        nsm_reply(req, r);
}

void nsm_op_readlink(fuse_req_t req, fuse_ino_t node)
{
        struct nsm_view *view = nsm_view_of(req);
        char target[PATH_MAX + 1];
        cleanup_fd int fd = -1;

        int r = nsm_thread_get(view) ? 0 : -errno;
        if (r == 0)
                r = nsm_node_open(view, node, O_PATH, &fd, NULL);
        if (r == 0) {
                ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
                r = n < 0 ? -errno : 0;
                target[n < 0 ? 0 : n] = '\0';
        }
        if (r < 0)
                nsm_reply(req, r);
        else
                fuse_reply_readlink(req, target);
}
