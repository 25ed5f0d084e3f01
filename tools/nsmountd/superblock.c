/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/superblock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/base/device.h"
#include "fs/base/sys.h"

static int open_fuse(struct nsm_error *err)
{
        int fd, r = nsm_device_open("/dev/fuse", O_RDWR, &fd);

        if (r == 0)
                return fd;
        if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
                return nsm_error_set(err, r, "/dev/fuse is not there: load the module with "
                                     "\"modprobe fuse\", or give this machine a kernel with FUSE");
        return nsm_error_set(err, r, "/dev/fuse: %s", strerror(-r));
}

/* The kernel's own words about a refused option, or the errno's. */
static int explain(int fs_fd, const char *what, struct nsm_error *err)
{
        int r = -errno;
        char text[256];
        ssize_t n = read(fs_fd, text, sizeof text - 1);

        if (n > 0)
                text[n] = '\0';
        if (r == -EPERM)
                return nsm_error_set(err, r, "%s: no privilege: nsmountd needs root with "
                                     "CAP_SYS_ADMIN in the initial user namespace", what);
        return nsm_error_set(err, r, "%s: %s", what, n > 2 ? text + 2 : strerror(-r));
}

static int set_options(int fs_fd, int fuse_fd, const struct superblock_options *options)
{
        char fd[16], source[256];
        const char *const strings[][2] = {
                { "source", source }, { "subtype", "nsmountfs" }, { "fd", fd },
                { "rootmode", "40000" }, { "user_id", "0" }, { "group_id", "0" },
        };
        const char *const flags[] = { "allow_other", "default_permissions",
                                      options->read_only ? "ro" : NULL };

        snprintf(fd, sizeof fd, "%d", fuse_fd);
        snprintf(source, sizeof source, "nsmount:%s", options->name);
        for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
                if (fsconfig(fs_fd, FSCONFIG_SET_STRING, strings[i][0], strings[i][1], 0) < 0)
                        return -errno;
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
                if (flags[i] && fsconfig(fs_fd, FSCONFIG_SET_FLAG, flags[i], NULL, 0) < 0)
                        return -errno;
        return fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

int superblock_new(const struct superblock_options *options, int *ret_fuse, int *ret_mount,
                   dev_t *ret_device, struct nsm_error *err)
{
        cleanup_fd int fuse = open_fuse(err);
        cleanup_fd int fs = -1;
        cleanup_fd int mount = -1;
        unsigned attributes = (options->nosuid ? MOUNT_ATTR_NOSUID : 0) |
                              (options->nodev ? MOUNT_ATTR_NODEV : 0) |
                              (options->read_only ? MOUNT_ATTR_RDONLY : 0);
        int r;

        if (fuse < 0)
                return fuse;
        fs = fsopen("fuse", FSOPEN_CLOEXEC);
        if (fs < 0 && errno == ENODEV)
                return nsm_error_set(err, -ENODEV, "the kernel has no FUSE: load the module with "
                                     "\"modprobe fuse\"");
        if (fs < 0 || set_options(fs, fuse, options) < 0)
                return explain(fs, "making a FUSE filesystem", err);
        mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
        if (mount < 0)
                return explain(fs, "mounting a FUSE filesystem", err);
        r = superblock_get_device(mount, ret_device);
        if (r < 0)
                return nsm_error_set(err, r, "looking at a FUSE mount: %s", strerror(-r));
        *ret_fuse = nsm_take_fd(&fuse);
        *ret_mount = nsm_take_fd(&mount);
        return 0;
}

int superblock_clone_source(int source_fd, bool read_only, struct nsm_error *err)
{
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                   .propagation = MS_PRIVATE };
        cleanup_fd int fd = open_tree(source_fd, "",
                                      AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (read_only)
                attr.attr_set |= MOUNT_ATTR_RDONLY;
        if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return nsm_error_set(err, -errno, "cannot take a mount of the source: %s",
                                     strerror(errno));
        return nsm_take_fd(&fd);
}

int superblock_get_device(int mount_fd, dev_t *ret)
{
        struct statx stx;

        /* With nothing asked for, FUSE answers from what it has: no request. */
        if (statx(mount_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) < 0)
                return -errno;
        *ret = makedev(stx.stx_dev_major, stx.stx_dev_minor);
        return 0;
}

int superblock_open_control(void)
{
        cleanup_fd int fs = fsopen("fusectl", FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fs, FSMOUNT_CLOEXEC,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? -errno : fd;
}

int superblock_abort(int control_fd, dev_t device)
{
        char name[32];
        cleanup_fd int fd = -1;

        if (control_fd < 0)
                return -EOPNOTSUPP;
        /* fs/fuse/control.c names a connection by its device's number, major 0. */
        snprintf(name, sizeof name, "%u/abort", minor(device));
        fd = openat(control_fd, name, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "1", 1) < 0)
                return -errno;
        return 0;
}
