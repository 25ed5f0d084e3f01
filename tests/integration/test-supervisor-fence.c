/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fence of workers that nsmountd has started: seen from outside, and run into. */
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "tests/integration/supervisor-kit.h"

/* At the entry of a system call: another one takes its place. */
static int replace_call(pid_t pid, int number)
{
#ifdef __x86_64__
        return (int)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), number);
#else
        struct iovec iov = { &number, sizeof number };

        return (int)ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &iov);
#endif
}

/* For nsm_world_call(): the worker's next system call is mount(2). */
static int make_worker_mount(void *arg)
{
        pid_t pid = *(pid_t *)arg;
        struct __ptrace_syscall_info info = { 0 };
        int status;

        if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
            ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
                return 1;
        do {
                if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
                        return 2;
                if (WSTOPSIG(status) == (SIGTRAP | 0x80))
                        ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
                if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
                        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        } while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
        return replace_call(pid, SYS_mount) < 0 || ptrace(PTRACE_DETACH, pid, 0, 0) < 0 ? 3 : 0;
}

Test(fence, a_worker_that_its_filter_ends_is_noticed)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        pid_t worker = kit_view_pid(k.w, "acme/root");
        struct nsm_process *reader = nsm_container_spawn(c, "while ls / >/dev/null 2>&1; do :; "
                                                         "done");
        struct nsm_output *o = nsm_world_call(k.w, make_worker_mount, &worker);
        cr_assert_eq(o->status, 0, "step %d", o->status);
        cr_assert_neq(nsm_process_wait(reader, NSM_HARNESS_LIMIT_MS)->status, -ETIME,
                      "a caller hangs");
        cr_assert_str_eq(kit_view_text(k.w, "acme/root", "state"), "dead");
        cr_assert_not_null(strstr(nsm_world_read_file(k.w, k.w->log),
                                  "acme/root: killed by its filter of system calls"));
}

/* Whether a descriptor of the worker leaves what is not the volume's as it is. */
static bool is_harmless(struct nsm_world *w, int pidfd, int number)
{
        cleanup_fd int fd = nsm_sys_pidfd_getfd(pidfd, number);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if (fcntl(fd, F_GETFL) & O_PATH)
                return S_ISDIR(st.st_mode); /* the volume, the view, its own descriptors */
        if (S_ISCHR(st.st_mode)) /* /dev/fuse */
                return fchmod(fd, st.st_mode & 07777) < 0 && errno == EROFS;
        const char *link = nsm_world_must(w, "readlink /proc/%d/fd/%d", getpid(), fd);
        if (strcmp(link, "anon_inode:[fscontext]\n") == 0)
                return true; /* of the view; the filter lets one command pass, to drop caches */
        return strncmp(link, "/memfd:", 7) == 0 || S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode) ||
               number == STDERR_FILENO;
}

Test(fence, descriptors_of_a_worker_change_nothing_of_the_host)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        pid_t worker = kit_view_pid(k.w, "acme/root");
        cleanup_fd int pidfd = nsm_sys_pidfd_open(worker);
        cleanup_dir DIR *dir = opendir(nsm_world_printf(k.w, "/proc/%d/fd", worker));
        unsigned devices = 0;

        cr_assert(pidfd >= 0 && dir);
        for (const struct dirent *d; (d = readdir(dir));) {
                if (d->d_name[0] == '.')
                        continue;
                const char *what = nsm_world_must(k.w, "readlink /proc/%d/fd/%s", worker,
                                                  d->d_name);
                cr_expect(is_harmless(k.w, pidfd, atoi(d->d_name)), "%s: %s", d->d_name, what);
                devices += strcmp(what, "/dev/fuse\n") == 0 || strcmp(what, "/\n") == 0;
        }
        cr_expect_geq(devices, 3, "/dev/fuse, and standard input and output");
}
