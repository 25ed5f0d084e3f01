/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"
#include "mountns/proc.h"
#include "mountns/process.h"

/* linux/nsfs.h has it from 6.11 on. */
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(NSIO, 0x5, uint64_t)
#endif

static const char *const names[NSM_NAMESPACE_COUNT] = {
        [NSM_NAMESPACE_USER] = "user", [NSM_NAMESPACE_MNT] = "mnt", [NSM_NAMESPACE_PID] = "pid",
        [NSM_NAMESPACE_NET] = "net",   [NSM_NAMESPACE_IPC] = "ipc",
};

static int gone(pid_t pid, struct nsm_error *err)
{
        if (pid > 0)
                return nsm_error_set(err, -ESRCH,
                                     "process %d is gone: name a process of the container that "
                                     "lives", pid);
        return nsm_error_set(err, -ESRCH,
                             "the process is gone: name a process of the container that lives");
}

/* Tgid of a task, or 0: /proc/PID/status answers for threads, too. */
static pid_t thread_group(pid_t pid)
{
        cleanup_fd int proc = nsm_proc_open(NULL);
        char path[40], text[NSM_PROC_TEXT_MAX];
        const char *line;
        int tgid;

        snprintf(path, sizeof path, "%d/status", pid);
        if (proc < 0 || nsm_proc_read(proc, path, text, sizeof text) < 0)
                return 0;
        line = strstr(text, "\nTgid:");
        return line && sscanf(line, "\nTgid: %d", &tgid) == 1 ? tgid : 0;
}

static int refuse_thread(pid_t pid, pid_t leader, struct nsm_error *err)
{
        return nsm_error_set(err, -EINVAL, "%d is a thread of process %d: name the process", pid,
                             leader);
}

int nsm_target_open_pidfd(pid_t pid, int *ret_pidfd, struct nsm_error *err)
{
        pid_t leader;
        int pidfd;

        if (pid <= 0)
                return nsm_error_set(err, -EINVAL, "%d is not a process id", pid);
        pidfd = nsm_sys_pidfd_open(pid);
        if (pidfd >= 0) {
                *ret_pidfd = pidfd;
                return 0;
        }
        /* Kernels differ in the error for a thread. */
        leader = thread_group(pid);
        if (leader > 0 && leader != pid)
                return refuse_thread(pid, leader, err);
        if (pidfd == -ESRCH || pidfd == -EINVAL || pidfd == -ENOENT)
                return nsm_error_set(err, -ESRCH, "there is no process %d", pid);
        return nsm_error_set(err, pidfd, "cannot take hold of process %d: %s", pid,
                             strerror(-pidfd));
}

/* The pid behind a pidfd, from /proc/self/fdinfo: -1 for a dead one, 0 in another namespace. */
static int pid_of(int proc, int pidfd, pid_t *ret)
{
        char path[48], text[NSM_PROC_TEXT_MAX];
        const char *line;
        int r, pid;

        snprintf(path, sizeof path, "self/fdinfo/%d", pidfd);
        r = nsm_proc_read(proc, path, text, sizeof text);
        if (r < 0)
                return r;
        line = strstr(text, "\nPid:");
        if (!line || sscanf(line, "\nPid: %d", &pid) != 1)
                return -EBADF;
        *ret = pid;
        return 0;
}

/* The inode number of the user namespace that owns the namespace behind @fd, or 0. */
static uint64_t owner_of(int fd)
{
        cleanup_fd int owner = ioctl(fd, NS_GET_USERNS);
        struct stat st;

        return owner >= 0 && fstat(owner, &st) == 0 ? st.st_ino : 0;
}

static int open_namespaces(struct nsm_target *t, int proc, struct nsm_error *err)
{
        char path[48];
        struct stat st;

        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++) {
                snprintf(path, sizeof path, "%d/ns/%s", t->pid, names[i]);
                t->namespaces[i] = openat(proc, path, O_RDONLY | O_CLOEXEC);
                if (t->namespaces[i] < 0 && (errno == ENOENT || errno == ESRCH))
                        return gone(t->pid, err);
                if (t->namespaces[i] < 0 || fstat(t->namespaces[i], &st) < 0)
                        return nsm_error_set(err, -errno,
                                             "cannot open the %s namespace of process %d: %s: it "
                                             "takes the privilege of the host's root", names[i],
                                             t->pid, strerror(errno));
                t->inodes[i] = st.st_ino;
        }
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++)
                t->owned[i] = owner_of(t->namespaces[i]) == t->inodes[NSM_NAMESPACE_USER];
        if (ioctl(t->namespaces[NSM_NAMESPACE_MNT], NS_GET_MNTNS_ID, &t->mount_namespace_id) < 0)
                t->mount_namespace_id = 0;
        return 0;
}

