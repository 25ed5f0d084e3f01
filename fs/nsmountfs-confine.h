/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker's fence around itself, put up before its first request.
 */
#ifndef NSM_NSMOUNTFS_CONFINE_H
#define NSM_NSMOUNTFS_CONFINE_H

#include "fs/base/error.h"
#include "fs/view/view.h"

/*
 * First half, with privilege. The calling process is single-threaded and
 * process 1 of a pid namespace. Afterwards it has mount, network, IPC, UTS and
 * cgroup namespaces of its own, its root is the mount @source_fd (detached,
 * which is attached by this), and *ret_proc_fd is /proc/self/fd of a procfs
 * that nothing else is in. 0 or -errno with the reason.
 */
int nsm_confine_enter(int source_fd, int *ret_proc_fd, struct nsm_error *err);

/*
 * Second half: keeps the capabilities that serving takes, for good. No later
 * exec or setuid gives any back; no core is written and nobody traces it.
 */
int nsm_confine_drop(const struct nsm_view_config *config, struct nsm_error *err);

#endif
