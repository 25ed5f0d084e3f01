/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter of system calls: what it ends, and that what serving takes goes on working. */
#include <grp.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <termios.h>

#include "tests/integration/fence-kit.h"

#ifndef FUSE_DEV_IOC_BACKING_OPEN
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(229, 1, uint32_t[4])
#endif

#define SANITIZER_STATUS 99 /* of the test environment's ASAN_OPTIONS, after a report */

static char text[64] = "x";
static struct iovec iov = { text, 1 };

/* ---- what ends a worker ---- */

Test(fence, mounts_and_namespaces)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                KILLED(mount, P("none"), P("/"), P("tmpfs"), 0, 0),
                KILLED(umount2, P("/"), MNT_DETACH),
                KILLED(pivot_root, P("."), P(".")),
                KILLED(chroot, P("/")),
                KILLED(move_mount, 5, P(""), AT_FDCWD, P("/"), MOVE_MOUNT_F_EMPTY_PATH),
                KILLED(open_tree, AT_FDCWD, P("/"), OPEN_TREE_CLONE),
                KILLED(mount_setattr, AT_FDCWD, P("/"), 0, P(text), 32),
                KILLED(fsopen, P("proc"), 0),
                KILLED(fsconfig, 3, FSCONFIG_CMD_CREATE, 0, 0, 0),
                KILLED(fsconfig, 3, FSCONFIG_SET_FLAG, P("rw"), 0, 0),
                KILLED(fsconfig, 3, FSCONFIG_SET_STRING, P("source"), P("x"), 0),
                KILLED(fsmount, 3, 0, 0),
                KILLED(fspick, AT_FDCWD, P("/"), 0),
                KILLED(setns, 0, 0),
                KILLED(unshare, CLONE_NEWUSER),
                KILLED(unshare, CLONE_NEWNS),
                KILLED(unshare, CLONE_FS | CLONE_NEWNET),
#if !NSM_SANITIZED
                KILLED(clone, CLONE_NEWUSER | SIGCHLD),
                KILLED(clone, CLONE_NEWNS | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND),
                KILLED(clone, SIGCHLD),
#endif
                { "clone3", NULL, ENOSYS, SYS_clone3, { P(text), 64 } },
#ifdef SYS_fork
                KILLED(fork),
#endif
                KILLED(sethostname, P(text), 1),
                KILLED(setdomainname, P(text), 1),
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}

Test(fence, programs_and_other_processes)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                KILLED(execve, P("/bin/true"), 0, 0),
                KILLED(execveat, 3, P(""), 0, 0, AT_EMPTY_PATH),
#if !NSM_SANITIZED
                KILLED(ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0),
                KILLED(process_vm_readv, 1, P(&iov), 1, P(&iov), 1, 0),
                KILLED(kill, -1, SIGKILL),
                KILLED(kill, 2, 0),
                KILLED(tgkill, 2, 2, 0),
                KILLED(prctl, PR_SET_DUMPABLE, 1),
                KILLED(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21),
#endif
                KILLED(process_vm_writev, 1, P(&iov), 1, P(&iov), 1, 0),
                KILLED(kcmp, 1, 1, 0, 0, 0),
                KILLED(pidfd_open, 1, 0),
                KILLED(pidfd_getfd, 3, 0, 0),
                KILLED(pidfd_send_signal, 3, 0, 0, 0),
                KILLED(rt_sigqueueinfo, 1, SIGUSR1, P(text)),
                KILLED(seccomp, 1, 0, 0),
                KILLED(personality, 0x0400000 /* READ_IMPLIES_EXEC */),
                KILLED(setuid, 1),
                KILLED(setgid, 1),
                KILLED(setresuid, 1, 1, 1),
                KILLED(setresgid, 1, 1, 1),
                KILLED(setpriority, 0, 0, -20),
                KILLED(sched_setscheduler, 0, 1, P(text)),
                KILLED(sched_setscheduler, 0, 2, P(text)),
                KILLED(sched_setattr, 0, P(text), 0),
                KILLED(prlimit64, 0, RLIMIT_NOFILE, P(text), 0),
                KILLED(setrlimit, RLIMIT_NOFILE, P(text)),
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}

