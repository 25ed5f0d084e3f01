/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "fs/base/cleanup.h"

int nsm_device_open(const char *path, int flags, int *ret)
{
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        cleanup_fd int node = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        char link[32];

        if (node < 0 || mount_setattr(node, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return -errno;
        snprintf(link, sizeof link, "/proc/self/fd/%d", node);
        int fd = open(link, flags | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}
