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
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/device.h"
#include "fs/base/sys.h"
#include "fs/nsmountfs-filter.h"
#include "fs/view/thread.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define BIT(cap) ((uint64_t)1 << (cap))

static int failed(struct nsm_error *err, const char *what)
{
        return nsm_error_set(err, -errno, "the view cannot be confined: %s: %m", what);
}

/*
 * The own descriptors as a procfs shows them, on a mount that has its root there
 * and is at no path: `..` leads nowhere, so there is no exe and no map_files,
 * which are files of the host. Read-only, which does not hold for what the
 * descriptors are of.
 */
static int open_own_descriptors(int *ret, struct nsm_error *err)
{
        cleanup_fd int fs = fsopen("proc", FSOPEN_CLOEXEC);

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return failed(err, "proc");
        cleanup_fd int proc = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        /* A part is only taken of what is mounted in this namespace: for a moment, then. */
        if (proc < 0 || move_mount(proc, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return failed(err, "proc");
        cleanup_fd int part = open_tree(proc, "self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (part < 0 || fchdir(proc) < 0 || umount2(".", MNT_DETACH) < 0)
                return failed(err, "proc/self/fd");
        *ret = nsm_take_fd(&part);
        return 0;
}

static int change_root(int source_fd, struct nsm_error *err)
{
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

/*
 * Standard input and output become descriptors by which nothing can be done. A
 * terminal, or /dev/null, that takes the log stays, and cannot be changed by it.
 */
static int replace_streams(int source_fd, struct nsm_error *err)
{
        cleanup_fd int nothing = openat(source_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        cleanup_fd int log = -1;
        struct stat st;

        if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
                return failed(err, "standard streams");
        if (fstat(STDERR_FILENO, &st) < 0 || !S_ISCHR(st.st_mode))
                return 0;
        int r = nsm_device_open("/proc/self/fd/2", O_WRONLY | O_NOCTTY, &log);
        /* One of another mount namespace, as a container's terminal may be, says nothing more. */
        if (dup2(r == 0 ? log : nothing, STDERR_FILENO) < 0)
                return failed(err, "standard streams");
        return 0;
}

/* With privilege: namespaces, root directory, and what is seen of proc. */
static int enter(int source_fd, int *ret_proc_fd, struct nsm_error *err)
{
        cleanup_fd int proc_fd = -1;

        int r = replace_streams(source_fd, err);
        if (r < 0)
                return r;
        if (unshare(NAMESPACES) < 0)
                return failed(err, "namespaces");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return failed(err, "private mounts");
        r = open_own_descriptors(&proc_fd, err);
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
                BIT(CAP_SETFCAP));      /* file capabilities are written */
}

/*
 * What the host's root may do through the view, and nobody else, as the kernel
 * sees to; without them, as in a container, it is refused. And what makes it fast.
 */
static uint64_t optional_capabilities_for(const struct nsm_view_config *config)
{
        return BIT(CAP_SYS_NICE) |      /* a thread gives way to its caller, and no longer */
               BIT(CAP_SYS_ADMIN) |     /* raised for trusted.* and security.* attributes */
               (config->read_only ? 0 :
                BIT(CAP_MKNOD) |        /* device nodes are made */
                BIT(CAP_LINUX_IMMUTABLE)); /* raised where inode flags change */
}

static int limit_process(struct nsm_error *err)
{
        struct rlimit none = { 0, 0 };

        if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
                return failed(err, "core dumps");
        /* Not RLIMIT_NPROC: user id 0 is not held to it. */
        if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
                return failed(err, "limits");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return failed(err, "no_new_privs");
        return 0;
}

/* Keeps the capabilities that serving takes, for good. */
static int drop(const struct nsm_view_config *config, struct nsm_error *err)
{
        uint64_t permitted = 0;
        int r = nsm_sys_get_capabilities(&permitted);

        /* Changing fsuid must not take capabilities, and being id 0 must not give any. */
        if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                             SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                             SECBIT_NO_CAP_AMBIENT_RAISE |
                                             SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) < 0)
                return failed(err, "securebits");
        for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
                if (prctl(PR_CAPBSET_DROP, cap) < 0)
                        return failed(err, "bounding set");
        permitted = capabilities_for(config) | (optional_capabilities_for(config) & permitted);
        if (r == 0)
                r = nsm_sys_set_capabilities(permitted & ~NSM_CAPS_HELD_BACK, permitted);
        if (r < 0) {
                errno = -r;
                return failed(err, "capabilities");
        }
        return limit_process(err);
}

int nsm_confine(const struct nsm_view_config *config, int source_fd, int *ret_proc_fd,
                struct nsm_error *err)
{
        cleanup_fd int proc_fd = -1;

        int r = enter(source_fd, &proc_fd, err);
        if (r == 0)
                r = drop(config, err);
        if (r == 0)
                r = nsm_filter_load(err);
        if (r == 0)
                *ret_proc_fd = nsm_take_fd(&proc_fd);
        return r;
}
