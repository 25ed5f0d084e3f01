/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static long result(long r)
{
        return r < 0 ? -errno : r;
}

int nsm_sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
        struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
        int r, tries = 0;

        /* EAGAIN: somebody renamed on the way, and the kernel cannot tell whether we got out. */
        do
                r = (int)result(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
        while (r == -EAGAIN && resolve && ++tries < 64);
        return r;
}

int nsm_sys_pivot_root(const char *new_root, const char *put_old)
{
        return (int)result(syscall(SYS_pivot_root, new_root, put_old));
}

pid_t nsm_sys_fork(uint64_t clone_flags, int *ret_pidfd)
{
        int pidfd = -1;
        struct clone_args args = {
                .flags = clone_flags | CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)&pidfd,
                .exit_signal = SIGCHLD,
        };
        long pid = result(syscall(SYS_clone3, &args, sizeof args));

        if (pid > 0)
                *ret_pidfd = pidfd;
        return (pid_t)pid;
}

int nsm_sys_pidfd_open(pid_t pid)
{
        return (int)result(syscall(SYS_pidfd_open, pid, 0));
}

int nsm_sys_pidfd_send_signal(int pidfd, int sig)
{
        return (int)result(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int nsm_sys_pidfd_getfd(int pidfd, int fd)
{
        return (int)result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

/* Both return the former id and never an error: a second call tells. */

int nsm_sys_set_fsgid(gid_t gid)
{
        return (gid_t)setfsgid(gid) != gid && (gid_t)setfsgid((gid_t)-1) != gid ? -EPERM : 0;
}

int nsm_sys_set_fsuid(uid_t uid)
{
        return (uid_t)setfsuid(uid) != uid && (uid_t)setfsuid((uid_t)-1) != uid ? -EPERM : 0;
}

int nsm_sys_set_thread_ids(uid_t uid, gid_t gid)
{
        long r = result(syscall(SYS_setresgid, gid, gid, gid));

        if (r == 0)
                r = result(syscall(SYS_setresuid, uid, uid, uid));
        return (int)r;
}

int nsm_sys_set_groups(size_t count, const gid_t *groups)
{
        return (int)result(syscall(SYS_setgroups, count, groups));
}

static int mount_id(int dirfd, const char *path, int flags, unsigned mask, uint64_t *ret)
{
        struct statx stx;

        if (statx(dirfd, path, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, mask, &stx) < 0)
                return -errno;
        if (!(stx.stx_mask & mask))
                return -EOPNOTSUPP;
        *ret = stx.stx_mnt_id;
        return 0;
}

int nsm_sys_mount_id(int dirfd, const char *path, int flags, uint64_t *ret)
{
        return mount_id(dirfd, path, flags, STATX_MNT_ID, ret);
}

int nsm_sys_unique_mount_id(int dirfd, const char *path, int flags, uint64_t *ret)
{
        return mount_id(dirfd, path, flags, STATX_MNT_ID_UNIQUE, ret);
}

/* linux/mount.h of kernel 6.11; the reply's fixed part is larger than what we ask for. */
struct statmount_request {
        uint32_t size;
        uint32_t spare;
        uint64_t mount_id;
        uint64_t mask;
        uint64_t namespace_id;
};

struct statmount_reply {
        uint32_t size;
        uint32_t options;
        uint64_t mask;
        uint32_t device_major;
        uint32_t device_minor;
        uint64_t rest[512];
};

int nsm_sys_statmount_device(uint64_t namespace_id, uint64_t id, dev_t *ret)
{
        enum { STATMOUNT_NUMBER = 457, SB_BASIC = 1 };
        struct statmount_request request = { .size = sizeof request, .mount_id = id,
                                             .mask = SB_BASIC, .namespace_id = namespace_id };
        struct statmount_reply reply = { 0 };
        long r = result(syscall(STATMOUNT_NUMBER, &request, &reply, sizeof reply, 0));

        if (r == 0)
                *ret = makedev(reply.device_major, reply.device_minor);
        return (int)r;
}

int nsm_sys_kcmp(pid_t a, pid_t b, int type)
{
        return (int)result(syscall(SYS_kcmp, a, b, type, 0, 0));
}

int nsm_sys_set_capabilities(uint64_t effective, uint64_t permitted)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };

        for (int i = 0; i < 2; i++) {
                data[i].effective = (uint32_t)(effective >> (32 * i));
                data[i].permitted = (uint32_t)(permitted >> (32 * i));
        }

        return (int)result(syscall(SYS_capset, &header, data));
}

int nsm_sys_get_capabilities(uint64_t *ret_permitted)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];
        long r = result(syscall(SYS_capget, &header, data));

        if (r == 0)
                *ret_permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
        return (int)r;
}
