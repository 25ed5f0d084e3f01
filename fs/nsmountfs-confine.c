/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define BIT(cap) ((uint64_t)1 << (cap))

static int failed(struct nsm_error *err, const char *what)
{
        return nsm_error_set(err, -errno, "the view cannot be confined: %s: %m", what);
}

/* A procfs of the own pid namespace, at no path: from it `..` leads nowhere. */
static int open_private_proc(int *ret, struct nsm_error *err)
{
        cleanup_fd int fs = fsopen("proc", FSOPEN_CLOEXEC);

        if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return failed(err, "proc");
        cleanup_fd int mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
                                          MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (mount_fd < 0)
                return failed(err, "proc");
        int fd = openat(mount_fd, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return failed(err, "proc/self/fd");
        *ret = fd;
        return 0;
}

static int change_root(int source_fd, struct nsm_error *err)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return failed(err, "private mounts");
        if (move_mount(source_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return failed(err, "move_mount of the source");
        if (fchdir(source_fd) < 0)
                return failed(err, "fchdir to the source");
        int r = nsm_sys_pivot_root(".", ".");
        if (r < 0) {
                errno = -r;
                return failed(err, "pivot_root");
        }
        if (umount2(".", MNT_DETACH) < 0)
                return failed(err, "umount of the old root");
        if (chdir("/") < 0)
                return failed(err, "chdir");
        return 0;
}

int nsm_confine_enter(int source_fd, int *ret_proc_fd, struct nsm_error *err)
{
        cleanup_fd int proc_fd = -1;

        if (unshare(NAMESPACES) < 0)
                return failed(err, "namespaces");
        int r = open_private_proc(&proc_fd, err);
        if (r == 0)
                r = change_root(source_fd, err);
        if (r == 0)
                *ret_proc_fd = nsm_take_fd(&proc_fd);
        return r;
}

/* What serving a view takes. */
static uint64_t capabilities_for(const struct nsm_view_config *config)
{
        return BIT(CAP_DAC_OVERRIDE) |  /* the kernel checked the tenant's permission already */
               BIT(CAP_SETUID) | BIT(CAP_SETGID) | /* to create as the caller (setfsuid) */
               (config->read_only ? 0 :
                BIT(CAP_CHOWN) |        /* owners change */
                BIT(CAP_FOWNER) |       /* modes, times, ACLs of files of others change */
                BIT(CAP_FSETID) |       /* raised only where S_ISGID is given by right */
                BIT(CAP_SETFCAP) |      /* file capabilities are written */
                (config->devices ? BIT(CAP_MKNOD) : 0));
}

static int limit_process(struct nsm_error *err)
{
        struct rlimit none = { 0, 0 };

        if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
                return failed(err, "core dumps");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failed(err, "no_new_privs");
        return 0;
}

int nsm_confine_drop(const struct nsm_view_config *config, struct nsm_error *err)
{
        uint64_t caps = capabilities_for(config);

        /* Changing fsuid must not take capabilities, and being id 0 must not give any. */
        if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                             SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                             SECBIT_NO_CAP_AMBIENT_RAISE |
                                             SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) < 0)
                return failed(err, "securebits");
        for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
                if (prctl(PR_CAPBSET_DROP, cap) < 0)
                        return failed(err, "bounding set");
        int r = nsm_sys_set_capabilities(caps, caps);
        if (r < 0) {
                errno = -r;
                return failed(err, "capabilities");
        }
        return limit_process(err);
}
