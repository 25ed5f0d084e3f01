/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the supervisor does for a worker, done by nsmountfs for itself when it stands alone. */
#ifndef NSM_NSMOUNTFS_MOUNT_H
#define NSM_NSMOUNTFS_MOUNT_H

#include "fs/nsmountfs-options.h"

/* A view that is mounted nowhere yet. All owned, -1 when absent. */
struct nsm_mount {
        int dir_fd;        /* the source directory itself, O_PATH */
        int source_fd;     /* detached mount of the source */
        int fuse_fd;       /* /dev/fuse of the new superblock */
        int view_fd;       /* its detached mount */
        int mountpoint_fd; /* where it will go */
};

#define NSM_MOUNT_INIT { -1, -1, -1, -1, -1 }

/* Checks both paths and makes the superblock. 0, or -errno with the reason. */
int nsm_mount_prepare(const struct nsm_options *options, struct nsm_mount *ret,
                      struct nsm_error *err);

/* Puts the view at its mountpoint. */
int nsm_mount_attach(const struct nsm_options *options, struct nsm_mount *mount,
                     struct nsm_error *err);

void nsm_mount_close(struct nsm_mount *mount);

#endif
