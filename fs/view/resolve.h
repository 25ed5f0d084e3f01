/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only code that turns node ids into descriptors. An inode is found again
 * by its links: up to a directory that is open, then down one component at a
 * time, never through a symbolic link, and each step is checked to be the
 * inode that the table means. What is not there any more is -ESTALE, which
 * makes the kernel look its names up again.
 *
 * Nothing here may be called by a thread that holds one of the view's locks.
 */
#ifndef NSM_VIEW_RESOLVE_H
#define NSM_VIEW_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/view/view.h"

/* What every statx(2) of a view asks for. */
#define NSM_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME)

/* An open directory (O_PATH) in use by one operation. */
struct nsm_dir {
        struct nsm_view *view; /* NULL: none */
        int fd;
        uint32_t slot; /* of the directory cache, or 0 */
        bool owned;    /* no room in the cache: closed by nsm_dir_put() */
};

/* Gives it back. Keeps errno. */
void nsm_dir_put(struct nsm_dir *dir);

#define cleanup_nsm_dir __attribute__((cleanup(nsm_dir_put)))

/*
 * The directory of a node id, which the kernel holds while the operation runs.
 * 0, -ENOTDIR, -EXDEV (foreign: shown, never entered), -ESTALE, or -errno.
 */
int nsm_dir_get(struct nsm_view *view, uint64_t node, struct nsm_dir *ret);

/* The attributes of a node as they are stored. One system call in the usual case. */
int nsm_node_stat(struct nsm_view *view, uint64_t node, struct statx *ret);

/*
 * Opens a node, with @flags of open(2), and makes sure that it is it. O_PATH: for
 * one to act on by nsm_fd_path(), which may be another way to what is open
 * already. Neither creates nor truncates, nor blocks on a FIFO. @ret_stx may be
 * NULL. The caller owns *ret_fd.
 */
int nsm_node_open(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                  struct statx *ret_stx);

/*
 * The same for a regular file's content. A lease that somebody on the storage has
 * (fcntl(2), F_SETLEASE; an NFS server's delegation) is waited for.
 */
int nsm_node_open_leased(struct nsm_view *view, uint64_t node, int flags, int *ret_fd,
                         struct statx *ret_stx);

/* statx(2) of @name in a directory, or of the descriptor itself when it is "". 0 or -errno. */
int nsm_statx(int dir_fd, const char *name, struct statx *ret);

#endif