Test(fence, the_kernel_and_the_machine)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                KILLED(bpf, 0, P(text), 64),
                KILLED(perf_event_open, P(text), 0, -1, -1, 0),
                KILLED(userfaultfd, 0),
                KILLED(io_uring_setup, 4, P(text)),
                KILLED(io_uring_enter, 3, 1, 0, 0, 0, 0),
                KILLED(io_uring_register, 3, 0, 0, 0),
                KILLED(keyctl, 0, -3, 1),
                KILLED(add_key, P("user"), P(text), P(text), 1, -3),
                KILLED(request_key, P("user"), P(text), 0, -3),
                KILLED(kexec_load, 0, 0, 0, 0),
                KILLED(init_module, P(text), 1, P("")),
                KILLED(finit_module, 3, P(""), 0),
                KILLED(delete_module, P(text), 0),
                KILLED(reboot, 0, 0, 0, 0),
                KILLED(swapon, P("/x"), 0),
                KILLED(syslog, 3, P(text), 1),
                KILLED(quotactl, 0, 0, 0, 0),
                KILLED(acct, 0),
                KILLED(settimeofday, 0, 0),
                KILLED(clock_settime, 0, P(text)),
                KILLED(adjtimex, P(text)),
                KILLED(vhangup),
                KILLED(fanotify_init, 0, 0),
                KILLED(memfd_secret, 0),
                KILLED(shmget, 1, 4096, 01600),
                KILLED(mq_open, P("x"), O_CREAT, 0600, 0),
                KILLED(mlock, P(text), 1),
                KILLED(move_pages, 0, 0, 0, 0, 0, 0),
#ifdef SYS_iopl
                KILLED(iopl, 3),
#endif
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}

Test(fence, descriptors_and_sockets)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                KILLED(open_by_handle_at, 4, P(text), O_RDONLY),
                KILLED(name_to_handle_at, AT_FDCWD, P("/"), P(text), P(text), 0),
                KILLED(socket, AF_INET, SOCK_RAW, 1),
                KILLED(socket, AF_UNIX, SOCK_STREAM, 0),
                KILLED(socketpair, AF_UNIX, SOCK_STREAM, 0, P(text)),
                KILLED(sendmsg, 3, P(text), 0),
                KILLED(connect, 3, P(text), 16),
                KILLED(ioctl, 3, TIOCSTI, P(text)),
                KILLED(ioctl, 3, FIONREAD, P(text)),
                KILLED(ioctl, 3, FIFREEZE, 0),
                KILLED(ioctl, 3, FS_IOC_FIEMAP, P(text)),
                KILLED(ioctl, 3, FICLONE, 4),
                KILLED(ioctl, 3, FUSE_DEV_IOC_CLONE, P(text)),
                KILLED(fcntl, 3, F_SETPIPE_SZ, 1 << 20),
                KILLED(fcntl, 3, F_SETLEASE, F_WRLCK),
                KILLED(fcntl, 3, F_NOTIFY, 1),
                KILLED(fcntl, 3, F_SETOWN, 1),
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}

#if !NSM_SANITIZED
static int map_executable_memfd(const struct fence *fence)
{
        int fd = memfd_create("x", 0);

        if (fd < 0 || ftruncate(fd, 4096) < 0)
                return 99;
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}

Test(fence, new_code)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                { "memfd and PROT_EXEC", map_executable_memfd, FENCE_KILLED },
                KILLED(mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                KILLED(mprotect, P(text) & ~4095L, 4096, PROT_READ | PROT_EXEC),
                KILLED(pkey_mprotect, P(text) & ~4095L, 4096, PROT_EXEC, -1),
                KILLED(madvise, P(text) & ~4095L, 4096, MADV_HWPOISON),
                KILLED(madvise, P(text) & ~4095L, 4096, 101 /* MADV_SOFT_OFFLINE */),
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}
#endif

