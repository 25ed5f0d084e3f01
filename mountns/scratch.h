/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place where a graft gets ready: a mount namespace of the helper's own,
 * whose root is an empty tmpfs with three directories. The joiner's copy of
 * it, made across the container's user namespace, is what locks the flags.
 * Nothing of the host's tree is in it, so nothing can be forgotten there.
 */
#ifndef NSM_MOUNTNS_SCRATCH_H
#define NSM_MOUNTNS_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/error.h"

#define NSM_SCRATCH_VIEW "/view"

enum { NSM_DEVICE_COUNT = 6 };

/* Names of the device files of the host that a root shows. */
extern const char *const nsm_device_names[NSM_DEVICE_COUNT];

/* MOUNT_ATTR_RDONLY, NOSUID and NODEV of a graft. */
uint64_t nsm_scratch_attributes(bool read_only, bool nosuid, bool nodev);

/*
 * A detached mount of the view that has @attributes from the start: a clone of
 * the one behind @view_fd or, where the kernel cannot do that, another mount of
 * the superblock that serves @fuse_fd. @view_fd may be -1 to want the latter.
 */
int nsm_scratch_clone_view(int view_fd, int fuse_fd, uint64_t attributes, struct nsm_error *err);

/*
 * Detached read-only mounts of the host's device files; @ret has room for all,
 * -1 for one that the host lacks. In the host's mount namespace.
 */
void nsm_scratch_clone_devices(int *ret);

/*
 * Leaves the host's mount namespace: from now on / is the scratch tmpfs, with
 * the clone behind @clone_fd at /view and, with @api, the host's proc and sysfs
 * at /proc and /sys: the kernel mounts new ones in a user namespace only where
 * such are seen already.
 */
int nsm_scratch_enter(int clone_fd, bool api, struct nsm_error *err);

#endif
