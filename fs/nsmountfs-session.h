/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serving a view's /dev/fuse descriptor, from INIT until it ends. */
#ifndef NSM_NSMOUNTFS_SESSION_H
#define NSM_NSMOUNTFS_SESSION_H

#include "fs/base/error.h"
#include "fs/view/view.h"

/* What is done at the moment when INIT has been answered. */
struct nsm_session_start {
        int ready_fd;    /* one byte is written to it, then it is closed; -1: none */
        int changes_fd;  /* the pipe of fs/worker.h; -1: none */
        int superblock_fd; /* of fspick(2), for the kernel to drop what it caches; -1: none */
        int witness_fd;  /* of nsm_witness_start() */
        bool background; /* standard error says nothing from then on */
};

/*
 * Serves requests until the superblock is gone or SIGTERM or SIGINT comes. The
 * descriptors go to it. The calling thread waits for signals; threads are
 * started as they are needed and go when idle. 0, or -errno with the reason.
 */
int nsm_session_serve(struct nsm_view *view, int fuse_fd, const struct nsm_session_start *start,
                      struct nsm_error *err);

#endif
