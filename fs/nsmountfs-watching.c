/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-watching.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/watch/watch.h"

int nsm_watching_open(int *ret_worker, int *ret_watcher)
{
        char path[32];
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        cleanup_fd int reader = ends[0];
        cleanup_fd int writer = ends[1];
        /* A reader that could write, too, never sees the end of writers. */
        snprintf(path, sizeof path, "/proc/self/fd/%d", reader);
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_worker = fd;
        *ret_watcher = nsm_take_fd(&writer);
        return 0;
}

int nsm_watching_start(int source_fd, int pipe_fd, pid_t pid)
{
        struct nsm_watch_order order = { .pid = pid, .stay = 1 };
        cleanup_fd int socket = -1;
        cleanup_fd int pidfd = -1;

        int r = nsm_watch_start("/proc/self/exe", &socket, &pidfd);
        return r < 0 ? r : nsm_watch_send(socket, &order, source_fd, pipe_fd);
}
