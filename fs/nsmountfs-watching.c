/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-watching.h"

#include "fs/base/cleanup.h"
#include "fs/watch/watch.h"

int nsm_watching_start(int source_fd, int pipe_fd, pid_t pid)
{
        struct nsm_watch_order order = { .pid = pid, .stay = 1 };
        cleanup_fd int socket = -1;
        cleanup_fd int pidfd = -1;

        int r = nsm_watch_start("/proc/self/exe", &socket, &pidfd);
        return r < 0 ? r : nsm_watch_send(socket, &order, source_fd, pipe_fd);
}
