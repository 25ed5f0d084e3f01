/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/ops.h"

#include <errno.h>
#include <time.h>

#include "fs/base/cleanup.h"
#include "fs/view/pins.h"

/* A year: the kernel's own clock of cached names would end before "without end". */
#define TIMEOUT_ENDLESS 31536000.0
/* A change by others is seen within a second, whichever of name and attributes is older. */
#define TIMEOUT_SHARED 0.5
#define SECONDS_OF_DAY 86400

struct nsm_policy nsm_policy_for(enum nsm_coherence coherence)
{
        double timeout = coherence == NSM_COHERENCE_EXCLUSIVE ? TIMEOUT_ENDLESS
                         : coherence == NSM_COHERENCE_SHARED  ? TIMEOUT_SHARED : 0;

        return (struct nsm_policy){
                .entry_timeout = timeout,
                .attr_timeout = timeout,
                .negative_timeout = timeout,
                .keep_cache = coherence == NSM_COHERENCE_EXCLUSIVE,
                .forward_locks = coherence != NSM_COHERENCE_EXCLUSIVE,
        };
}

struct nsm_wire_extras nsm_extras_of(fuse_req_t req)
{
        const struct nsm_wire_extras *extras = pthread_getspecific(nsm_fs_of(req)->extras_key);

        return extras ? *extras : NSM_WIRE_EXTRAS_UNKNOWN;
}

struct nsm_caller nsm_caller_of(fuse_req_t req)
{
        const struct fuse_ctx *ctx = fuse_req_ctx(req);

        return (struct nsm_caller){ .uid = ctx->uid, .gid = ctx->gid, .umask = ctx->umask,
                                    .group = nsm_extras_of(req).group };
}

void nsm_reply(fuse_req_t req, int r)
{
        if (r < 0 && r != -ENOENT && r != -ENODATA)
                atomic_fetch_add_explicit(&nsm_view_of(req)->stats->errors, 1,
                                          memory_order_relaxed);
        fuse_reply_err(req, -r);
}

void nsm_entry_param(const struct nsm_policy *policy, const struct nsm_entry *entry,
                     struct fuse_entry_param *ret)
{
        *ret = (struct fuse_entry_param){
                .ino = entry->node,
                .generation = entry->generation,
                .attr = entry->attr,
                .attr_timeout = policy->attr_timeout,
                .entry_timeout = policy->entry_timeout,
        };
}

void nsm_reply_entry(fuse_req_t req, const struct nsm_entry *entry)
{
        struct nsm_view *view = nsm_view_of(req);
        struct fuse_entry_param param;

        nsm_entry_param(&nsm_fs_of(req)->policy, entry, &param);
        if (fuse_reply_entry(req, &param) < 0)
                nsm_entry_forget(view, entry->node, 1);
}

int nsm_handle_fd(struct nsm_view *view, const struct fuse_file_info *fi)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_handle *handle = nsm_handles_get(&view->handles, fi->fh);
        int fd = handle && handle->fd >= 0 ? handle->fd : -EBADF;
        pthread_mutex_unlock(&view->lock);
        return fd;
}

/* Under the lock. */
static bool has_handle_for_file(const struct nsm_view *view)
{
        return view->handles.used + view->handles_reserved < view->limits.file_handles;
}

int nsm_handle_reserve(struct nsm_view *view)
{
        pthread_mutex_lock(&view->lock);
        int r = has_handle_for_file(view) ? 0 : -ENFILE;
        if (r == 0)
                view->handles_reserved++;
        pthread_mutex_unlock(&view->lock);
        return r;
}

void nsm_handle_unreserve(struct nsm_view *view)
{
        pthread_mutex_lock(&view->lock);
        view->handles_reserved--;
        pthread_mutex_unlock(&view->lock);
}

int nsm_handle_open(struct nsm_view *view, uint64_t node, int *fd, bool reserved,
                    struct fuse_file_info *fi)
{
        uint64_t number;
        int r = 0;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        if (reserved)
                view->handles_reserved--;
        if (!inode)
                r = -ESTALE;
        else if (!reserved && !S_ISDIR(inode->type) && !has_handle_for_file(view))
                r = -ENFILE;
        else
                r = nsm_handles_add(&view->handles, *fd, (uint32_t)node, &number);
        if (r == 0) {
                nsm_take_fd(fd);
                inode->opens++;
                fi->fh = number;
        }
        pthread_mutex_unlock(&view->lock);
        return r;
}

void nsm_handle_close(struct nsm_view *view, const struct fuse_file_info *fi)
{
        pthread_mutex_lock(&view->lock);
        nsm_pin_at_close(view, fi->fh);
        struct nsm_handle *handle = nsm_handles_get(&view->handles, fi->fh);
        struct nsm_inode *inode = handle ? nsm_table_get(&view->table, handle->node) : NULL;
        if (inode && inode->opens)
                inode->opens--;
        int fd = nsm_handles_remove(&view->handles, fi->fh);
        pthread_mutex_unlock(&view->lock);
        nsm_close_fd(fd);
}