#ifdef __x86_64__
static int call_i386(const struct fence *fence)
{
        long r = 20; /* getpid */

        __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
        return 0;
}

Test(fence, other_kinds_of_calls)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                { "i386", call_i386, FENCE_KILLED },
                { "x32", NULL, FENCE_KILLED, SYS_getpid | 0x40000000 },
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}
#endif

/* ---- what goes on working ---- */

#define NEED(condition)                                                          \
        do {                                                                     \
                if (!(condition)) {                                              \
                        fprintf(stderr, "%s:%d: %s (%m)\n", __func__, __LINE__, #condition); \
                        return errno ? errno : 99;                               \
                }                                                                \
        } while (0)

static int use_files(const struct fence *fence)
{
        char buffer[4096];
        struct statx stx;
        int fd = openat(fence->root_fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int copy = openat(fence->root_fd, "copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        NEED(fd >= 0 && copy >= 0 && pwrite(fd, "text", 4, 0) == 4 && fsync(fd) == 0);
        NEED(pwritev2(fd, &iov, 1, 0, RWF_APPEND) == 1 && pread(fd, buffer, 9, 0) == 5);
        NEED(fallocate(fd, 0, 0, 8192) == 0 && lseek(fd, 0, SEEK_HOLE) >= 0);
        NEED(copy_file_range(fd, &(off_t){ 0 }, copy, NULL, 4, 0) == 4);
        NEED(mkdirat(fence->root_fd, "d", 0700) == 0);
        NEED(mknodat(fence->root_fd, "p", S_IFIFO | 0600, 0) == 0);
        NEED(symlinkat("f", fence->root_fd, "l") == 0);
        NEED(readlinkat(fence->root_fd, "l", buffer, sizeof buffer) == 1);
        NEED(linkat(fence->root_fd, "f", fence->root_fd, "g", 0) == 0);
        NEED(renameat2(fence->root_fd, "g", fence->root_fd, "h", RENAME_NOREPLACE) == 0);
        NEED(unlinkat(fence->root_fd, "h", 0) == 0);
        NEED(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) == 0 && stx.stx_nlink == 1);
        int dir = openat(fence->root_fd, ".", O_RDONLY | O_DIRECTORY);
        NEED(syscall(SYS_getdents64, dir, buffer, sizeof buffer) > 0);
        return 0;
}

static int use_attributes(const struct fence *fence)
{
        char path[16], value[4];
        int fd = openat(fence->root_fd, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0600), flags;
        struct flock lock = { .l_type = F_WRLCK };

        NEED(fd >= 0 && fchdir(fence->proc_fd) == 0);
        snprintf(path, sizeof path, "%d", fd);
        NEED(chmod(path, 0640) == 0 && fchmodat(AT_FDCWD, path, 0600, 0) == 0);
        NEED(chown(path, 5, 6) == 0 && utimensat(AT_FDCWD, path, NULL, 0) == 0);
        NEED(setxattr(path, "user.x", "yes", 3, 0) == 0);
        NEED(getxattr(path, "user.x", value, sizeof value) == 3);
        NEED(listxattr(path, NULL, 0) >= 7 && removexattr(path, "user.x") == 0);
        NEED(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 || errno == ENOTTY);
        NEED(fcntl(fd, F_OFD_SETLK, &lock) == 0 && fcntl(fd, F_GETFL) >= 0);
        return 0;
}

static void *allocate(void *arg)
{
        for (size_t size = 1; size < 4 << 20; size *= 2)
                free(memset(malloc(size), 1, size));
        *(int *)arg = unshare(CLONE_FS) < 0 ? errno : 0;
        return arg;
}

static int use_threads(const struct fence *fence)
{
        int results[8] = { 0 };
        pthread_t threads[8];

        for (int i = 0; i < 8; i++)
                NEED((errno = pthread_create(&threads[i], NULL, allocate, &results[i])) == 0);
        for (int i = 0; i < 8; i++)
                NEED(pthread_join(threads[i], NULL) == 0 && results[i] == 0);
        NEED(setgroups(2, (gid_t[]){ 5, 6 }) == 0);
        NEED(nsm_sys_set_fsgid(6) == 0 && nsm_sys_set_fsuid(5) == 0);
        uint64_t caps;
        NEED(nsm_sys_get_capabilities(&caps) == 0 && nsm_sys_set_capabilities(caps, caps) == 0);
        return 0;
}

static void on_signal(int signal)
{
}

static int use_signals(const struct fence *fence)
{
        struct sigaction action = { .sa_handler = on_signal };
        struct pollfd none = { .fd = -1 };

        NEED(sigaction(SIGUSR1, &action, NULL) == 0);
        NEED(kill(getpid(), SIGUSR1) == 0 && raise(SIGUSR1) == 0);
        NEED(poll(&none, 1, 1) == 0 && usleep(1) == 0);
        return 0;
}

static int abort_itself(const struct fence *fence)
{
        abort();
}

Test(fence, what_serving_takes)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                { "files", use_files, 0 },
                { "attributes", use_attributes, 0 },
                { "threads", use_threads, 0 },
                { "signals", use_signals, 0 },
                { "abort", abort_itself, NSM_SANITIZED ? SANITIZER_STATUS : FENCE_DIED },
        };

        FENCE_TRY(w, nsm_world_add_ext4(w, "disk", 32 << 20), false, list);
}

