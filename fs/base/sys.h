/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one file of raw system calls: those that the oldest C library we build
 * with (glibc 2.36) has no wrapper for, and constants that its headers lack.
 * Every function returns a result or a negative errno, never -1 with errno.
 */
#ifndef NSM_BASE_SYS_H
#define NSM_BASE_SYS_H

#include <linux/openat2.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

/* openat2(2). Adds O_CLOEXEC. @resolve: RESOLVE_*. Returns a descriptor. */
int nsm_sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/* pivot_root(2), both paths relative to the working directory. */
int nsm_sys_pivot_root(const char *new_root, const char *put_old);

/*
 * fork(2) with a pidfd, and with @clone_flags (CLONE_NEW*) for the child
 * (clone(2)). Returns 0 in the child, in the parent the child's pid; the
 * parent owns *ret_pidfd, which is close-on-exec. Single-threaded callers only.
 */
pid_t nsm_sys_fork(uint64_t clone_flags, int *ret_pidfd);

/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). */
int nsm_sys_pidfd_open(pid_t pid);
int nsm_sys_pidfd_send_signal(int pidfd, int sig);
int nsm_sys_pidfd_getfd(int pidfd, int fd);

/* setfsuid(2) and setfsgid(2) of the calling thread alone; setresuid(2), setresgid(2) likewise. */
int nsm_sys_set_fsuid(uid_t uid);
int nsm_sys_set_fsgid(gid_t gid);
int nsm_sys_set_thread_ids(uid_t uid, gid_t gid);

/* setgroups(2) of the calling thread alone. */
int nsm_sys_set_groups(size_t count, const gid_t *groups);

/* The mount's id (STATX_MNT_ID, as in mountinfo) of what @path names below @dirfd. */
int nsm_sys_mount_id(int dirfd, const char *path, int flags, uint64_t *ret);

/*
 * The same as a number that is never used again (STATX_MNT_ID_UNIQUE, Linux
 * 6.8); -EOPNOTSUPP before.
 */
int nsm_sys_unique_mount_id(int dirfd, const char *path, int flags, uint64_t *ret);

/*
 * statmount(2), Linux 6.11: whether the mount with the unique number @mount_id
 * is in the mount namespace with the unique number @namespace_id, and the
 * device of its superblock. -ENOENT: it is not; -ENOSYS or -EINVAL: the kernel
 * is older.
 */
int nsm_sys_statmount_device(uint64_t namespace_id, uint64_t mount_id, dev_t *ret);

/* kcmp(2): 0 when two tasks share the resource @type (KCMP_*), positive when not. */
int nsm_sys_kcmp(pid_t a, pid_t b, int type);

/*
 * capset(2) for the calling thread: the effective and permitted sets as bit
 * masks (1 << CAP_*), nothing inheritable.
 */
int nsm_sys_set_capabilities(uint64_t effective, uint64_t permitted);

/* capget(2): the permitted set of the calling thread. */
int nsm_sys_get_capabilities(uint64_t *ret_permitted);

#endif
