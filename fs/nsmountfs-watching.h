/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher of a view that stands alone (fs/watch/watch.h). */
#ifndef NSM_NSMOUNTFS_WATCHING_H
#define NSM_NSMOUNTFS_WATCHING_H

#include <sys/types.h>

/*
 * Starts a watcher of the directory @source_fd for the view that the worker @pid
 * serves, as long as it does. The descriptors stay the caller's. Where nobody
 * can watch, the view learns by timeouts, and this is no error. 0 or -errno.
 */
int nsm_watching_start(int source_fd, int pipe_fd, pid_t pid);

#endif
