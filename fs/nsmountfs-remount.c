/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-remount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"

/* What a remount sets or clears. nodev is the business of devices=. */
#define CHANGEABLE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | \
                    MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME)

static bool is_view(uint64_t mount_id)
{
        cleanup_file FILE *f = fopen("/proc/self/mountinfo", "re");
        cleanup_free char *line = NULL;
        size_t size = 0;

        while (f && getline(&line, &size, f) > 0) {
                unsigned long long id;

                if (sscanf(line, "%llu", &id) == 1 && id == mount_id)
                        return strstr(line, " - fuse.nsmountfs ") != NULL;
        }
        return false;
}

static int set_superblock(int root, bool read_only)
{
        cleanup_fd int fs = fspick(root, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, read_only ? "ro" : "rw", NULL, 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
                return -errno;
        return 0;
}

/*
 * Whether the worker writes, asked through a mount of our own: removing an
 * attribute that is not there changes nothing.
 */
static bool is_writable(int root)
{
        cleanup_fd int tree = open_tree(root, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
                                        OPEN_TREE_CLOEXEC);
        struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
        char path[40];

        if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return false;
        snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
        return removexattr(path, "user.nsmount.none") == 0 || errno != EROFS;
}

int nsm_remount(const struct nsm_options *options, struct nsm_error *err)
{
        const char *path = options->mountpoint;
        cleanup_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct mount_attr attr = { .attr_set = options->mount_attr & CHANGEABLE,
                                   .attr_clr = CHANGEABLE };
        bool read_only = options->view.read_only;
        uint64_t id;

        if (root < 0)
                return nsm_error_set(err, -errno, "mountpoint %s: %m", path);
        if (nsm_sys_mount_id(root, "", AT_EMPTY_PATH, &id) < 0 || !is_view(id))
                return nsm_error_set(err, -EINVAL, "no view is mounted at %s: mount it without "
                                     "remount", path);
        int r = set_superblock(root, read_only);
        if (r == 0 && !read_only && !is_writable(root)) {
                set_superblock(root, true);
                return nsm_error_set(err, -EROFS, "the view at %s was started read-only: "
                                     "unmount it and mount it with rw", path);
        }
        if (r == 0 && mount_setattr(root, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                r = -errno;
        errno = -r;
        return r < 0 ? nsm_error_set(err, r, "the view at %s cannot be remounted: %m", path) : 0;
}
