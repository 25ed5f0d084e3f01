/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading directories. The cookie of an entry is the storage's own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/ops/ops.h"
#include "fs/view/resolve.h"
#include "fs/view/streams.h"

/* Bytes of one getdents64(2): a few entries more than the reply holds are read again. */
#define DENTS_MAX 32768
#define DENTS_MIN 1024

/* *@ret_moves_atime: whether listing it will. */
static int open_directory(struct nsm_fs *fs, fuse_ino_t node, struct fuse_file_info *fi,
                          bool *ret_moves_atime)
{
        struct nsm_view *view = fs->view;
        cleanup_nsm_dir struct nsm_dir dir = { 0 };
        cleanup_fd int fd = -1;
        struct statx stx;

        int r = nsm_dir_get(view, node, &dir);
        if (r == 0) {
                fd = openat(dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = fd < 0 ? -errno : nsm_statx(fd, "", &stx);
                *ret_moves_atime = r == 0 && nsm_op_reading_moves_atime(view, &stx);
        }
        if (r == -EXDEV) /* foreign: empty, without a descriptor */
                r = 0;
        return r < 0 ? r : nsm_handle_open(fs, node, &fd, false, fi);
}

/* The kernel caches what it is told from here on. */
static void note_listing(struct nsm_fs *fs, fuse_ino_t node)
{
        pthread_mutex_lock(&fs->view->lock);
        struct nsm_inode *inode = nsm_table_get(&fs->view->table, node);
        if (inode)
                inode->listed = fs->policy.keep_cache;
        pthread_mutex_unlock(&fs->view->lock);
}

void nsm_op_forget_listing(struct nsm_fs *fs, fuse_ino_t node)
{
        pthread_mutex_lock(&fs->view->lock);
        struct nsm_inode *inode = nsm_table_get(&fs->view->table, node);
        bool listed = inode && inode->listed;
        if (listed)
                inode->listed = false;
        pthread_mutex_unlock(&fs->view->lock);
        if (listed)
                fuse_lowlevel_notify_inval_inode(fs->fuse, node, 0, 0);
}

void nsm_op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        bool moves_atime = false;

        if (!fs->policy.opens_directories) {
                fuse_reply_err(req, ENOSYS); /* no error: the kernel asks no more */
                return;
        }
        int r = open_directory(fs, node, fi, &moves_atime);
        if (r < 0) {
                nsm_reply(req, r);
                return;
        }
        fi->keep_cache = fs->policy.keep_cache && !moves_atime;
        fi->cache_readdir = fs->policy.keep_cache;
        note_listing(fs, node);
        if (fuse_reply_open(req, fi) < 0)
                nsm_handle_close(fs, fi);
}

void nsm_op_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
        nsm_handle_close(nsm_fs_of(req), fi);
        nsm_reply(req, 0);
}

void nsm_op_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi)
{
        cleanup_fd int owned = -1;
        int r = nsm_op_fd(nsm_fs_of(req), node, fi, &owned);

        if (r >= 0)
                r = (datasync ? fdatasync(r) : fsync(r)) < 0 ? -errno : 0;
        nsm_reply(req, r);
}

/* One reply that is being filled. */
struct listing {
        fuse_req_t req;
        struct nsm_fs *fs;
        fuse_ino_t node;
        int fd;
        int64_t pos;  /* where the descriptor stands; -1: elsewhere */
        int64_t next; /* where whoever gets the reply goes on */
        bool plus;
        char *out; /* the reply */
        size_t size, used;
};

