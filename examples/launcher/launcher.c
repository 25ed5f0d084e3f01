/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container launcher, as small as one can be:
 *
 *     launcher HOST-ID COUNT COMMAND [ARGUMENT...]
 *
 * makes one process in new user, mount, pid, network, ipc and uts namespaces,
 * whose ids 0..COUNT-1 are HOST-ID.. of the host, and prints its pid. That
 * process, the container's init, pauses until a line comes on standard input:
 * the moment for `nsmount attach`. Then it runs COMMAND, out of whatever root
 * it has by then. The launcher ends with it, and it with the launcher.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"

static int write_map(pid_t pid, const char *name, uint32_t host_id, uint32_t count)
{
        char path[64], text[64];
        cleanup_fd int fd = -1;
        int n = snprintf(text, sizeof(text), "0 %u %u\n", host_id, count);

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 || write(fd, text, (size_t)n) != n ? -errno : 0;
}

/* Returns only when something failed. */
static int be_init(int mapped, char **command)
{
        char c;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (read(mapped, &c, 1) != 1)
                return -ECANCELED;
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing ids cleared it */
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || chdir("/") < 0)
                return -errno;
        if (read(STDIN_FILENO, &c, 1) != 1)
                return -ECANCELED;
        execvp(command[0], command);
        return -errno;
}

static int lead(pid_t pid, int mapped, uint32_t host_id, uint32_t count)
{
        int r = write_map(pid, "uid_map", host_id, count);

        if (r == 0)
                r = write_map(pid, "gid_map", host_id, count);
        if (r < 0)
                return r;
        if (write(mapped, "", 1) != 1)
                return -errno;
        printf("%d\n", pid);
        return fflush(stdout) == 0 ? 0 : -errno;
}

static int complain(const char *what, int error)
{
        fprintf(stderr, "launcher: %s: %s\n", what, strerror(-error));
        return 1;
}

int main(int argc, char **argv)
{
        uint32_t host_id, count;
        cleanup_fd int pidfd = -1;
        int mapped[2], status, r;
        pid_t pid;

        if (argc < 4 || nsm_parse_u32(argv[1], &host_id) < 0 ||
            nsm_parse_u32(argv[2], &count) < 0) {
                fprintf(stderr, "usage: launcher HOST-ID COUNT COMMAND [ARGUMENT...]\n");
                return 2;
        }
        if (pipe2(mapped, O_CLOEXEC) < 0)
                return complain("pipe", -errno);
        pid = nsm_sys_fork(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                   CLONE_NEWIPC | CLONE_NEWUTS,
                           &pidfd);
        if (pid < 0)
                return complain("new namespaces", pid);
        if (pid == 0) {
                close(mapped[1]);
                _exit(complain(argv[3], be_init(mapped[0], argv + 3)));
        }
        close(mapped[0]);
        r = lead(pid, mapped[1], host_id, count);
        if (r < 0) {
                nsm_sys_pidfd_send_signal(pidfd, SIGKILL);
                return complain("id maps", r);
        }
        if (waitpid(pid, &status, 0) < 0)
                return complain("waitpid", -errno);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
