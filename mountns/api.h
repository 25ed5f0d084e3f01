/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a root needs beside its files: the kernel's interfaces, devices, and
 * places to write. Mounted over the view while it is still apart.
 */
#ifndef NSM_MOUNTNS_API_H
#define NSM_MOUNTNS_API_H

#include <stdint.h>

#include "fs/base/error.h"
#include "mountns/joiner.h"

struct nsm_api_entry {
        const char *path;    /* in the new root, without the leading slash */
        const char *type;    /* of the filesystem */
        const char *options; /* comma separated, or NULL */
        uint64_t attributes; /* MOUNT_ATTR_* */
        int needs;           /* enum nsm_namespace that must be the container's, or -1 */
};

/* Ends with a NULL path; an entry comes after those that it lies below. */
extern const struct nsm_api_entry nsm_api_entries[];

/*
 * Mounts all of them in the tree below @root, by the joiner, in the container's
 * user namespace and a mount namespace of its own. What cannot be had is left
 * out, and said as a warning.
 */
void nsm_api_mount(struct nsm_joiner *joiner, int root);

/*
 * Opens a directory below @root for a mount, never through a symlink; makes it
 * when it is missing. A descriptor (O_PATH) or -errno.
 */
int nsm_api_open_directory(int root, const char *path);

/* A new mount of a filesystem, detached; options as in the table. A descriptor or -errno. */
int nsm_api_new_mount(const char *type, const char *options, uint64_t attributes);

/* A new proc of the container's pid namespace. */
int nsm_api_new_proc(struct nsm_joiner *joiner, uint64_t attributes);

#endif
