/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/api.h"
#include "mountns/process.h"

/* Linux 6.17: a proc of another pid namespace, without a process in it. */
static int new_proc_from_outside(int pid_namespace, uint64_t attributes)
{
        cleanup_fd int fs = fsopen("proc", FSOPEN_CLOEXEC), mnt = -1;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FD, "pidns", NULL, pid_namespace) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "source", "proc", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return mnt < 0 ? -errno : nsm_take_fd(&mnt);
}

/*
 * The short child in the container's pid namespace: the tenant can see it and
 * signal it, no more. It shares the joiner's descriptors, so that what it
 * opens need not travel, and closes none of them.
 */
static void be_inside(int *ret_fs)
{
        int fs;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != 0)
                _exit(ESRCH); /* 0: the parent is outside of this pid namespace */
        fs = fsopen("proc", FSOPEN_CLOEXEC);
        if (fs < 0)
                _exit(errno);
        *ret_fs = fs;
        _exit(0);
}

static int new_proc_from_inside(int pid_namespace, uint64_t attributes)
{
        cleanup_fd int fs = -1, mnt = -1, pidfd = -1;
        siginfo_t info = { 0 };
        pid_t child;
        int *shared;

        if (setns(pid_namespace, CLONE_NEWPID) < 0)
                return -errno;
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                return -errno;
        *shared = -1;
        child = nsm_sys_fork(CLONE_FILES, &pidfd);
        if (child == 0)
                be_inside(shared);
        if (child > 0)
                while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
                        ;
        fs = *shared;
        munmap(shared, sizeof *shared);
        if (child < 0)
                return child;
        if (fs < 0)
                return info.si_code == CLD_EXITED && info.si_status ? -info.si_status : -EINTR;
        if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "proc", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return mnt < 0 ? -errno : nsm_take_fd(&mnt);
}

int nsm_api_new_proc(struct nsm_joiner *j, uint64_t attributes)
{
        int pid_namespace = j->request->target->namespaces[NSM_NAMESPACE_PID];
        int fd = -ENOSYS;

        if (!j->request->fault.old_kernel)
                fd = new_proc_from_outside(pid_namespace, attributes);
        return fd >= 0 ? fd : new_proc_from_inside(pid_namespace, attributes);
}
