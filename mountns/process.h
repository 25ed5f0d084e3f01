/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the helper and the joiner are before they do anything: processes that
 * hold only the descriptors they need, and that nobody may look into.
 */
#ifndef NSM_MOUNTNS_PROCESS_H
#define NSM_MOUNTNS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Default signal actions, nothing blocked, no supplementary groups, umask 0,
 * not dumpable (so that no capability in a tenant's user namespace allows
 * ptrace or /proc/PID/fd), a name for ps. 0 or -errno.
 */
int nsm_process_harden(const char *name);

/* Dies when @parent does. Again after every change of credentials, which clears it. */
int nsm_process_follow(pid_t parent);

/* Closes all descriptors from 3 on but the @n in @keep, which is sorted by this; -1 is skipped. */
int nsm_process_keep_fds(int *keep, unsigned n);

/* Whether the process behind a pidfd has ended, reaped or not. */
bool nsm_process_has_ended(int pidfd);

#endif
