/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nsmountfs: serves one view. As a worker of nsmountd it is given descriptors
 * (fs/worker.h); standing alone it makes the superblock itself and becomes its
 * own worker in a pid namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/sys.h"
#include "fs/nsmountfs-confine.h"
#include "fs/nsmountfs-mount.h"
#include "fs/nsmountfs-options.h"
#include "fs/nsmountfs-remount.h"
#include "fs/nsmountfs-session.h"
#include "fs/nsmountfs-watching.h"
#include "fs/watch/watch.h"
#include "fs/witness/witness.h"
#include "fs/worker.h"

#define EXIT_USAGE 2

static int complain(const struct nsm_error *err, int status)
{
        fprintf(stderr, "nsmountfs: %s\n", err->text);
        return status;
}

/* All descriptors that the hard limit lets it have: the limits are shares of them. */
static void raise_descriptor_limit(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}

/* @fd: a memfd, or -1 for figures that nobody else reads. */
static int map_stats(int fd, struct nsm_worker_stats **ret, struct nsm_error *err)
{
        int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);

        if (at == MAP_FAILED)
                return nsm_error_set(err, -errno, "the state cannot be mapped: %m");
        *ret = at;
        (*ret)->magic = NSM_WORKER_STATS_MAGIC;
        (*ret)->version = NSM_WORKER_STATS_VERSION;
        return 0;
}

/* Confines this process and serves. All descriptors go to it. */
static int serve(struct nsm_options *options, int fuse_fd, int source_fd, int state_fd,
                 struct nsm_session_start *start, struct nsm_error *err)
{
        struct nsm_worker_stats *stats = NULL;
        struct nsm_view *view = NULL;
        int proc_fd = -1;

        raise_descriptor_limit();
        int r = nsm_witness_start(&start->witness_fd);
        if (r < 0) {
                errno = -r;
                return nsm_error_set(err, r, "the view's witness cannot be started: %m");
        }
        r = map_stats(state_fd, &stats, err);
        if (r == 0)
                r = nsm_confine(&options->view, source_fd, &proc_fd, err);
        if (r == 0)
                r = nsm_view_new(&options->view, source_fd, proc_fd, stats, &view, err);
        if (r < 0)
                return r;
        options->view.ids = (struct nsm_ids){ 0 }; /* the view's now */
        r = nsm_session_serve(view, fuse_fd, start, err);
        nsm_view_free(view);
        return r;
}

