/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that tells of callers. */
#include "fs/witness/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "fs/witness/private.h"
#include "fs/witness/task.h"

/* A task may be in 65,536 groups (NGROUPS_MAX), each a number of ten digits. */
#define TEXT_MAX ((size_t)1 << 20)
#define SYSCALL_TRIES 100

/* Where the socket and procfs wait. */
#define FD_SOCKET 0
#define FD_PROC 1

/* Reads a file of the thread's directory in procfs, as text. 0 or -errno. */
static int read_file(uint32_t pid, const char *name, char *text)
{
        char path[64];
        size_t size = 0;
        ssize_t n;

        snprintf(path, sizeof path, "%u/%s", pid, name);
        cleanup_fd int fd = openat(FD_PROC, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        while ((n = read(fd, text + size, TEXT_MAX - 1 - size)) > 0)
                size += (size_t)n;
        if (n < 0)
                return -errno;
        text[size] = '\0';
        return size == TEXT_MAX - 1 ? -E2BIG : 0;
}

static int read_namespace(const char *task, char *ret, size_t size)
{
        char path[64];

        snprintf(path, sizeof path, "%s/ns/user", task);
        ssize_t n = readlinkat(FD_PROC, path, ret, size - 1);
        if (n < 0)
                return -errno;
        ret[n] = '\0';
        return 0;
}

static int is_initial(uint32_t pid, bool *ret)
{
        char its[64], ours[64], task[16];

        snprintf(task, sizeof task, "%u", pid);
        int r = read_namespace(task, its, sizeof its);
        if (r == 0)
                r = read_namespace("self", ours, sizeof ours);
        if (r == 0)
                *ret = strcmp(its, ours) == 0;
        return r;
}

/* It is on its way to sleep, or has been woken by a signal and goes back to it. */
static int read_syscall(uint32_t pid, char *text)
{
        int r = 0;

        for (int i = 0; r == 0 && i < SYSCALL_TRIES; i++) {
                r = read_file(pid, "syscall", text);
                if (r < 0 || strncmp(text, "running", strlen("running")) != 0)
                        break;
        }
        return r;
}

static int find_processor(const struct nsm_witness_question *q, char *text)
{
        int r = read_file(q->pid, "stat", text);

        return r < 0 ? r : nsm_task_parse_processor(text);
}

static int judge(const struct nsm_witness_question *q, char *status, char *text)
{
        struct nsm_task task;
        int r = read_file(q->pid, "status", status);

        if (r == -ESRCH)
                return NSM_CALLER_IS_KILLED;
        if (r == 0)
                r = nsm_task_parse_status(status, &task);
        if (r == 0)
                r = is_initial(q->pid, &task.initial);
        if (r == 0)
                r = read_file(q->pid, "uid_map", text);
        if (r == 0) {
                task.maps_uid = nsm_task_map_has(text, q->uid);
                r = read_file(q->pid, "gid_map", text);
        }
        if (r == 0) {
                task.maps_gid = nsm_task_map_has(text, q->gid);
                r = read_syscall(q->pid, text);
        }
        if (r == 0)
                task.chowns = nsm_task_is_chowning(text);
        return r < 0 ? r : (int)nsm_task_judge(&task, q->uid, q->gid);
}

static int answer_to(const struct nsm_witness_question *question, char *status, char *text)
{
        return question->subject == NSM_WITNESS_PROCESSOR ? find_processor(question, text)
                                                          : judge(question, status, text);
}

/* Nothing is opened for writing, whatever the capabilities would allow. */
static int allow_reading(scmp_filter_ctx ctx)
{
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
                                        O_RDONLY));
}

/* What reading procfs and answering takes, and no more. */
static int load_filter(void)
{
        static const char *const allowed[] = {
                "read", "write", "readlinkat", "readlink", "close", "exit_group", "exit",
                "rt_sigreturn", "restart_syscall", "futex", "brk", "munmap",
#if NSM_SANITIZED
                "mmap", "madvise", "mprotect", "sched_yield", "getpid", "gettid", "sigaltstack",
                "rt_sigaction", "rt_sigprocmask", "tgkill", "kill", "prctl",
#endif
        };
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = ctx ? allow_reading(ctx) : -ENOMEM;

        for (size_t i = 0; r == 0 && i < sizeof allowed / sizeof allowed[0]; i++) {
                int number = seccomp_syscall_resolve_name(allowed[i]);
                if (number >= 0)
                        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
        }
        if (r == 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        return r;
}

/*
 * Another root, two capabilities, no new ones, a filter. What procfs tells of a
 * process that root has not started is that user's file, and some of it for its
 * owner alone (/proc/PID/syscall).
 */
static int confine(void)
{
        struct rlimit none = { 0, 0 };
        uint64_t permitted;
        uint64_t keep = (uint64_t)1 << CAP_SYS_PTRACE | (uint64_t)1 << CAP_DAC_READ_SEARCH;

        if (fchdir(FD_PROC) < 0 || chroot(".") < 0)
                return -errno;
        int r = nsm_sys_get_capabilities(&permitted);
        if (r == 0)
                r = nsm_sys_set_capabilities(keep & permitted, keep & permitted);
        if (r < 0)
                return r;
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return load_filter();
}

/*
 * Whoever looks for the view's process by its command line is to find one. Here
 * that is what execve(2) was given, in the room that it takes.
 */
static void rename_process(char *text)
{
        cleanup_fd int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        ssize_t room = fd < 0 ? -1 : read(fd, text, TEXT_MAX);

        prctl(PR_SET_NAME, "nsmountfs:witn");
        if (room <= 0)
                return;
        memset(program_invocation_name, 0, (size_t)room);
        snprintf(program_invocation_name, (size_t)room, "nsmountfs: witness");
}

static void __attribute__((noreturn)) run(int socket_fd, int proc_fd)
{
        cleanup_fd int socket = fcntl(socket_fd, F_DUPFD_CLOEXEC, 3);
        cleanup_fd int proc = fcntl(proc_fd, F_DUPFD_CLOEXEC, 3);
        char *status = malloc(TEXT_MAX), *text = malloc(TEXT_MAX);
        struct nsm_witness_question question;
        sigset_t all;

        /* Ends with its worker, and by nothing else. */
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        if (status && text)
                rename_process(text);
        if (!status || !text || dup2(socket, FD_SOCKET) < 0 || dup2(proc, FD_PROC) < 0 ||
            close_range(FD_PROC + 1, ~0U, 0) < 0 || confine() < 0)
                _exit(EXIT_FAILURE);
        struct nsm_witness_answer answer = { .number = NSM_WITNESS_READY };
        while (write(FD_SOCKET, &answer, sizeof answer) == sizeof answer &&
               read(FD_SOCKET, &question, sizeof question) == sizeof question)
                answer = (struct nsm_witness_answer){ .number = question.number,
                                                      .result = answer_to(&question, status,
                                                                          text) };
        _exit(EXIT_SUCCESS);
}

int nsm_witness_start(int *ret_fd)
{
        cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        cleanup_fd int pidfd = -1;
        int ends[2];

        if (proc < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        cleanup_fd int ours = ends[0];
        cleanup_fd int its = ends[1];
        pid_t pid = nsm_sys_fork(0, &pidfd);
        if (pid == 0)
                run(its, proc);
        if (pid < 0)
                return (int)pid;
        *ret_fd = nsm_take_fd(&ours);
        return 0;
}
