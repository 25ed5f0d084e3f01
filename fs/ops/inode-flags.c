/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ioctls of inode flags and generations; every other one is refused. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "fs/base/cleanup.h"
#include "fs/ops/ops.h"
#include "fs/view/thread.h"

/*
 * The kernel has checked the caller (fs/file_attr.c, fileattr_set_prepare): the
 * owner or CAP_FOWNER for any change, CAP_LINUX_IMMUTABLE for immutable and
 * append-only, the initial user namespace for project ids and their inheritance.
 * What is the storage's own to decide, it decides for a worker without
 * CAP_SYS_RESOURCE.
 */
static int change(struct nsm_view *view, int fd, unsigned cmd, const void *in, size_t in_size)
{
        struct nsm_thread *thread = nsm_thread_get(view);
        size_t size = cmd == FS_IOC_SETFLAGS ? sizeof(unsigned) : sizeof(struct fsxattr);
        struct fsxattr value;

        if (!thread)
                return -errno;
        if (in_size < size)
                return -EINVAL;
        memcpy(&value, in, size);
        int r = nsm_thread_raise(thread, CAP_LINUX_IMMUTABLE);
        if (r == 0 && ioctl(fd, cmd, &value) < 0)
                r = -errno;
        nsm_thread_lower(thread, CAP_LINUX_IMMUTABLE);
        return r;
}

/* How much a command reads; 0 for those that set, -ENOTTY for all others. */
static ssize_t size_read(unsigned cmd)
{
        switch (cmd) {
        case FS_IOC_GETFLAGS:
        case FS_IOC_GETVERSION: /* both say long, and mean int */
                return sizeof(unsigned);
        case FS_IOC_FSGETXATTR:
                return sizeof(struct fsxattr);
        case FS_IOC_SETFLAGS:
        case FS_IOC_FSSETXATTR:
                return 0;
        default:
                return -ENOTTY;
        }
}

void nsm_op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg,
                  struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                  size_t out_size)
{
        struct nsm_view *view = nsm_view_of(req);
        cleanup_fd int owned = -1;
        int fd = nsm_op_fd(nsm_fs_of(req), node, fi, &owned);
        ssize_t size = size_read(cmd);
        struct fsxattr out = { 0 };
        int r = fd < 0 ? fd : size < 0 ? (int)size : 0;

        if (r == 0 && size == 0)
                r = view->config.read_only ? -EROFS : change(view, fd, cmd, in, in_size);
        if (r == 0 && size == 0)
                nsm_op_forget_listing(nsm_fs_of(req), node);
        else if (r == 0)
                r = ioctl(fd, cmd, &out) < 0 ? -errno : 0;
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        fuse_reply_ioctl(req, 0, &out, (size_t)size > out_size ? out_size : (size_t)size);
}
