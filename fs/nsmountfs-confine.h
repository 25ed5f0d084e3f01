/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker's fence around itself, put up before its first request.
 */
#ifndef NSM_NSMOUNTFS_CONFINE_H
#define NSM_NSMOUNTFS_CONFINE_H

#include "fs/base/error.h"
#include "fs/view/view.h"

/*
 * The calling process is single-threaded, privileged, and process 1 of a pid
 * namespace. Afterwards, and for good,
 *   - it has mount, network, IPC, UTS and cgroup namespaces of its own, and its
 *     root is the mount @source_fd (detached, which is attached by this);
 *   - *ret_proc_fd shows its own descriptors, and nothing else of a procfs;
 *   - standard input and output neither read nor write anything;
 *   - it keeps the capabilities that serving such a view takes, and no exec or
 *     setuid gives any back; no core is written, and nobody traces it;
 *   - its system calls are those of nsmountfs-filter.c.
 * 0 or -errno with the reason: then it is fit for nothing but to end.
 */
int nsm_confine(const struct nsm_view_config *config, int source_fd, int *ret_proc_fd,
                struct nsm_error *err);

#endif
