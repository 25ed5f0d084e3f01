/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a view is made of before its worker runs: the FUSE superblock, a
 * detached mount of it, and a detached mount of the source. No path of the
 * host leads to any of them. Host's namespaces; waits for no worker.
 */
#ifndef NSM_NSMOUNTD_SUPERBLOCK_H
#define NSM_NSMOUNTD_SUPERBLOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "fs/base/error.h"

struct superblock_options {
        const char *name; /* TENANT/VOLUME */
        bool read_only;
        bool nosuid;
        bool nodev;
};

/*
 * *ret_fuse: the connection, /dev/fuse; *ret_mount: the detached mount;
 * *ret_device: of the superblock, as in mountinfo. Both descriptors are
 * close-on-exec. -ENOENT without /dev/fuse, -ENODEV without FUSE in the kernel,
 * -EPERM without privilege, each with a text.
 */
int superblock_new(const struct superblock_options *options, int *ret_fuse, int *ret_mount,
                   dev_t *ret_device, struct nsm_error *err);

/*
 * A detached mount of the directory behind @source_fd (O_PATH), nosuid, nodev
 * and private, without the mounts below it and those that come later. Shared,
 * as systemd has all mounts, it could not become a worker's root either.
 * A descriptor or a negative errno.
 */
int superblock_clone_source(int source_fd, bool read_only, struct nsm_error *err);

/* The device of a mount, which no request to its worker is made for. */
int superblock_get_device(int mount_fd, dev_t *ret);

/*
 * The kernel's control files of all FUSE connections, mounted detached and for
 * us alone. A descriptor, or a negative errno where the kernel has none.
 */
int superblock_open_control(void);

/* Ends a connection: everyone who waits in it gets an error. @control_fd may be -1. */
int superblock_abort(int control_fd, dev_t device);

#endif
