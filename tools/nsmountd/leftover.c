/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"
#include "tools/nsmountd/supervisor.h"

/* What a fork of nsmountd has as its program, also after an upgrade: then " (deleted)" follows. */
static bool runs_nsmountd(pid_t pid)
{
        char link[32], target[PATH_MAX], *name;
        ssize_t n;

        snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
        n = readlink(link, target, sizeof target - 1);
        if (n <= 0)
                return false;
        target[n] = '\0';
        name = strrchr(target, '/');
        return name && (strcmp(name, "/nsmountd") == 0 || strcmp(name, "/nsmountd (deleted)") == 0);
}

static bool maps_file(pid_t pid, const char *path)
{
        char name[32];
        cleanup_free char *line = NULL;
        cleanup_file FILE *f = NULL;
        size_t size = 0, n = strlen(path);
        ssize_t length;

        snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
        f = fopen(name, "re");
        while (f && (length = getline(&line, &size, f)) > 0) {
                if (line[length - 1] == '\n')
                        line[--length] = '\0';
                if ((size_t)length > n && strcmp(line + length - n, path) == 0 &&
                    line[(size_t)length - n - 1] == ' ')
                        return true;
        }
        return false;
}

static bool is_leftover(pid_t pid, const char *lock_path)
{
        return pid != getpid() && runs_nsmountd(pid) && maps_file(pid, lock_path);
}

/* Waits for one of them; kills it at the deadline. */
static void wait_for(pid_t pid, const char *lock_path, uint64_t deadline)
{
        cleanup_fd int pidfd = nsm_sys_pidfd_open(pid);
        struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
        uint64_t now = supervisor_now();
        int left = deadline > now ? (int)((deadline - now) / 1000) : 0;

        /* Looked at once more: the number may be another's by now. */
        if (pidfd < 0 || !is_leftover(pid, lock_path))
                return;
        nsm_log(LOG_NOTICE, "waiting for helper %d of the former nsmountd", (int)pid);
        if (poll(&poll_fd, 1, left) > 0)
                return;
        nsm_log(LOG_WARNING, "helper %d of the former nsmountd does not end: killed", (int)pid);
        (void)nsm_sys_pidfd_send_signal(pidfd, SIGKILL);
        (void)poll(&poll_fd, 1, 1000);
}

int leftover_wait(const struct runtime *runtime, unsigned limit_s, struct nsm_error *err)
{
        char link[64], lock_path[PATH_MAX];
        uint64_t deadline = supervisor_now() + limit_s * UINT64_C(1000000);
        cleanup_dir DIR *proc = opendir("/proc");
        ssize_t n;

        snprintf(link, sizeof link, "/proc/self/fd/%d", runtime->lock_fd);
        n = readlink(link, lock_path, sizeof lock_path - 1);
        if (!proc || n <= 0)
                return nsm_error_set(err, -errno, "/proc is not what it should be: %s",
                                     strerror(errno));
        lock_path[n] = '\0';
        for (struct dirent *e = readdir(proc); e; e = readdir(proc)) {
                pid_t pid;

                if (nsm_parse_pid(e->d_name, &pid) == 0 && is_leftover(pid, lock_path))
                        wait_for(pid, lock_path, deadline);
        }
        return 0;
}
