/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/ops/wire.h"

/* Nothing that is allowed as it is takes more by CAP_SYS_ADMIN than the README says. */
static const char *const allowed[] = {
        /* the session: /dev/fuse, descriptors that were given at the start */
        "read", "readv", "write", "writev", "poll", "ppoll", "recvfrom", "recvmsg", "close",
        "close_range", "dup", "dup2", "dup3",
        /* names; whichever the C library takes for the one that we called */
        "openat", "openat2", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat",
        "link", "linkat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
        "readlink", "readlinkat", "getdents64", "chdir", "fchdir", "getcwd",
        /* attributes */
        "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs", "access",
        "faccessat", "faccessat2", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown",
        "fchown", "fchownat", "utimensat", "umask", "open",
        "getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr", "fsetxattr",
        "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
        /* content */
        "lseek", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "truncate",
        "ftruncate", "fallocate", "copy_file_range", "fsync", "fdatasync", "sync_file_range",
        "syncfs", "fadvise64", "flock",
        /* the caller's credentials, of one thread each */
        "setfsuid", "setfsgid", "setgroups", "getgroups", "capget", "capset", "getuid", "geteuid",
        "getgid", "getegid",
        /* memory: the table, malloc, stacks; more of it below */
        "brk", "munmap", "mremap", "memfd_create",
        /* threads, signals, time */
        "futex", "rseq", "set_robust_list", "set_tid_address", "gettid", "getpid", "getppid",
        "sched_yield", "sched_getaffinity", "sched_setaffinity", "exit", "exit_group", "rt_sigaction",
        "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
        "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
        /* what the C library asks for itself: random numbers of malloc, sysconf */
        "getrandom", "getrlimit", "sysinfo", "uname",
#if NSM_SANITIZED
        "arch_prctl", "clone", "kill", "madvise", "mincore", "mmap", "mprotect", "pipe", "pipe2",
        "prctl", "process_vm_readv", "ptrace", "tgkill", "wait4",
#endif
};

enum test { IS, HAS_NOT };

/* Calls that one argument decides: it is @value, or has none of its bits. */
static const struct limited {
        const char *call;
        unsigned argument; /* counted from 0 */
        enum test test;
        uint64_t value;
} limited[] = {
        /* Inode flags, project ids, generations. Nothing of devices and whole filesystems. */
        { "ioctl", 1, IS, FS_IOC_GETFLAGS },
        { "ioctl", 1, IS, FS_IOC_SETFLAGS },
        { "ioctl", 1, IS, FS_IOC_GETVERSION },
        { "ioctl", 1, IS, FS_IOC_FSGETXATTR },
        { "ioctl", 1, IS, FS_IOC_FSSETXATTR },
        /* On /dev/fuse: own open files, which the kernel then reads and writes by itself. */
        { "ioctl", 1, IS, NSM_WIRE_BACKING_OPEN },
        { "ioctl", 1, IS, NSM_WIRE_BACKING_CLOSE },
#if NSM_SANITIZED
        { "ioctl", 1, IS, TCGETS }, /* whether a report goes to a terminal */
#endif
        /* Not F_SETLEASE, F_NOTIFY, F_SETOWN, F_SETPIPE_SZ. */
        { "fcntl", 1, IS, F_DUPFD },
        { "fcntl", 1, IS, F_DUPFD_CLOEXEC },
        { "fcntl", 1, IS, F_GETFD },
        { "fcntl", 1, IS, F_SETFD },
        { "fcntl", 1, IS, F_GETFL },
        { "fcntl", 1, IS, F_SETFL },
        { "fcntl", 1, IS, F_GETLK },
        { "fcntl", 1, IS, F_SETLK },
        { "fcntl", 1, IS, F_SETLKW },
        { "fcntl", 1, IS, F_OFD_GETLK },
        { "fcntl", 1, IS, F_OFD_SETLK },
        { "fcntl", 1, IS, F_OFD_SETLKW },
        /* A thread as pthread_create(3) makes it: no process, no namespace. */
        { "clone", 0, IS, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                          CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                          CLONE_CHILD_CLEARTID },
        /* An umask and a working directory for each thread. */
        { "unshare", 0, IS, CLONE_FS },
        /* The own view's superblock as it is: the kernel drops what it caches of it. */
        { "fsconfig", 1, IS, FSCONFIG_CMD_RECONFIGURE },
        /* Own threads give way to their callers. Nothing of real time. */
        { "sched_setscheduler", 1, IS, SCHED_OTHER },
        { "sched_setscheduler", 1, IS, SCHED_BATCH },
        { "sched_setscheduler", 1, IS, SCHED_IDLE },
        /* No new code. */
        { "mmap", 2, HAS_NOT, PROT_EXEC },
        { "mprotect", 2, HAS_NOT, PROT_EXEC },
        /* Not MADV_HWPOISON and MADV_SOFT_OFFLINE, which CAP_SYS_ADMIN allows. */
        { "madvise", 2, IS, MADV_NORMAL },
        { "madvise", 2, IS, MADV_DONTNEED },
        { "madvise", 2, IS, MADV_FREE },
        { "madvise", 2, IS, MADV_DONTDUMP },
        { "madvise", 2, IS, MADV_HUGEPAGE },
        { "madvise", 2, IS, MADV_NOHUGEPAGE },
        { "madvise", 2, IS, 102 /* MADV_GUARD_INSTALL: stacks of newer C libraries */ },
        { "madvise", 2, IS, 103 /* MADV_GUARD_REMOVE */ },
        /* Names of memory and of threads. */
        { "prctl", 0, IS, PR_SET_VMA },
        { "prctl", 0, IS, PR_SET_NAME },
        /* Limits are read, not set. */
        { "prlimit64", 2, IS, 0 },
};

