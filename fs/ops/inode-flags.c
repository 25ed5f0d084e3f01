/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The four ioctls that read and set inode flags; every other one is refused. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

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

void nsm_op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg,
                  struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                  size_t out_size)
{
        struct nsm_view *view = nsm_view_of(req);
        int fd = nsm_handle_fd(view, fi);
        struct fsxattr out = { 0 };
        int r = fd < 0 ? fd : 0;

        if (r == 0 && (cmd == FS_IOC_SETFLAGS || cmd == FS_IOC_FSSETXATTR))
                r = view->config.read_only ? -EROFS : change(view, fd, cmd, in, in_size);
        else if (r == 0 && (cmd == FS_IOC_GETFLAGS || cmd == FS_IOC_FSGETXATTR))
                r = ioctl(fd, cmd, &out) < 0 ? -errno : 0;
        else if (r == 0)
                r = -ENOTTY;
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        size_t size = cmd == FS_IOC_GETFLAGS ? sizeof(unsigned)
                      : cmd == FS_IOC_FSGETXATTR ? sizeof out : 0;
        if (size > out_size)
                size = out_size;
        fuse_reply_ioctl(req, 0, &out, size);
}