static int run_worker(struct nsm_options *options, struct nsm_error *err)
{
        struct nsm_session_start start = { .ready_fd = -1, .changes_fd = NSM_WORKER_FD_CHANGES,
                                           .superblock_fd = -1 };

        for (int fd = NSM_WORKER_FD_FUSE; fd <= NSM_WORKER_FD_STATE; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return nsm_error_set(err, -EBADF, "a worker needs descriptors %d to %d: "
                                             "it is nsmountd that starts it",
                                             NSM_WORKER_FD_FUSE, NSM_WORKER_FD_STATE);
        if (getpid() != 1)
                return nsm_error_set(err, -EINVAL, "a worker is process 1 of a pid namespace: it "
                                     "is nsmountd that starts it");
        if (close_range(NSM_WORKER_FD_LAST + 1, ~0U, 0) < 0)
                return nsm_error_set(err, -errno, "close_range: %m");
        if (fcntl(NSM_WORKER_FD_MOUNT, F_GETFD) >= 0)
                start.superblock_fd = fspick(NSM_WORKER_FD_MOUNT, "",
                                             FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
        if (fcntl(start.changes_fd, F_GETFD) < 0)
                start.changes_fd = -1;
        return serve(options, NSM_WORKER_FD_FUSE, NSM_WORKER_FD_SOURCE, NSM_WORKER_FD_STATE,
                     &start, err);
}

/* The child of a view that stands alone. Does not return. */
static void run_child(struct nsm_options *options, struct nsm_mount *mount, int ready_fd,
                      int changes_fd)
{
        struct nsm_error err = { 0 };
        struct nsm_session_start start = { .ready_fd = ready_fd,
                                           .changes_fd = changes_fd,
                                           .superblock_fd = -1,
                                           .background = !options->foreground };

        setsid();
        nsm_close_fd(nsm_take_fd(&mount->view_fd));
        nsm_close_fd(nsm_take_fd(&mount->mountpoint_fd));
        nsm_close_fd(nsm_take_fd(&mount->dir_fd));
        int r = serve(options, mount->fuse_fd, mount->source_fd, -1, &start, &err);
        _exit(r < 0 ? complain(&err, EXIT_FAILURE) : EXIT_SUCCESS);
}

static int wait_for_child(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return EXIT_FAILURE;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
                fputs("nsmountfs: the view's process was killed by its filter of system calls\n",
                      stderr);
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* Stays until the view ends, or ends it on a signal. */
static int stay(const struct nsm_options *options, pid_t pid)
{
        siginfo_t info = { 0 };
        sigset_t signals;
        int sig = 0;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
                sigwait(&signals, &sig);
        if (sig == SIGINT || sig == SIGTERM) {
                umount2(options->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
                kill(pid, SIGTERM);
        }
        return wait_for_child(pid);
}

static int run_standalone(struct nsm_options *options, struct nsm_error *err)
{
        struct nsm_mount mount = NSM_MOUNT_INIT;
        cleanup_fd int pidfd = -1;
        cleanup_fd int changes = -1;
        cleanup_fd int tell_changes = -1;
        int ready[2];
        char byte;

        /* What a shell left open must not keep this view's descriptors from their limits. */
        close_range(STDERR_FILENO + 1, ~0U, 0);
        if (geteuid() != 0)
                return nsm_error_set(err, -EPERM, "a view needs root's privilege: run nsmountfs "
                                     "as root");
        int r = nsm_mount_prepare(options, &mount, err);
        if (r < 0)
                return r;
        if (pipe2(ready, O_CLOEXEC) < 0)
                return nsm_error_set(err, -errno, "pipe: %m");
        if (options->view.coherence == NSM_COHERENCE_SHARED)
                nsm_watch_make_pipe(&changes, &tell_changes);
        pid_t pid = nsm_sys_fork(CLONE_NEWPID, &pidfd);
        if (pid < 0) {
                errno = -pid;
                return nsm_error_set(err, pid, "no process can be started: %m");
        }
        if (pid == 0) {
                close(ready[0]);
                nsm_close_fd(nsm_take_fd(&tell_changes));
                run_child(options, &mount, ready[1], changes);
        }
        close(ready[1]);
        nsm_close_fd(nsm_take_fd(&changes)); /* or the watcher would take us for its reader */
        nsm_close_fd(nsm_take_fd(&mount.fuse_fd));
        nsm_close_fd(nsm_take_fd(&mount.source_fd));
        if (read(ready[0], &byte, 1) != 1)
                return wait_for_child(pid) ? EXIT_FAILURE : EXIT_SUCCESS;
        if (tell_changes >= 0)
                nsm_watching_start(mount.dir_fd, tell_changes, pid);
        r = nsm_mount_attach(options, &mount, err);
        nsm_mount_close(&mount);
        if (r < 0) {
                nsm_sys_pidfd_send_signal(pidfd, SIGKILL);
                return r;
        }
        return options->foreground ? stay(options, pid) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        struct nsm_options options = { 0 };
        struct nsm_error err = { 0 };

        if (nsm_options_parse(argc, argv, &options, &err) < 0)
                return complain(&err, EXIT_USAGE);
        if (options.help) {
                fputs(nsm_options_usage, stdout);
                return EXIT_SUCCESS;
        }
        if (options.version) {
                puts("nsmountfs " NSM_VERSION);
                return EXIT_SUCCESS;
        }
        if (options.watch)
                return nsm_watch_main(NSM_WATCH_FD_SOCKET);
        int r = options.worker ? run_worker(&options, &err) :
                options.remount ? nsm_remount(&options, &err) : run_standalone(&options, &err);
        nsm_options_clear(&options);
        if (r < 0)
                r = complain(&err, EXIT_FAILURE);
        /* A confined worker has nothing that exit handlers could still do. */
        if (options.worker)
                _exit(r);
        return r;
}
