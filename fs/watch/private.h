/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the watcher share. */
#ifndef NSM_WATCH_PRIVATE_H
#define NSM_WATCH_PRIVATE_H

#include <fcntl.h>
#include <limits.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "fs/watch/watch.h"
#include "fs/worker.h"

/* An inode, as records tell it. */
struct nsm_watched_inode {
        uint64_t ino, birth;
        uint16_t type;
};

/* A view that is told. */
struct nsm_watched_view {
        uint64_t source; /* inode number of its source */
        pid_t pid;
        int pipe_fd; /* owned */
        size_t used; /* of @out */
        char out[PIPE_BUF] __attribute__((aligned(8)));
};

/* Directories whose place is known; a power of two. */
#define NSM_WATCH_PLACES 4096u
/* Bytes of a file handle that is worth remembering: ext4 has 8, btrfs 20 and 40. */
#define NSM_WATCH_HANDLE_MAX 40

/* In which volume a directory lies. */
struct nsm_watched_place {
        uint64_t generation; /* current, or the entry is empty */
        uint64_t source;     /* inode number of the volume's source; 0: in none */
        uint64_t ino, birth;
        int handle_type;
        unsigned handle_bytes;
        unsigned char handle[NSM_WATCH_HANDLE_MAX];
};

struct nsm_watch {
        int socket_fd;  /* -1: has ended */
        bool stay;
        int group_fd;   /* fanotify; -1: no view yet */
        int mount_fd;   /* the root directory of a mount that holds all sources */
        dev_t device;
        struct nsm_watched_view **views; /* owned, each */
        size_t n_views;
        bool twins; /* two views have one source */
        uint64_t generation; /* of places: goes up when a directory has been moved */
        struct nsm_watched_place *places; /* owned */
};

/* Makes the group and marks the filesystem of @source_fd. 0 or -errno. */
int nsm_watch_open(struct nsm_watch *watch, int source_fd);

/* Which directory a handle names, and in which volume it lies (0: in none). 0 or -errno. */
int nsm_watch_find_place(struct nsm_watch *watch, struct file_handle *handle,
                         struct nsm_watched_place *ret);

/* Opens a handle and looks. 0, or -ESTALE and the like when it is gone. */
int nsm_watch_look(const struct nsm_watch *watch, struct file_handle *handle, int *ret_fd,
                   struct statx *ret);

static inline uint64_t nsm_watch_birth(const struct statx *stx)
{
        return stx->stx_mask & STATX_BTIME ? (uint64_t)stx->stx_btime.tv_sec * 1000000000u +
                                                     stx->stx_btime.tv_nsec
                                           : 0;
}

/* Reads what has happened and tells the views. 0, -EAGAIN, or -errno. */
int nsm_watch_read(struct nsm_watch *watch);

/* Writes what has been put into a view's buffer. */
void nsm_watch_flush(struct nsm_watched_view *view);

#endif
