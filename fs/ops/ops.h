/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE operations over one view. Each checks, resolves, takes credentials,
 * calls the view or the storage, and replies exactly once.
 */
#ifndef NSM_OPS_OPS_H
#define NSM_OPS_OPS_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)
#endif

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/passthrough.h"
#include "fs/ops/wire.h"
#include "fs/view/entries.h"
#include "fs/view/locks.h"
#include "fs/view/view.h"
#include "fs/witness/witness.h"

/* How long the kernel may believe what it was told, and what it need not ask. */
struct nsm_policy {
        double entry_timeout; /* seconds, for names that exist */
        double attr_timeout;
        double negative_timeout; /* for names that do not */
        bool keep_cache;         /* pages and directories stay cached between opens */
        bool forward_locks;      /* others lock on the storage, too */
        bool opens_directories;  /* or they are read without a message before (streams.h) */
};

struct nsm_policy nsm_policy_for(enum nsm_coherence coherence);

/* What a session's operations get as userdata. */
struct nsm_fs {
        struct nsm_view *view;   /* borrowed */
        struct nsm_witness *witness; /* borrowed: who knows of callers */
        struct nsm_locks *locks; /* owned by the fs; NULL unless they are forwarded */
        struct nsm_lock_waiters {
                pthread_mutex_t lock;
                struct waiter *first;
                unsigned n;
        } waiters; /* threads that wait for a lock (file-locks.c) */
        struct nsm_policy policy;
        _Atomic bool has_passed; /* a file has been registered: cached pages may be old */
        struct fuse_session *fuse; /* borrowed: what the kernel is told unasked goes there */
        struct nsm_changes *changes; /* of a shared view, or NULL (changes.h) */
        void (*on_ready)(void *arg); /* called once INIT has been answered */
        void *on_ready_arg;
        struct nsm_transport *transport; /* borrowed: for its own use, not for operations */
        pthread_key_t extras_key; /* struct nsm_wire_extras of a thread's request in hand */
};

/* How many threads wait for locks of others, for as long as it takes. */
unsigned nsm_lock_waiters(struct nsm_fs *fs);

/* All operations, for fuse_session_new(). */
void nsm_ops_fill(struct fuse_lowlevel_ops *ret, const struct nsm_policy *policy);

/* Whose request it is. */
static inline struct nsm_fs *nsm_fs_of(fuse_req_t req)
{
        return fuse_req_userdata(req);
}

static inline struct nsm_view *nsm_view_of(fuse_req_t req)
{
        return nsm_fs_of(req)->view;
}

/* What libfuse leaves out of the calling thread's request. */
struct nsm_wire_extras nsm_extras_of(fuse_req_t req);

/*
 * Who creates. Of what creates nothing the kernel does not say who asks, once
 * the view may be id-mapped: then all ids are NSM_ID_INVALID.
 */
struct nsm_caller nsm_caller_of(fuse_req_t req);

/* Replies with @r, 0 or a negative errno, and counts it. */
void nsm_reply(fuse_req_t req, int r);

/* Replies with an entry, or takes its lookup back when nobody got the reply. */
void nsm_reply_entry(fuse_req_t req, const struct nsm_entry *entry);

void nsm_entry_param(const struct nsm_fs *fs, const struct nsm_entry *entry,
                     struct fuse_entry_param *ret);

/* How long the kernel may believe an inode's attributes, in seconds. Takes the view's lock. */
double nsm_attr_timeout(const struct nsm_fs *fs, uint64_t node);

/*
 * The descriptor of an open handle, or -EBADF. It stays open while the request
 * runs: the kernel sends RELEASE when nothing else uses the handle.
 */
int nsm_handle_fd(struct nsm_view *view, const struct fuse_file_info *fi);

/*
 * As nsm_handle_fd(), for what is done to a directory as well: one that was
 * opened without a message is opened now, for *ret_owned.
 */
int nsm_op_fd(struct nsm_fs *fs, fuse_ino_t node, const struct fuse_file_info *fi,
              int *ret_owned);

/* Whether an open handle is of a file that the kernel has registered (passthrough.h). */
bool nsm_handle_passes(struct nsm_view *view, const struct fuse_file_info *fi);

/*
 * Before a file is made that will be open: keeps a handle for it. 0 or -ENFILE,
 * so that nothing is made which nobody gets. nsm_handle_open() uses it up.
 */
int nsm_handle_reserve(struct nsm_view *view);
void nsm_handle_unreserve(struct nsm_view *view);

/*
 * Whether the storage will set the access time when this is read. The kernel
 * must then not serve it from what it has cached: it knows nothing of these
 * times (mount(2), MS_RELATIME).
 */
bool nsm_op_reading_moves_atime(const struct nsm_view *view, const struct statx *stx);

/*
 * Has the kernel read a directory again that was changed otherwise than in its
 * entries: '..', or a time after which reading it moves its atime. Nothing for
 * what it has not listed.
 */
void nsm_op_forget_listing(struct nsm_fs *fs, fuse_ino_t node);

/*
 * Makes a handle of *@fd, which is taken. A file may pass the worker by from then
 * on (passthrough.h): @fi says so. 0, -ENFILE or -ENOMEM.
 */
int nsm_handle_open(struct nsm_fs *fs, uint64_t node, int *fd, bool reserved,
                    struct fuse_file_info *fi);

/* Closes it. */
void nsm_handle_close(struct nsm_fs *fs, const struct fuse_file_info *fi);

/* names.c */
void nsm_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void nsm_op_forget(fuse_req_t req, fuse_ino_t node, uint64_t n);
void nsm_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void nsm_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void nsm_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void nsm_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void nsm_op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent, const char *name);
void nsm_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void nsm_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void nsm_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags);
void nsm_op_readlink(fuse_req_t req, fuse_ino_t node);

/* attributes.c */
void nsm_op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
                    struct fuse_file_info *fi);
void nsm_op_statfs(fuse_req_t req, fuse_ino_t node);

/* Attributes as the kernel is shown them. @fi: NULL, or an open handle. 0 or -errno. */
int nsm_op_show_statx(struct nsm_view *view, fuse_ino_t node, struct fuse_file_info *fi,
                      struct statx *ret);
#if NSM_HAVE_FUSE_STATX
void nsm_op_statx(fuse_req_t req, fuse_ino_t node, int flags, int mask,
                  struct fuse_file_info *fi);
#endif

/* files.c, data.c */
void nsm_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
void nsm_op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi);
void nsm_op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi);
void nsm_op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                 struct fuse_file_info *fi);
void nsm_op_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size, off_t off,
                  struct fuse_file_info *fi);
void nsm_op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi);
void nsm_op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
                  struct fuse_file_info *fi);
void nsm_op_copy_file_range(fuse_req_t req, fuse_ino_t node_in, off_t off_in,
                            struct fuse_file_info *fi_in, fuse_ino_t node_out, off_t off_out,
                            struct fuse_file_info *fi_out, size_t len, int flags);

/* directories.c */
void nsm_op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi);
void nsm_op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                        struct fuse_file_info *fi);
void nsm_op_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void nsm_op_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi);

/* xattrs.c */
void nsm_op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name, const char *value,
                     size_t size, int flags);
void nsm_op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size);
void nsm_op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);
void nsm_op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name);

/* inode-flags.c */
void nsm_op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg,
                  struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                  size_t out_size);

/* file-locks.c */
void nsm_op_getlk(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, struct flock *lock);
void nsm_op_setlk(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, struct flock *lock,
                  int sleep);
void nsm_op_flock(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi, int op);

#endif
