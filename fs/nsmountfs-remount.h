/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `mount -o remount,...` of a view that stands alone. */
#ifndef NSM_NSMOUNTFS_REMOUNT_H
#define NSM_NSMOUNTFS_REMOUNT_H

#include "fs/nsmountfs-options.h"

/*
 * Makes the superblock at options->mountpoint read-only or writable, and gives
 * its mount the flags of options->mount_attr, all of them: mount(8) passes what
 * was set before, too. Ids, coherence and devices stay as they were when the
 * view was started; so does ro, when it was started with that: -EROFS.
 *
 * Host's namespaces, root. 0, or -errno with the reason and nothing changed.
 */
int nsm_remount(const struct nsm_options *options, struct nsm_error *err);

#endif