static int check_namespaces(const struct nsm_target *t, int proc, struct nsm_error *err)
{
        char task[24];
        uint64_t own, now;
        int r;

        r = nsm_proc_namespace(proc, "self", "user", &own);
        if (r == 0 && own == t->inodes[NSM_NAMESPACE_USER])
                return nsm_error_set(err, -EPERM,
                                     "process %d has no user namespace of its own: start the "
                                     "container with one (unshare --user, or the launcher's "
                                     "option), with the tenant's ids", t->pid);
        if (r == 0)
                r = nsm_proc_namespace(proc, "self", "mnt", &own);
        if (r == 0 && own == t->inodes[NSM_NAMESPACE_MNT])
                return nsm_error_set(err, -EPERM,
                                     "process %d has no mount namespace of its own: start the "
                                     "container with one (unshare --mount)", t->pid);
        if (r < 0)
                return nsm_error_set(err, r, "cannot read /proc/self/ns: %s", strerror(-r));
        if (!t->owned[NSM_NAMESPACE_MNT])
                return nsm_error_set(err, -EPERM,
                                     "the mount namespace of process %d does not belong to its "
                                     "user namespace: make the mount namespace together with, or "
                                     "after, the user namespace", t->pid);
        snprintf(task, sizeof task, "%d", t->pid);
        r = nsm_proc_namespace(proc, task, "user", &now);
        if (r < 0)
                return gone(t->pid, err);
        if (now != t->inodes[NSM_NAMESPACE_USER])
                return nsm_error_set(err, -EPERM,
                                     "process %d changed its user namespace meanwhile: name one "
                                     "that has settled", t->pid);
        return 0;
}

static struct nsm_target *target_new(void)
{
        struct nsm_target *t = calloc(1, sizeof *t);

        if (!t)
                return NULL;
        t->pidfd = -1;
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++)
                t->namespaces[i] = -1;
        return t;
}

int nsm_target_open(int pidfd, struct nsm_target **ret, struct nsm_error *err)
{
        cleanup_target struct nsm_target *t = target_new();
        cleanup_fd int proc = nsm_proc_open(err);
        pid_t leader;
        int r;

        if (!t)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (proc < 0)
                return proc;
        r = pid_of(proc, pidfd, &t->pid);
        if (r < 0)
                return nsm_error_set(err, r, "what was given for the container is not a pidfd");
        if (t->pid <= 0)
                return gone(0, err);
        t->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        if (t->pidfd < 0)
                return nsm_error_set(err, -errno, "cannot keep a pidfd: %s", strerror(errno));
        leader = thread_group(t->pid);
        if (leader > 0 && leader != t->pid)
                return refuse_thread(t->pid, leader, err);
        r = open_namespaces(t, proc, err);
        if (r == 0)
                r = check_namespaces(t, proc, err);
        if (r < 0)
                return r;
        /* Alive now, so the pid meant this process all the time. */
        if (!nsm_target_is_alive(t))
                return gone(t->pid, err);
        *ret = nsm_take_ptr(t);
        return 0;
}

int nsm_target_copy(const struct nsm_target *target, struct nsm_target **ret)
{
        cleanup_target struct nsm_target *t = target_new();

        if (!t)
                return -ENOMEM;
        *t = *target;
        t->pidfd = fcntl(target->pidfd, F_DUPFD_CLOEXEC, 3);
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++)
                t->namespaces[i] = -1;
        if (t->pidfd < 0)
                return -errno;
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++) {
                t->namespaces[i] = fcntl(target->namespaces[i], F_DUPFD_CLOEXEC, 3);
                if (t->namespaces[i] < 0)
                        return -errno;
        }
        *ret = nsm_take_ptr(t);
        return 0;
}

void nsm_target_free(struct nsm_target *target)
{
        if (!target)
                return;
        nsm_close_fd(target->pidfd);
        for (int i = 0; i < NSM_NAMESPACE_COUNT; i++)
                nsm_close_fd(target->namespaces[i]);
        nsm_cleanup_freep(&target);
}

pid_t nsm_target_pid(const struct nsm_target *target)
{
        return target->pid;
}

bool nsm_target_is_alive(const struct nsm_target *target)
{
        /* A zombie has ended, too: its pidfd polls readable, a signal would still "reach" it. */
        return !nsm_process_has_ended(target->pidfd);
}