static bool is_dots(const char *name)
{
        return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* What is told of an entry that is not looked up. */
static struct stat plain_attr(const struct listing *l, const struct dirent64 *d)
{
        struct stat attr = { .st_ino = d->d_ino, .st_mode = (mode_t)d->d_type << 12 };

        if (l->node == NSM_TABLE_ROOT && strcmp(d->d_name, "..") == 0) {
                /* Nothing above the root is shown, not even its inode number. */
                pthread_mutex_lock(&l->fs->view->lock);
                attr.st_ino = nsm_table_get(&l->fs->view->table, NSM_TABLE_ROOT)->ino;
                pthread_mutex_unlock(&l->fs->view->lock);
        }
        return attr;
}

/* Adds an entry. 1: added; 0: no room; negative: it cannot be listed. */
static int add_plain(struct listing *l, const struct dirent64 *d)
{
        struct stat attr = plain_attr(l, d);
        size_t n = fuse_add_direntry(l->req, l->out + l->used, l->size - l->used, d->d_name, &attr,
                                     d->d_off);

        if (n > l->size - l->used)
                return 0;
        l->used += n;
        return 1;
}

static int add_plus(struct listing *l, const struct dirent64 *d)
{
        struct fuse_entry_param param = { 0 };
        struct nsm_entry entry = { 0 };
        size_t need = fuse_add_direntry_plus(l->req, NULL, 0, d->d_name, NULL, 0);

        if (need > l->size - l->used)
                return 0;
        int r = is_dots(d->d_name) ? -ENOENT
                                   : nsm_entry_list(l->fs->view, l->fd, l->node, d->d_name,
                                                    &entry);
        if (r == 0)
                nsm_entry_param(l->fs, &entry, &param);
        else
                param.attr = plain_attr(l, d); /* node 0: a name, and nothing known of it */
        l->used += fuse_add_direntry_plus(l->req, l->out + l->used, l->size - l->used, d->d_name,
                                          &param, d->d_off);
        return 1;
}

/* Fills the reply from what one getdents64(2) gave. Returns whether there is room for more. */
static bool add_entries(struct listing *l, const char *dents, size_t n)
{
        for (size_t at = 0; at < n;) {
                const struct dirent64 *d = (const struct dirent64 *)(dents + at);
                if ((l->plus ? add_plus(l, d) : add_plain(l, d)) == 0)
                        return false;
                l->next = d->d_off;
                at += d->d_reclen;
        }
        return true;
}

static int fill(struct listing *l, char *dents)
{
        /* As much as fits the reply at its smallest, so that little is read twice. */
        size_t chunk = l->plus ? l->size / 6 : l->size;
        chunk = chunk > DENTS_MAX ? DENTS_MAX : chunk < DENTS_MIN ? DENTS_MIN : chunk;

        if (l->pos != l->next && lseek(l->fd, l->next, SEEK_SET) < 0)
                return -errno;
        for (;;) {
                ssize_t n = getdents64(l->fd, dents, chunk);
                if (n < 0)
                        return l->used ? 0 : -errno;
                if (n == 0)
                        return 0;
                bool room = add_entries(l, dents, (size_t)n);
                l->pos = room ? l->next : -1; /* ahead of the reply */
                if (!room)
                        return 0;
        }
}

static int fill_foreign(struct listing *l)
{
        struct dirent64 d = { .d_ino = 1, .d_type = DT_DIR };

        for (int i = (int)l->next; i < 2; i++) {
                strcpy(d.d_name, i ? ".." : ".");
                d.d_off = i + 1;
                if (add_plain(l, &d) == 0)
                        break;
        }
        return 0;
}

/* By the handle of whoever has opened it. */
static int fill_opened(struct listing *l, const struct fuse_file_info *fi, char *dents)
{
        pthread_mutex_lock(&l->fs->view->lock);
        struct nsm_handle *handle = nsm_handles_get(&l->fs->view->handles, fi->fh);
        pthread_mutex_unlock(&l->fs->view->lock);
        if (!handle)
                return -EBADF;
        if (handle->fd < 0) {
                l->plus = false;
                return fill_foreign(l);
        }
        l->fd = handle->fd;
        l->pos = handle->dir_pos;
        int r = fill(l, dents);
        handle->dir_pos = l->pos;
        return r;
}

static int fill_unopened(struct listing *l, char *dents)
{
        struct nsm_stream stream;

        note_listing(l->fs, l->node);
        int r = nsm_stream_take(l->fs->view, l->node, l->next, &stream);
        if (r == -EXDEV) {
                l->plus = false;
                return fill_foreign(l);
        }
        if (r < 0)
                return r;
        l->fd = stream.fd;
        l->pos = stream.pos;
        r = fill(l, dents);
        stream.next = l->next;
        stream.pos = l->pos;
        if (r == 0 && l->used)
                nsm_stream_keep(l->fs->view, &stream);
        else
                nsm_close_fd(stream.fd);
        return r;
}

static void list(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                 struct fuse_file_info *fi, bool plus)
{
        struct nsm_fs *fs = nsm_fs_of(req);
        struct nsm_thread *thread = nsm_thread_get(fs->view);

        if (size > NSM_REQUEST_BYTES_MAX)
                size = NSM_REQUEST_BYTES_MAX;
        char *buffer = thread ? nsm_thread_buffer(thread, size + DENTS_MAX) : NULL;
        if (!buffer) {
                nsm_reply(req, -ENOMEM);
                return;
        }
        struct listing l = { .req = req, .fs = fs, .node = node, .next = off, .plus = plus,
                             .out = buffer + DENTS_MAX, .size = size };
        int r = fs->policy.opens_directories ? fill_opened(&l, fi, buffer)
                                             : fill_unopened(&l, buffer);
        if (r < 0)
                nsm_reply(req, r);
        else
                fuse_reply_buf(req, l.out, l.used);
}

void nsm_op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
        list(req, node, size, off, fi, false);
}

void nsm_op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
        list(req, node, size, off, fi, true);
}
