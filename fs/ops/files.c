/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files from open to release. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/ops/set-ids.h"
#include "fs/view/resolve.h"

/*
 * The kernel opens what passes the worker by with the same flags, once: fcntl(2)
 * could not take these away again. Programs that append may count on it, and dd(1)
 * does, of O_DIRECT, before it writes an odd last block; databases, which read
 * besides, do not.
 */
static bool may_change_flags(int flags)
{
        return (flags & O_APPEND) || ((flags & O_DIRECT) && (flags & O_ACCMODE) == O_WRONLY);
}

/* What the kernel may do with an open file of this view. */
static void set_open_flags(const struct nsm_fs *fs, bool moves_atime, struct fuse_file_info *fi)
{
        const struct nsm_policy *policy = &fs->policy;

        /* Pages from before a file was last written past them may be old. */
        fi->keep_cache = policy->keep_cache && !moves_atime && !fs->has_passed;
        fi->direct_io = fi->backing_id && may_change_flags(fi->flags);
        /* With locks of the kernel's own a close has nothing to tell. */
        fi->noflush = !policy->forward_locks;
        fi->parallel_direct_writes = 1;
}

/* Replies to a request that made a file and opened it, and uses up what was reserved. */
static void reply_created(fuse_req_t req, int r, const struct nsm_entry *entry, int *fd,
                          struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        struct fuse_entry_param param;

        if (r == 0) {
                r = nsm_handle_open(fs, entry->node, fd, true, fi);
                if (r < 0)
                        nsm_entry_forget(fs->view, entry->node, 1);
        } else {
                nsm_handle_unreserve(fs->view);
        }
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        nsm_entry_param(fs, entry, &param);
        set_open_flags(fs, false, fi);
        if (fuse_reply_create(req, &param, fi) < 0) {
                nsm_handle_close(fs, fi);
                nsm_entry_forget(fs->view, entry->node, 1);
        }
}

void nsm_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi)
{
        struct nsm_caller caller = nsm_caller_of(req);
        struct nsm_entry entry;
        cleanup_fd int fd = -1;

        int r = nsm_handle_reserve(nsm_view_of(req));
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        r = nsm_entry_create(nsm_view_of(req), parent, name, mode, fi->flags, &caller, &entry,
                             &fd);
        reply_created(req, r, &entry, &fd, fi);
}

void nsm_op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi)
{
        struct nsm_caller caller = nsm_caller_of(req);
        struct nsm_entry entry;
        cleanup_fd int fd = -1;

        int r = nsm_handle_reserve(nsm_view_of(req));
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        r = nsm_entry_tmpfile(nsm_view_of(req), parent, mode, fi->flags, &caller, &entry, &fd);
        reply_created(req, r, &entry, &fd, fi);
}

/* *@ret_moves_atime: whether reading it will. */
static int open_file(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi,
                     bool *ret_moves_atime)
{
        struct nsm_view *view = nsm_view_of(req);
        cleanup_fd int fd = -1;
        struct statx stx;

        if (!nsm_thread_get(view))
                return -errno;
        if (view->config.read_only && (fi->flags & O_ACCMODE) != O_RDONLY)
                return -EROFS;
        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool regular = inode && S_ISREG(inode->type);
        pthread_mutex_unlock(&view->lock);
        if (!regular)
                return -EPERM; /* FIFOs and devices are the kernel's, never the worker's */
        int flags = nsm_data_flags(fi->flags) & ~O_NOFOLLOW;
        if (view->config.read_only) /* moves no atime, and has no right to ask for it */
                flags &= ~O_NOATIME;
        int r = fi->flags & O_NONBLOCK ? nsm_node_open(view, node, flags, &fd, &stx)
                                       : nsm_node_open_leased(view, node, flags, &fd, &stx);
        if (r == -EPERM && (fi->flags & O_APPEND)) /* append-only: no other way */
                r = nsm_node_open(view, node, flags | O_APPEND, &fd, &stx);
        if (r < 0)
                return r;
        if (!S_ISREG(stx.stx_mode))
                return -ESTALE;
        *ret_moves_atime = (fi->flags & O_ACCMODE) != O_WRONLY && !(fi->flags & O_NOATIME) &&
                           nsm_op_reading_moves_atime(view, &stx);
        return nsm_handle_open(nsm_fs_of(req), node, &fd, false, fi);
}

void nsm_op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        bool moves_atime;

        int r = open_file(req, node, fi, &moves_atime);
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        set_open_flags(fs, moves_atime, fi);
        if (fuse_reply_open(req, fi) < 0)
                nsm_handle_close(fs, fi);
}

void nsm_op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        int fd = nsm_handle_fd(fs->view, fi);
        int r = fd < 0 ? fd : 0;

        if (fs->locks)
                nsm_locks_drop(fs->locks, node, fi->lock_owner);

        /* A close of a copy shows what a close would: errors of storage that writes late. */
        if (r == 0) {
                int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
                if (copy < 0 || close(copy) < 0)
                        r = -errno;
        }
        nsm_reply(req, r);
}

void nsm_op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);

        if (fs->locks)
                nsm_locks_drop_handle(fs->locks, node, fi->fh);
        /* Closing it does not: what was registered for passthrough stays open beside others. */
        if (fi->flock_release)
                flock(nsm_handle_fd(fs->view, fi), LOCK_UN);
        nsm_handle_close(fs, fi);
        nsm_reply(req, 0);
}

void nsm_op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi)
{
        int r = nsm_handle_fd(nsm_view_of(req), fi);

        if (r >= 0)
                r = (datasync ? fdatasync(r) : fsync(r)) < 0 ? -errno : 0;
        nsm_reply(req, r);
}