/* Refused without an end of it all: whoever calls these has another way. */
static const struct refused {
        const char *call;
        int error;
} refused[] = {
        { "clone3", ENOSYS }, /* its flags are in memory; the C library takes clone(2) then */
};

/* Calls that this libseccomp has no name for are no concern of this machine's C library. */
static int add(scmp_filter_ctx ctx, uint32_t action, const char *call, unsigned n,
               const struct scmp_arg_cmp *condition)
{
        int number = seccomp_syscall_resolve_name(call);

        if (number < 0) /* unknown, or another architecture's */
                return 0;
        return seccomp_rule_add_array(ctx, action, number, n, condition);
}

static int add_all(scmp_filter_ctx ctx)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof allowed / sizeof allowed[0]; i++)
                r = add(ctx, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
        for (size_t i = 0; r == 0 && i < sizeof limited / sizeof limited[0]; i++) {
                const struct limited *l = &limited[i];
                struct scmp_arg_cmp condition = l->test == IS
                        ? SCMP_CMP64(l->argument, SCMP_CMP_EQ, l->value)
                        : SCMP_CMP64(l->argument, SCMP_CMP_MASKED_EQ, l->value, 0);
                r = add(ctx, SCMP_ACT_ALLOW, l->call, 1, &condition);
        }
        for (size_t i = 0; r == 0 && i < sizeof refused / sizeof refused[0]; i++)
                r = add(ctx, SCMP_ACT_ERRNO((uint32_t)refused[i].error), refused[i].call, 0, NULL);
        return r;
}

/* Signals, to threads of its own: wake-ups, abort(3). */
static int add_signals(scmp_filter_ctx ctx)
{
        struct scmp_arg_cmp self = SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid());
        int r = add(ctx, SCMP_ACT_ALLOW, "kill", 1, &self);

        return r < 0 ? r : add(ctx, SCMP_ACT_ALLOW, "tgkill", 1, &self);
}

static int set_attributes(scmp_filter_ctx ctx)
{
        /* Calls of another architecture's kind (i386, x32) have other numbers. */
        int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

        if (r == 0)
                r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
        /* Not SCMP_FLTATR_CTL_LOG: what kills is logged anyway, and each clone3 would be, too. */
        if (r == 0) /* a binary tree: some five comparisons for any call */
                r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        return r;
}

int nsm_filter_load(struct nsm_error *err)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = ctx ? set_attributes(ctx) : -ENOMEM;

        if (r == 0)
                r = add_all(ctx);
        if (r == 0)
                r = add_signals(ctx);
        if (r == 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        if (r < 0)
                return nsm_error_set(err, r, "the view cannot be confined: filter of system calls: "
                                     "%s", strerror(-r));
        return 0;
}
