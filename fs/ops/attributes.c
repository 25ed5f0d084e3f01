/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/ops/set-ids.h"
#include "fs/view/resolve.h"

static int stat_node(struct nsm_view *view, fuse_ino_t node, struct fuse_file_info *fi,
                     struct statx *ret)
{
        int fd = fi ? nsm_handle_fd(view, fi) : -EBADF;

        return fd >= 0 ? nsm_statx(fd, "", ret) : nsm_node_stat(view, node, ret);
}

void nsm_op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        struct nsm_view *view = nsm_view_of(req);
        struct statx stx;
        struct stat attr;

        int r = stat_node(view, node, fi, &stx);
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        nsm_view_show(view, &stx, &attr);
        fuse_reply_attr(req, &attr, nsm_attr_timeout(nsm_fs_of(req), node));
}

int nsm_op_show_statx(struct nsm_view *view, fuse_ino_t node, struct fuse_file_info *fi,
                      struct statx *ret)
{
        struct stat attr;

        int r = stat_node(view, node, fi, ret);
        if (r < 0)
                return r;
        nsm_view_show(view, ret, &attr);
        ret->stx_ino = attr.st_ino;
        ret->stx_uid = attr.st_uid;
        ret->stx_gid = attr.st_gid;
        return 0;
}

#if NSM_HAVE_FUSE_STATX
void nsm_op_statx(fuse_req_t req, fuse_ino_t node, int flags, int mask, struct fuse_file_info *fi)
{
        struct statx stx;

        int r = nsm_op_show_statx(nsm_view_of(req), node, fi, &stx);
        if (r < 0)
                nsm_reply(req, r);
        else
                fuse_reply_statx(req, 0, &stx, nsm_attr_timeout(nsm_fs_of(req), node));
}
#endif

#define SETS_SOMETHING                                                                         \
        (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | FUSE_SET_ATTR_SIZE |     \
         FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |                 \
         FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME)

/* What a setattr request asks for, in storage ids. */
struct change {
        int to_set; /* FUSE_SET_ATTR_* */
        mode_t mode;
        uid_t uid; /* (uid_t)-1: stays */
        gid_t gid;
        off_t size;
        struct timespec times[2];
};

static int plan_change(const struct nsm_view *view, const struct stat *attr, int to_set,
                       struct change *ret)
{
        *ret = (struct change){ .to_set = to_set, .mode = attr->st_mode & 07777,
                                .uid = (uid_t)-1, .gid = (gid_t)-1, .size = attr->st_size };
        int r = 0;

        if (to_set & FUSE_SET_ATTR_UID)
                r = nsm_ids_store(&view->config.ids.uids, attr->st_uid, &ret->uid);
        if (r == 0 && (to_set & FUSE_SET_ATTR_GID))
                r = nsm_ids_store(&view->config.ids.gids, attr->st_gid, &ret->gid);
        ret->times[0].tv_nsec = ret->times[1].tv_nsec = UTIME_OMIT;
        if (to_set & FUSE_SET_ATTR_ATIME_NOW)
                ret->times[0].tv_nsec = UTIME_NOW;
        else if (to_set & FUSE_SET_ATTR_ATIME)
                ret->times[0] = attr->st_atim;
        if (to_set & FUSE_SET_ATTR_MTIME_NOW)
                ret->times[1].tv_nsec = UTIME_NOW;
        else if (to_set & FUSE_SET_ATTR_MTIME)
                ret->times[1] = attr->st_mtim;
        return r;
}

static int apply_owner(fuse_req_t req, struct nsm_thread *thread, int fd, const struct change *c)
{
        int r = nsm_set_ids_prepare_change(req, thread, fd, true, c->gid);

        if (r == 0 && chown(nsm_fd_path(fd).text, c->uid, c->gid) < 0)
                r = -errno;
        return r;
}

static int apply_mode(struct nsm_thread *thread, const char *path, mode_t mode)
{
        /* The kernel has taken S_ISGID away where the caller may not set it. */
        int r = nsm_thread_keep_set_ids(thread, mode & S_ISGID);

        if (r == 0 && fchmodat(AT_FDCWD, path, mode, 0) < 0)
                r = -errno;
        return r;
}

static int apply_size(fuse_req_t req, struct nsm_thread *thread, int fd, off_t size)
{
        int r = nsm_set_ids_prepare_change(req, thread, fd,
                                           nsm_extras_of(req).kill_set_ids, (gid_t)-1);

        return r < 0 ? r : nsm_fd_truncate(fd, size);
}

/* The owner before the mode, because a change of owner strips set-id bits. */
static int apply_change(fuse_req_t req, struct nsm_thread *thread, int fd, const struct change *c)
{
        struct nsm_fd_path path = nsm_fd_path(fd);
        int r = 0;

        if (!(c->to_set & SETS_SOMETHING))
                return nsm_set_ids_take_away(req, thread, fd);
        if (c->to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
                r = apply_owner(req, thread, fd, c);
        if (r == 0 && (c->to_set & FUSE_SET_ATTR_MODE))
                r = apply_mode(thread, path.text, c->mode);
        if (r == 0 && (c->to_set & FUSE_SET_ATTR_SIZE))
                r = apply_size(req, thread, fd, c->size);
        if (r == 0 && (c->times[0].tv_nsec != UTIME_OMIT || c->times[1].tv_nsec != UTIME_OMIT))
                r = utimensat(AT_FDCWD, path.text, c->times, 0) < 0 ? -errno : 0;
        return r;
}

static int set_attributes(fuse_req_t req, fuse_ino_t node, const struct stat *attr, int to_set,
                          struct fuse_file_info *fi, struct statx *ret)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);
        int handle = fi ? nsm_handle_fd(view, fi) : -EBADF;
        cleanup_fd int fd = -1;
        struct change change;

        if (!thread)
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        int r = plan_change(view, attr, to_set, &change);
        if (r == 0 && handle < 0)
                r = nsm_node_open(view, node, O_PATH, &fd, NULL);
        if (r == 0)
                r = apply_change(req, thread, handle < 0 ? fd : handle, &change);
        if (r == 0)
                r = nsm_statx(handle < 0 ? fd : handle, "", ret);
        return r;
}

void nsm_op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
                    struct fuse_file_info *fi)
{
        bool nothing = !(to_set & SETS_SOMETHING);
        struct statx stx;
        struct stat shown;

        int r = set_attributes(req, node, attr, to_set, fi, &stx);
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        nsm_op_forget_listing(nsm_fs_of(req), node);
        nsm_view_show(nsm_view_of(req), &stx, &shown);
        /* After nothing a write comes that changes the mode, too: it must be asked for again. */
        fuse_reply_attr(req, &shown, nothing ? 0 : nsm_attr_timeout(nsm_fs_of(req), node));
}

void nsm_op_statfs(fuse_req_t req, fuse_ino_t node)
{
        struct statvfs stv;

        if (fstatvfs(nsm_view_of(req)->root_fd, &stv) < 0)
                nsm_reply(req, -errno);
        else
                fuse_reply_statfs(req, &stv);
}
