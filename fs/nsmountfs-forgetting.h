/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the kernel forget inodes when the view's table is full: a thread that
 * serves no request, started when it is needed for the first time. It takes a
 * kernel that knows FUSE_NOTIFY_PRUNE (Linux 6.18), which drops what nobody
 * uses and nothing else. No other message will do: FUSE_NOTIFY_INVAL_ENTRY
 * takes names from those who use them, and unmounts what is mounted there.
 */
#ifndef NSM_NSMOUNTFS_FORGETTING_H
#define NSM_NSMOUNTFS_FORGETTING_H

#include <pthread.h>
#include <stdbool.h>

#include "fs/view/view.h"

struct nsm_forgetting {
        struct nsm_view *view; /* borrowed */
        int fuse_fd;           /* borrowed */
        pthread_t thread;
        bool started; /* under the view's lock */
};

/* Both must live until nsm_forgetting_end(). */
void nsm_forgetting_init(struct nsm_forgetting *f, struct nsm_view *view, int fuse_fd);

/* Nobody waits for room from now on. Whether the thread has ended, too: in moments, or not. */
bool nsm_forgetting_end(struct nsm_forgetting *f);

#endif