/* ---- ways out ---- */

static int open_at(int dir, const char *path, int flags)
{
        return openat(dir, path, flags | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int write_core_pattern(const struct fence *fence)
{
        return open_at(fence->proc_fd, "../../../sys/kernel/core_pattern", O_WRONLY);
}

static int open_program(const struct fence *fence)
{
        return open_at(fence->proc_fd, "../exe", O_RDONLY);
}

static int open_library(const struct fence *fence)
{
        return open_at(fence->proc_fd, "../map_files", O_RDONLY);
}

static int open_memory(const struct fence *fence)
{
        return open_at(fence->proc_fd, "../task/1/mem", O_RDWR);
}

/* The directory above is the same one, as it is for any root. */
static int climb(const struct fence *fence)
{
        struct stat here, above;
        int fd = openat(fence->root_fd, "../../..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fstat(fence->root_fd, &here) < 0 || fstat(fd, &above) < 0)
                return errno;
        return here.st_ino == above.st_ino && here.st_dev == above.st_dev ? EXDEV : 0;
}

static int make_and_open_device(const struct fence *fence)
{
        if (mknodat(fence->root_fd, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
                return 99;
        return open_at(fence->root_fd, "null", O_RDWR);
}

static int use_standard_input(const struct fence *fence)
{
        return read(STDIN_FILENO, text, 1) < 0 ? errno : 0;
}

static int change_standard_output(const struct fence *fence)
{
        return fchmod(STDOUT_FILENO, 0) < 0 ? errno : 0;
}

Test(fence, ways_out_of_the_volume)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt list[] = {
                { "core_pattern", write_core_pattern, ENOENT },
                { "exe", open_program, ENOENT },
                { "map_files", open_library, ENOENT },
                { "mem", open_memory, ENOENT },
                { "..", climb, EXDEV },
                { "a device of its own making", make_and_open_device, EACCES },
                { "standard input", use_standard_input, EBADF },
                { "standard output", change_standard_output, EBADF },
        };

        FENCE_TRY(w, w->storage_dir, false, list);
}

static int write_file(const struct fence *fence)
{
        return open_at(fence->root_fd, "file", O_WRONLY | O_CREAT);
}

Test(fence, a_read_only_volume)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const struct attempt writes[] = { { "a file", write_file, 0 } };
        const struct attempt refused[] = { { "a file", write_file, EROFS } };

        FENCE_TRY(w, w->storage_dir, false, writes);
        FENCE_TRY(w, w->storage_dir, true, refused);
}
