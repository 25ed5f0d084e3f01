/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/view/pins.h"
#include "fs/view/resolve.h"

/* A year: the kernel's own clock of cached names would end before "without end". */
#define TIMEOUT_ENDLESS 31536000.0
/* A change by others is seen within a second, whichever of name and attributes is older. */
#define TIMEOUT_SHARED 0.5
/*
 * Where stores through a mapping may change times that the kernel does not see: as
 * long as they stand still on any filesystem, a tick of its clock. Databases ask for
 * the size (lseek(2), fstat(2)) more often than that.
 */
#define TIMEOUT_MAPPED 0.004
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
                .opens_directories = true,
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

double nsm_attr_timeout(const struct nsm_fs *fs, uint64_t node)
{
        pthread_mutex_lock(&fs->view->lock);
        const struct nsm_inode *inode = nsm_table_get(&fs->view->table, node);
        bool mapped = inode && inode->mapped;
        pthread_mutex_unlock(&fs->view->lock);
        return mapped && fs->policy.attr_timeout > 0 ? TIMEOUT_MAPPED : fs->policy.attr_timeout;
}

void nsm_entry_param(const struct nsm_fs *fs, const struct nsm_entry *entry,
                     struct fuse_entry_param *ret)
{
        *ret = (struct fuse_entry_param){
                .ino = entry->node,
                .generation = entry->generation,
                .attr = entry->attr,
                .attr_timeout = nsm_attr_timeout(fs, entry->node),
                .entry_timeout = fs->policy.entry_timeout,
        };
}

void nsm_reply_entry(fuse_req_t req, const struct nsm_entry *entry)
{
        struct nsm_view *view = nsm_view_of(req);
        struct fuse_entry_param param;

        nsm_entry_param(nsm_fs_of(req), entry, &param);
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

int nsm_op_fd(struct nsm_fs *fs, fuse_ino_t node, const struct fuse_file_info *fi, int *ret_owned)
{
        bool dir = false;

        if (!fs->policy.opens_directories) {
                pthread_mutex_lock(&fs->view->lock);
                const struct nsm_inode *inode = nsm_table_get(&fs->view->table, node);
                dir = inode && S_ISDIR(inode->type);
                pthread_mutex_unlock(&fs->view->lock);
        }
        if (!dir)
                return nsm_handle_fd(fs->view, fi);
        int r = nsm_node_open(fs->view, node, O_RDONLY | O_DIRECTORY, ret_owned, NULL);
        return r < 0 ? r : *ret_owned;
}

bool nsm_handle_passes(struct nsm_view *view, const struct fuse_file_info *fi)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_handle *handle = nsm_handles_get(&view->handles, fi->fh);
        bool passes = handle && handle->backing;
        pthread_mutex_unlock(&view->lock);
        return passes;
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

/* Under the lock. @backing: of this file if it is the first that is open; taken if so. */
static int add_handle(struct nsm_view *view, uint64_t node, int *fd, int *backing,
                      struct fuse_file_info *fi)
{
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        const struct nsm_handle *other = nsm_handles_of(&view->handles, (uint32_t)node);
        int shared = other ? other->backing : *backing;
        uint64_t number;

        if (!inode)
                return -ESTALE;
        int r = nsm_handles_add(&view->handles, *fd, (uint32_t)node, &number);
        if (r < 0)
                return r;
        nsm_handles_get(&view->handles, number)->backing = shared;
        if (!other)
                *backing = 0;
        nsm_take_fd(fd);
        inode->opens++;
        inode->mapped |= shared && (fi->flags & O_ACCMODE) == O_RDWR;
        fi->fh = number;
        fi->backing_id = shared;
        return 0;
}

/* Whether it would be the first open file of its inode, and one that can pass the worker by. */
static bool may_register(struct nsm_view *view, uint64_t node, bool reserved)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool may = inode && S_ISREG(inode->type) &&
                   !nsm_handles_of(&view->handles, (uint32_t)node) &&
                   (reserved || has_handle_for_file(view));
        pthread_mutex_unlock(&view->lock);
        return may;
}

int nsm_handle_open(struct nsm_fs *fs, uint64_t node, int *fd, bool reserved,
                    struct fuse_file_info *fi)
{
        struct nsm_view *view = fs->view;
        int backing = may_register(view, node, reserved) ? nsm_passthrough_register(fs, *fd) : 0;

        pthread_mutex_lock(&view->lock);
        struct nsm_inode *inode = nsm_table_get(&view->table, node);
        bool dir = inode && S_ISDIR(inode->type);
        if (reserved)
                view->handles_reserved--;
        int r = !reserved && inode && !dir && !has_handle_for_file(view)
                        ? -ENFILE : add_handle(view, node, fd, &backing, fi);
        bool mapped = r == 0 && inode->mapped;
        pthread_mutex_unlock(&view->lock);
        nsm_passthrough_unregister(fs, backing);
        if (mapped && !reserved)
                nsm_passthrough_forget_times(fs, node);
        return r;
}

void nsm_handle_close(struct nsm_fs *fs, const struct fuse_file_info *fi)
{
        struct nsm_view *view = fs->view;
        int backing = 0;

        pthread_mutex_lock(&view->lock);
        nsm_pin_at_close(view, fi->fh);
        struct nsm_handle *handle = nsm_handles_get(&view->handles, fi->fh);
        struct nsm_inode *inode = handle ? nsm_table_get(&view->table, handle->node) : NULL;
        if (inode && inode->opens)
                inode->opens--;
        if (handle && nsm_handles_is_last(&view->handles, fi->fh))
                backing = handle->backing; /* inode->mapped stays: so may a mapping */
        int fd = nsm_handles_remove(&view->handles, fi->fh);
        pthread_mutex_unlock(&view->lock);
        nsm_close_fd(fd);
        nsm_passthrough_unregister(fs, backing);
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

/*
 * Then what the kernel has read stays until an entry changes, or it is told. That
 * asks for cookies that outlive a descriptor (those of tmpfs do since Linux 6.6).
 */
static bool can_read_unopened(const struct nsm_fs *fs, struct fuse_conn_info *conn)
{
        return fs->policy.keep_cache && fs->view->atime != NSM_ATIME_STRICT &&
               fuse_set_feature_flag(conn, FUSE_CAP_NO_OPENDIR_SUPPORT) &&
               fuse_get_feature_flag(conn, FUSE_CAP_PASSTHROUGH) && nsm_streams_suit(fs->view);
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
        nsm_passthrough_ask(fs, conn);
        fs->policy.opens_directories = !can_read_unopened(fs, conn);
        atomic_store(&fs->view->stats->unopened, !fs->policy.opens_directories);
        if (fs->policy.keep_cache && fs->policy.opens_directories)
                nsm_log(LOG_INFO, "directories are opened by requests: that takes Linux 6.9, a "
                        "storage with cookies of its own, and no strictatime");
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
