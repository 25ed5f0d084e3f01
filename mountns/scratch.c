/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"

const char *const nsm_device_names[NSM_DEVICE_COUNT] = { "null",   "zero",    "full",
                                                         "random", "urandom", "tty" };

/* Their numbers, from the kernel's admin-guide/devices.txt. */
static const struct {
        unsigned major, minor;
} device_numbers[NSM_DEVICE_COUNT] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 } };

uint64_t nsm_scratch_attributes(bool read_only, bool nosuid, bool nodev)
{
        return (read_only ? MOUNT_ATTR_RDONLY : 0) | (nosuid ? MOUNT_ATTR_NOSUID : 0) |
               (nodev ? MOUNT_ATTR_NODEV : 0);
}

static int set_attributes(int fd, uint64_t set, uint64_t clear)
{
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = MS_PRIVATE };

        return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -errno : 0;
}

/*
 * Linux 5.8: a /dev/fuse that serves a superblock already gives that one again.
 * The options are those that the kernel wants to see, and not looked at.
 */
static int mount_again(int fuse_fd)
{
        cleanup_fd int fs = fsopen("fuse", FSOPEN_CLOEXEC);
        char number[16];

        snprintf(number, sizeof number, "%d", fuse_fd);
        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "nsmount", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "fd", number, 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", "40000", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -1;
        return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

int nsm_scratch_clone_view(int view_fd, int fuse_fd, uint64_t attributes, struct nsm_error *err)
{
        cleanup_fd int clone = open_tree(view_fd, "",
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        int r;

        if (clone < 0 && fuse_fd >= 0)
                clone = mount_again(fuse_fd);
        if (clone < 0)
                return nsm_error_set(err, -errno, "cannot clone the view's mount: %s",
                                     strerror(errno));
        r = set_attributes(clone, attributes, 0);
        if (r < 0)
                return nsm_error_set(err, r, "cannot set the flags of the graft: %s",
                                     strerror(-r));
        return nsm_take_fd(&clone);
}

void nsm_scratch_clone_devices(int *ret)
{
        for (int i = 0; i < NSM_DEVICE_COUNT; i++) {
                char path[32];
                struct stat st;

                snprintf(path, sizeof path, "/dev/%s", nsm_device_names[i]);
                ret[i] = -1;
                /* What stands at that path must be the device, not what someone put there. */
                if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode) ||
                    st.st_rdev != makedev(device_numbers[i].major, device_numbers[i].minor))
                        continue;
                ret[i] = open_tree(AT_FDCWD, path,
                                   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
                if (ret[i] < 0)
                        continue;
                if (set_attributes(ret[i], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                   MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NODEV) < 0)
                        nsm_close_fd(nsm_take_fd(&ret[i]));
        }
}

static int make_tmpfs(struct nsm_error *err)
{
        cleanup_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mnt = -1;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "16", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0711", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "source", "nsmount", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return nsm_error_set(err, -errno, "cannot make a tmpfs: %s", strerror(errno));
        mnt = fsmount(fs, FSMOUNT_CLOEXEC,
                      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (mnt < 0 || mkdirat(mnt, "view", 0755) < 0 || mkdirat(mnt, "proc", 0755) < 0 ||
            mkdirat(mnt, "sys", 0755) < 0)
                return nsm_error_set(err, -errno, "cannot make a tmpfs: %s", strerror(errno));
        return nsm_take_fd(&mnt);
}

/* With the atime behaviour that new mounts have: the kernel wants them equal. */
static int clone_for_visibility(const char *path)
{
        cleanup_fd int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (fd >= 0)
                set_attributes(fd, MOUNT_ATTR_RELATIME | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                               MOUNT_ATTR_NOEXEC, MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY);
        return nsm_take_fd(&fd);
}

/* Makes the mount behind @fd the root, and lets go of the former one. */
static int change_root(int fd)
{
        int r;

        if (move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(fd) < 0)
                return -errno;
        r = nsm_sys_pivot_root(".", ".");
        if (r == 0)
                return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
        /* On an initial ramfs, or in a chroot, only this is left. */
        return chroot(".") < 0 || chdir("/") < 0 ? -errno : 0;
}

static int place(int fd, const char *path)
{
        return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int nsm_scratch_enter(int clone_fd, bool api, struct nsm_error *err)
{
        cleanup_fd int tmpfs = -1, proc = -1, sys = -1;
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return nsm_error_set(err, -errno, "cannot make a mount namespace: %s",
                                     strerror(errno));
        tmpfs = make_tmpfs(err);
        if (tmpfs < 0)
                return tmpfs;
        if (api) {
                proc = clone_for_visibility("/proc");
                sys = clone_for_visibility("/sys");
        }
        r = change_root(tmpfs);
        if (r == 0)
                r = place(clone_fd, NSM_SCRATCH_VIEW);
        if (r == 0 && proc >= 0)
                r = place(proc, "/proc");
        if (r == 0 && sys >= 0)
                r = place(sys, "/sys");
        if (r < 0)
                return nsm_error_set(err, r, "cannot prepare a mount namespace: %s", strerror(-r));
        return 0;
}
