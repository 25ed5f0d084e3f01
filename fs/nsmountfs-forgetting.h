/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the kernel forget inodes when the view's table is full: a thread that
 * serves no request, started when it is needed for the first time. A kernel
 * that knows FUSE_NOTIFY_PRUNE (Linux 6.18) drops just those which nobody uses.
 * No other message will do: FUSE_NOTIFY_INVAL_ENTRY takes names from those who
 * use them, and unmounts what is mounted there.
 *
 * What is not enough then (a directory stays for each name that was looked up in
 * it and is not there), and what older kernels have, is what a remount does: all
 * that nobody uses goes. That takes the superblock, which a view of nsmountd has.
 */
#ifndef NSM_NSMOUNTFS_FORGETTING_H
#define NSM_NSMOUNTFS_FORGETTING_H

#include <pthread.h>
#include <stdbool.h>

#include "fs/view/view.h"

struct nsm_forgetting {
        struct nsm_view *view; /* borrowed */
        int fuse_fd;           /* borrowed */
        int superblock_fd;     /* of fspick(2), borrowed; -1: none */
        bool prunes;           /* the kernel knows the message */
        pthread_t thread;
        bool started; /* under the view's lock */
};

/* Both must live until nsm_forgetting_end(). */
void nsm_forgetting_init(struct nsm_forgetting *f, struct nsm_view *view, int fuse_fd,
                         int superblock_fd);

/* Nobody waits for room from now on. Whether the thread has ended, too: in moments, or not. */
bool nsm_forgetting_end(struct nsm_forgetting *f);

#endif
