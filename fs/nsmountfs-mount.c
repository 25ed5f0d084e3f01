/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "fs/base/device.h"

#define ATIME_ATTRS (MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME)

static int open_source(const char *path, int *ret, struct nsm_error *err)
{
        struct stat st;
        cleanup_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return nsm_error_set(err, -errno, "source %s: %m", path);
        if (fstat(fd, &st) < 0)
                return nsm_error_set(err, -errno, "source %s: %m", path);
        if (S_ISLNK(st.st_mode))
                return nsm_error_set(err, -ELOOP, "source %s is a symbolic link: name the "
                                     "directory itself", path);
        if (!S_ISDIR(st.st_mode))
                return nsm_error_set(err, -ENOTDIR, "source %s is not a directory", path);
        *ret = nsm_take_fd(&fd);
        return 0;
}

static int clone_source(const struct nsm_options *options, int *ret_dir, int *ret,
                        struct nsm_error *err)
{
        cleanup_fd int dir = -1;
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                   .propagation = MS_PRIVATE };

        if (options->view.read_only)
                attr.attr_set |= MOUNT_ATTR_RDONLY;
        /* The kernel leaves access times of a view to its storage. */
        if (options->atime) {
                attr.attr_set |= options->mount_attr & ATIME_ATTRS;
                attr.attr_clr |= ATIME_ATTRS;
        }
        int r = open_source(options->source, &dir, err);
        if (r < 0)
                return r;
        cleanup_fd int tree = open_tree(dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
                                        OPEN_TREE_CLOEXEC);
        if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return nsm_error_set(err, -errno, "source %s cannot be mounted: %m",
                                     options->source);
        *ret_dir = nsm_take_fd(&dir);
        *ret = nsm_take_fd(&tree);
        return 0;
}

static int open_fuse(int *ret, struct nsm_error *err)
{
        int r = nsm_device_open("/dev/fuse", O_RDWR, ret);

        if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
                return nsm_error_set(err, r, "there is no /dev/fuse: load the module with "
                                     "'modprobe fuse', or give it to this container");
        errno = -r;
        return r < 0 ? nsm_error_set(err, r, "/dev/fuse: %m") : 0;
}

#define PARAMETER_BYTES_MAX 256 /* of one string of fsconfig(2), with its NUL */

/*
 * What mount tables show: the source, or its end where it is longer than the
 * kernel takes. In full, because umount(8) takes a source for a mount, too, and
 * a word like "src" would be that of any view on the machine.
 */
static void name_source(const char *path, char *ret)
{
        cleanup_free char *full = realpath(path, NULL);
        const char *source = full ? full : path;
        size_t len = strlen(source);

        if (len < PARAMETER_BYTES_MAX)
                strcpy(ret, source);
        else
                snprintf(ret, PARAMETER_BYTES_MAX, "...%s",
                         source + len - (PARAMETER_BYTES_MAX - sizeof "..."));
}

static bool set_parameters(const struct nsm_options *options, int fs, int fuse_fd)
{
        char number[16], source[PARAMETER_BYTES_MAX];

        snprintf(number, sizeof number, "%d", fuse_fd);
        name_source(options->source, source);
        return fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_STRING, "subtype", "nsmountfs", 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_STRING, "fd", number, 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", "40000", 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) == 0 &&
               fsconfig(fs, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0) == 0 &&
               (!options->view.read_only ||
                fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0) &&
               fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

static int make_superblock(const struct nsm_options *options, int fuse_fd, int *ret,
                           struct nsm_error *err)
{
        cleanup_fd int fs = fsopen("fuse", FSOPEN_CLOEXEC);

        if (fs < 0 || !set_parameters(options, fs, fuse_fd))
                return nsm_error_set(err, -errno, "the kernel makes no FUSE superblock: %m");
        int fd = fsmount(fs, FSMOUNT_CLOEXEC, options->mount_attr);
        if (fd < 0)
                return nsm_error_set(err, -errno, "the view cannot be mounted: %m");
        *ret = fd;
        return 0;
}

int nsm_mount_prepare(const struct nsm_options *options, struct nsm_mount *ret,
                      struct nsm_error *err)
{
        struct nsm_mount mount = NSM_MOUNT_INIT;

        int r = clone_source(options, &mount.dir_fd, &mount.source_fd, err);
        if (r == 0) {
                mount.mountpoint_fd = open(options->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (mount.mountpoint_fd < 0)
                        r = nsm_error_set(err, -errno, "mountpoint %s: %m", options->mountpoint);
        }
        if (r == 0)
                r = open_fuse(&mount.fuse_fd, err);
        if (r == 0)
                r = make_superblock(options, mount.fuse_fd, &mount.view_fd, err);
        if (r < 0)
                nsm_mount_close(&mount);
        else
                *ret = mount;
        return r;
}

int nsm_mount_attach(const struct nsm_options *options, struct nsm_mount *mount,
                     struct nsm_error *err)
{
        if (move_mount(mount->view_fd, "", mount->mountpoint_fd, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return nsm_error_set(err, -errno, "mountpoint %s: %m", options->mountpoint);
        return 0;
}

void nsm_mount_close(struct nsm_mount *mount)
{
        nsm_close_fd(mount->dir_fd);
        nsm_close_fd(mount->source_fd);
        nsm_close_fd(mount->fuse_fd);
        nsm_close_fd(mount->view_fd);
        nsm_close_fd(mount->mountpoint_fd);
        *mount = (struct nsm_mount)NSM_MOUNT_INIT;
}
