/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device nodes of the host that are given to a process which is not trusted. */
#ifndef NSM_BASE_DEVICE_H
#define NSM_BASE_DEVICE_H

/*
 * Opens a device node (open(2) with @flags) by a detached mount of its own that
 * is read-only: reading and writing work, as they do for every device on a
 * read-only mount, and mode, owner, times and attributes of the node cannot be
 * changed by the descriptor, whatever the process is capable of. Close-on-exec.
 * Needs CAP_SYS_ADMIN and /proc. 0 or -errno.
 */
int nsm_device_open(const char *path, int flags, int *ret);

#endif
