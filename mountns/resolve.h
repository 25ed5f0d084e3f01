/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a path leads in a container's root. */
#ifndef NSM_MOUNTNS_RESOLVE_H
#define NSM_MOUNTNS_RESOLVE_H

#include <limits.h>

/* As many symlinks as the kernel follows (path_resolution(7)). */
#define NSM_RESOLVE_LINKS_MAX 40

struct nsm_resolved {
        int dir;                 /* the directory, or -1 while its last component is missing */
        int parent;              /* then: where that could be made; else -1 */
        char name[NAME_MAX + 1]; /* then: its name */
};
#define NSM_RESOLVED_INIT { -1, -1, "" }

/*
 * Resolves the absolute @path below the directory @root, where the caller's own
 * root should be: symlinks as a process there would follow them, absolute ones
 * from @root on, one component at a time. It is refused to climb out of the
 * root (-EXDEV), to follow links of procfs, which can lead anywhere, or more
 * than NSM_RESOLVE_LINKS_MAX (-ELOOP), and to make what a symlink names that
 * leads to nothing (-EEXIST). Others: -ENOTDIR, -ENOENT (above the last
 * component), -ENAMETOOLONG. *ret holds descriptors (O_PATH) on success only.
 */
int nsm_resolve(int root, const char *path, struct nsm_resolved *ret);

void nsm_resolved_clear(struct nsm_resolved *resolved);

#define cleanup_resolved __attribute__((cleanup(nsm_resolved_clear)))

#endif
