/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/view/thread.h"

static void count_drop(struct nsm_inode *inode, void *arg)
{
        struct nsm_view *view = arg;

        nsm_room_dropped(&view->room);
        if (inode->dir_slot)
                nsm_dircache_drop(&view->dirs, inode->dir_slot);
        if (inode->pin >= 0) {
                nsm_close_fd(inode->pin);
                view->pins--;
        }
        inode->dir_slot = 0;
        inode->pin = -1;
}

void nsm_view_identify(const struct nsm_view *view, const struct statx *stx,
                       struct nsm_identity *ret)
{
        dev_t dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
        bool elsewhere = dev != view->root_dev;
        bool has_birth = stx->stx_mask & STATX_BTIME;

        *ret = (struct nsm_identity){
                .ino = stx->stx_ino,
                .birth = has_birth ? (uint64_t)stx->stx_btime.tv_sec * 1000000000u +
                                             stx->stx_btime.tv_nsec
                                   : 0,
                .type = stx->stx_mode & S_IFMT,
                /* Files of overlayfs have other device numbers than its directories. */
                .foreign = elsewhere && S_ISDIR(stx->stx_mode),
        };
        if (elsewhere)
                ret->ino ^= (uint64_t)dev * 0x9e3779b97f4a7c15u;
}

void nsm_view_show(const struct nsm_view *view, const struct statx *stx, struct stat *ret)
{
        struct nsm_identity identity;

        nsm_view_identify(view, stx, &identity);
        *ret = (struct stat){
                .st_ino = identity.ino,
                .st_mode = stx->stx_mode,
                .st_nlink = stx->stx_nlink,
                .st_uid = nsm_ids_show(&view->config.ids.uids, stx->stx_uid),
                .st_gid = nsm_ids_show(&view->config.ids.gids, stx->stx_gid),
                .st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
                .st_size = (off_t)stx->stx_size,
                .st_blksize = stx->stx_blksize,
                .st_blocks = (blkcnt_t)stx->stx_blocks,
                .st_atim = { .tv_sec = stx->stx_atime.tv_sec, .tv_nsec = stx->stx_atime.tv_nsec },
                .st_mtim = { .tv_sec = stx->stx_mtime.tv_sec, .tv_nsec = stx->stx_mtime.tv_nsec },
                .st_ctim = { .tv_sec = stx->stx_ctime.tv_sec, .tv_nsec = stx->stx_ctime.tv_nsec },
        };
}

static int init_locks(struct nsm_view *view)
{
        pthread_rwlockattr_t attr;

        int r = pthread_rwlockattr_init(&attr);
        if (r != 0)
                return -r;
        /* Whoever has to look again must not wait for a stream of renames. */
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        r = pthread_rwlock_init(&view->changes, &attr);
        pthread_rwlockattr_destroy(&attr);
        if (r == 0)
                r = pthread_mutex_init(&view->lock, NULL);
        if (r == 0)
                r = pthread_key_create(&view->thread_key, nsm_thread_free);
        return -r;
}

static int init_tables(struct nsm_view *view, const struct statx *root)
{
        struct nsm_identity identity;
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return -errno;
        view->limits = nsm_limits_divide(files.rlim_cur,
                                         view->config.coherence != NSM_COHERENCE_EXCLUSIVE);
        view->root_dev = makedev(root->stx_dev_major, root->stx_dev_minor);
        nsm_view_identify(view, root, &identity);
        int r = nsm_table_init(&view->table, &identity);
        if (r < 0)
                return r;
        view->table.on_drop = count_drop;
        view->table.on_drop_arg = view;
        if (view->config.inodes && view->config.inodes < view->table.limit)
                view->table.limit = view->config.inodes;
        r = nsm_room_init(&view->room, view->table.limit);
        if (r == 0)
                r = nsm_dircache_init(&view->dirs, view->limits.directories);
        if (r == 0)
                r = nsm_handles_init(&view->handles, view->limits.handles);
        return r;
}

static enum nsm_atime atime_of(int root_fd)
{
        struct statvfs stv;

        if (fstatvfs(root_fd, &stv) < 0 || (stv.f_flag & (ST_NOATIME | ST_RDONLY)))
                return NSM_ATIME_NEVER;
        return stv.f_flag & ST_RELATIME ? NSM_ATIME_RELATIVE : NSM_ATIME_STRICT;
}

int nsm_view_new(const struct nsm_view_config *config, int root_fd, int proc_fd,
                 struct nsm_worker_stats *stats, struct nsm_view **ret, struct nsm_error *err)
{
        struct statx root;
        cleanup_free struct nsm_view *view = calloc(1, sizeof *view);
        cleanup_fd int path_fd = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (!view)
                return nsm_error_set(err, -ENOMEM, "no memory for the view");
        if (path_fd < 0 || statx(path_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
                                 &root) < 0)
                return nsm_error_set(err, -errno, "the source cannot be read: %m");
        view->table = (struct nsm_table)NSM_TABLE_INIT;
        view->config = *config;
        view->stats = stats;
        int r = init_locks(view);
        if (r == 0)
                r = init_tables(view, &root);
        if (r < 0) {
                errno = -r;
                return nsm_error_set(err, r, "the view's tables cannot be made: %m");
        }
        view->atime = atime_of(path_fd);
        view->root_fd = nsm_take_fd(&path_fd);
        view->proc_fd = proc_fd;
        nsm_close_fd(root_fd);
        *ret = nsm_take_ptr(view);
        return 0;
}

void nsm_view_free(struct nsm_view *view)
{
        if (!view)
                return;
        nsm_handles_free(&view->handles);
        nsm_streams_drop(view);
        nsm_dircache_free(&view->dirs);
        nsm_table_free(&view->table);
        nsm_room_free(&view->room);
        nsm_close_fd(view->root_fd);
        nsm_close_fd(view->proc_fd);
        nsm_ids_clear(&view->config.ids);
        pthread_key_delete(view->thread_key);
        pthread_mutex_destroy(&view->lock);
        pthread_rwlock_destroy(&view->changes);
        free(view);
}

void nsm_view_shrink(struct nsm_view *view)
{
        nsm_streams_drop(view);
        pthread_mutex_lock(&view->lock);
        nsm_table_shrink(&view->table);
        pthread_mutex_unlock(&view->lock);
}

void nsm_view_publish(struct nsm_view *view)
{
        struct nsm_worker_stats *stats = view->stats;

        pthread_mutex_lock(&view->lock);
        uint64_t descriptors = view->dirs.used + view->handles.used + view->pins;
        uint64_t inodes = nsm_table_count(&view->table);
        uint64_t bytes = nsm_table_bytes(&view->table);
        pthread_mutex_unlock(&view->lock);

        atomic_store_explicit(&stats->descriptors, descriptors, memory_order_relaxed);
        atomic_store_explicit(&stats->inodes, inodes, memory_order_relaxed);
        atomic_store_explicit(&stats->table_bytes, bytes, memory_order_relaxed);
        if (descriptors > atomic_load_explicit(&stats->descriptors_peak, memory_order_relaxed))
                atomic_store_explicit(&stats->descriptors_peak, descriptors, memory_order_relaxed);
}