static bool is_after(struct statx_timestamp a, struct statx_timestamp b)
{
        return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

bool nsm_op_reading_moves_atime(const struct nsm_view *view, const struct statx *stx)
{
        if (view->atime != NSM_ATIME_RELATIVE)
                return view->atime == NSM_ATIME_STRICT;
        return !is_after(stx->stx_atime, stx->stx_mtime) ||
               !is_after(stx->stx_atime, stx->stx_ctime) ||
               time(NULL) - stx->stx_atime.tv_sec >= SECONDS_OF_DAY;
}

static void want(struct fuse_conn_info *conn, uint64_t flag, bool on)
{
        if (on)
                fuse_set_feature_flag(conn, flag);
        else
                fuse_unset_feature_flag(conn, flag);
}

static void init(void *userdata, struct fuse_conn_info *conn)
{
        struct nsm_fs *fs = userdata;

        want(conn, FUSE_CAP_ASYNC_READ, true);
        /* O_TRUNC comes as a request of its own, once the kernel knows that open(2) succeeds. */
        want(conn, FUSE_CAP_ATOMIC_O_TRUNC, false);
        want(conn, FUSE_CAP_IOCTL_DIR, true);
        want(conn, FUSE_CAP_READDIRPLUS, true);
        want(conn, FUSE_CAP_READDIRPLUS_AUTO, true);
        want(conn, FUSE_CAP_PARALLEL_DIROPS, true);
        want(conn, FUSE_CAP_ASYNC_DIO, true);
        want(conn, FUSE_CAP_DIRECT_IO_ALLOW_MMAP, true);
        want(conn, FUSE_CAP_CACHE_SYMLINKS, true); /* an inode's target never changes */
        /* Entries and default ACLs count; the storage applies the umask where they do not. */
        want(conn, FUSE_CAP_POSIX_ACL, true);
        want(conn, FUSE_CAP_DONT_MASK, true);
        /* The storage strips set-id bits and capabilities as it writes. */
        want(conn, FUSE_CAP_HANDLE_KILLPRIV_V2, true);
        want(conn, FUSE_CAP_SETXATTR_EXT, true); /* says when an ACL takes S_ISGID away */
        want(conn, FUSE_CAP_AUTO_INVAL_DATA, !fs->policy.keep_cache);
        want(conn, FUSE_CAP_POSIX_LOCKS, fs->policy.forward_locks);
        want(conn, FUSE_CAP_FLOCK_LOCKS, fs->policy.forward_locks);
        want(conn, FUSE_CAP_WRITEBACK_CACHE, false); /* no dirty data of ours */
        want(conn, FUSE_CAP_SPLICE_READ, false);
#ifdef FUSE_CAP_OVER_IO_URING
        want(conn, FUSE_CAP_OVER_IO_URING, false);
#endif
        conn->max_write = NSM_REQUEST_BYTES_MAX;
        conn->max_readahead = NSM_REQUEST_BYTES_MAX;
        conn->max_background = NSM_REQUESTS_BACKGROUND_MAX;
        conn->time_gran = 1;
}

void nsm_ops_fill(struct fuse_lowlevel_ops *ret, const struct nsm_policy *policy)
{
        *ret = (struct fuse_lowlevel_ops){
                .init = init,
                .lookup = nsm_op_lookup,
                .forget = nsm_op_forget,
                .forget_multi = nsm_op_forget_multi,
                .getattr = nsm_op_getattr,
                .setattr = nsm_op_setattr,
                .readlink = nsm_op_readlink,
                .mknod = nsm_op_mknod,
                .mkdir = nsm_op_mkdir,
                .unlink = nsm_op_unlink,
                .rmdir = nsm_op_rmdir,
                .symlink = nsm_op_symlink,
                .rename = nsm_op_rename,
                .link = nsm_op_link,
                .open = nsm_op_open,
                .read = nsm_op_read,
                .write = nsm_op_write,
                .flush = nsm_op_flush,
                .release = nsm_op_release,
                .fsync = nsm_op_fsync,
                .opendir = nsm_op_opendir,
                .readdir = nsm_op_readdir,
                .readdirplus = nsm_op_readdirplus,
                .releasedir = nsm_op_releasedir,
                .fsyncdir = nsm_op_fsyncdir,
                .statfs = nsm_op_statfs,
                .setxattr = nsm_op_setxattr,
                .getxattr = nsm_op_getxattr,
                .listxattr = nsm_op_listxattr,
                .removexattr = nsm_op_removexattr,
                .create = nsm_op_create,
                .tmpfile = nsm_op_tmpfile,
                .ioctl = nsm_op_ioctl,
                .fallocate = nsm_op_fallocate,
                .copy_file_range = nsm_op_copy_file_range,
                .lseek = nsm_op_lseek,
#if NSM_HAVE_FUSE_STATX
                .statx = nsm_op_statx,
#endif
        };
        if (policy->forward_locks) {
                ret->getlk = nsm_op_getlk;
                ret->setlk = nsm_op_setlk;
                ret->flock = nsm_op_flock;
        }
}
