/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The four ioctls that read and set inode flags; every other one is refused. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fs/ops/ops.h"

/*
 * What a tenant may set. Project ids and their inheritance are the host's
 * (quotas), and the rest changes how the storage keeps the file. Immutable and
 * append-only pass: the storage asks for a capability that no worker has.
 */
#define FLAGS_SETTABLE                                                                          \
        (FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL |           \
         FS_DIRSYNC_FL | FS_COMPR_FL | FS_NOCOMP_FL | FS_NOCOW_FL | FS_TOPDIR_FL)
#define XFLAGS_SETTABLE                                                                         \
        (FS_XFLAG_SYNC | FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND | FS_XFLAG_NODUMP |               \
         FS_XFLAG_NOATIME)

static int set_flags(int fd, unsigned wanted)
{
        unsigned now = 0;

        if (ioctl(fd, FS_IOC_GETFLAGS, &now) < 0)
                return -errno;
        if ((now ^ wanted) & ~(unsigned)FLAGS_SETTABLE)
                return -EPERM;
        return ioctl(fd, FS_IOC_SETFLAGS, &wanted) < 0 ? -errno : 0;
}

static int set_extended(int fd, struct fsxattr wanted)
{
        struct fsxattr now = { 0 };

        if (ioctl(fd, FS_IOC_FSGETXATTR, &now) < 0)
                return -errno;
        if (((now.fsx_xflags ^ wanted.fsx_xflags) & ~(unsigned)XFLAGS_SETTABLE) ||
            now.fsx_projid != wanted.fsx_projid || now.fsx_extsize != wanted.fsx_extsize ||
            now.fsx_cowextsize != wanted.fsx_cowextsize)
                return -EPERM;
        return ioctl(fd, FS_IOC_FSSETXATTR, &wanted) < 0 ? -errno : 0;
}

static int change(int fd, unsigned cmd, const void *in, size_t in_size)
{
        struct fsxattr extended;
        unsigned flags;

        if (cmd == FS_IOC_SETFLAGS && in_size >= sizeof flags) {
                memcpy(&flags, in, sizeof flags);
                return set_flags(fd, flags);
        }
        if (cmd == FS_IOC_FSSETXATTR && in_size >= sizeof extended) {
                memcpy(&extended, in, sizeof extended);
                return set_extended(fd, extended);
        }
        return -EINVAL;
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
                r = view->config.read_only ? -EROFS : change(fd, cmd, in, in_size);
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
