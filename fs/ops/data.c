/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The content of files. What a write has taken, the storage has: nothing is kept here. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/ops/changes.h"
#include "fs/ops/set-ids.h"
#include "fs/view/resolve.h"

/*
 * What O_DIRECT asks of offset and size; the kernel does the rest, and only it
 * knows where in memory the caller's buffer lies. 0 or -EINVAL.
 */
static int check_direct(int fd, const struct fuse_file_info *fi, size_t size, off_t off)
{
#ifdef STATX_DIOALIGN
        struct statx stx;

        if ((fi->flags & O_DIRECT) &&
            statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
            (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align &&
            (size | (size_t)off) % stx.stx_dio_offset_align)
                return -EINVAL;
#endif
        return 0;
}

static bool is_behind(int fd, off_t off)
{
        struct stat st;

        return fstat(fd, &st) == 0 && off >= st.st_size;
}

static ssize_t read_fully(int fd, char *buffer, size_t size, off_t off)
{
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, buffer + done, size - done, off + (off_t)done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return done ? (ssize_t)done : -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

void nsm_op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                 struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        struct nsm_thread *thread = nsm_thread_get(fs->view);
        uint64_t handle = fi->fh;
        int fd = nsm_handle_fd(fs->view, fi);
        char *buffer = thread && size <= NSM_REQUEST_BYTES_MAX ? nsm_thread_buffer(thread, size)
                                                               : NULL;

        if (fd < 0 || !buffer) {
                nsm_reply(req, fd < 0 ? fd : -ENOMEM);
                return;
        }
        ssize_t n = check_direct(fd, fi, size, off);
        if (n < 0 && is_behind(fd, off))
                n = 0; /* which is looked at first */
        else if (n == 0)
                n = read_fully(fd, buffer, size, off);
        if (n < 0)
                nsm_reply(req, (int)n);
        else
                fuse_reply_buf(req, buffer, (size_t)n);
        nsm_changes_note_pages(fs->changes, handle);
}

/* All of it, or as much as went before an error. */
static ssize_t write_fully(int fd, const char *data, size_t size, off_t off, int flags)
{
        size_t done = 0;

        while (done < size) {
                struct iovec iov = { .iov_base = (char *)data + done, .iov_len = size - done };
                ssize_t n = pwritev2(fd, &iov, 1, off + (off_t)done, flags);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return done ? (ssize_t)done : n < 0 ? -errno : -EIO;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

/*
 * Pages that were changed through a mapping. That takes no capabilities away;
 * write(2), by which the worker does it, would.
 */
static ssize_t write_pages(int fd, const char *data, size_t size, off_t off)
{
        static const char name[] = "security.capability";
        char caps[NSM_FILE_CAPS_SIZE_MAX];
        struct nsm_fd_path path = nsm_fd_path(fd);
        ssize_t had = getxattr(path.text, name, caps, sizeof caps);
        ssize_t n = write_fully(fd, data, size, off, 0);

        if (n > 0 && had > 0 &&
            setxattr(path.text, name, caps, (size_t)had, XATTR_CREATE) < 0 && errno != EEXIST)
                return -errno;
        return n;
}

/* Everything that may change a file's content: not read-only, and set-id bits as told. */
static int prepare_change(fuse_req_t req, struct fuse_file_info *fi, bool kill_set_ids)
{
        struct nsm_view *view = nsm_view_of(req);
        struct nsm_thread *thread = nsm_thread_get(view);

        if (!thread)
                return -errno;
        if (view->config.read_only)
                return -EROFS;
        int fd = nsm_handle_fd(view, fi);
        int r = fd < 0 ? fd : nsm_handle_passes(view, fi)
                        ? nsm_set_ids_prepare_change(req, thread, fd, kill_set_ids, (gid_t)-1)
                        : nsm_set_ids_prepare_write(thread, fd, kill_set_ids);
        return r < 0 ? r : fd;
}

void nsm_op_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size, off_t off,
                  struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        uint64_t handle = fi->fh;
        int fd = prepare_change(req, fi, nsm_extras_of(req).kill_set_ids);

        if (fd < 0) {
                nsm_reply(req, fd);
                return;
        }
        /* Where others append, too, the storage alone knows where the end is. */
        bool append = (fi->flags & O_APPEND) && !fs->policy.keep_cache;
        ssize_t n = fi->writepage ? 0 : check_direct(fd, fi, size, off);
        if (n == 0)
                n = fi->writepage ? write_pages(fd, data, size, off)
                                  : write_fully(fd, data, size, off, append ? RWF_APPEND : 0);
        if (n < 0)
                nsm_reply(req, (int)n);
        else
                fuse_reply_write(req, (size_t)n);
        nsm_changes_note_pages(fs->changes, handle);
}

void nsm_op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi)
{
        int fd = prepare_change(req, fi, false); /* a SETATTR came before it */

        nsm_reply(req, fd < 0 ? fd : fallocate(fd, mode, off, len) < 0 ? -errno : 0);
}

void nsm_op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
                  struct fuse_file_info *fi)
{
        int fd = nsm_handle_fd(nsm_view_of(req), fi);
        off_t at = fd < 0 ? -1 : lseek(fd, off, whence);

        if (at < 0)
                nsm_reply(req, fd < 0 ? fd : -errno);
        else
                fuse_reply_lseek(req, at);
}

void nsm_op_copy_file_range(fuse_req_t req, fuse_ino_t node_in, off_t off_in,
                            struct fuse_file_info *fi_in, fuse_ino_t node_out, off_t off_out,
                            struct fuse_file_info *fi_out, size_t len, int flags)
{
        struct nsm_view *view = nsm_view_of(req);
        int in = nsm_handle_fd(view, fi_in);
        int out = in < 0 ? in : prepare_change(req, fi_out, false); /* likewise */

        if (out < 0) {
                nsm_reply(req, out);
                return;
        }
        /* A reply counts 32 bits, and one request should not last for ever. */
        if (len > ((size_t)1 << 30))
                len = (size_t)1 << 30;
        ssize_t n = copy_file_range(in, &off_in, out, &off_out, len, (unsigned)flags);
        if (n > 0) /* its access time has moved, of which the kernel does not think */
                fuse_lowlevel_notify_inval_inode(nsm_fs_of(req)->fuse, node_in, -1, 0);
        if (n < 0)
                nsm_reply(req, -errno);
        else
                fuse_reply_write(req, (size_t)n);
}
