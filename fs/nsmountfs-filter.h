/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls that a worker may make (seccomp(2), by libseccomp). Every
 * other one ends it with SIGSYS, and the kernel's log says which one it was:
 *
 *     audit: type=1326 ... comm="nsmountfs" ... sig=31 arch=c000003e syscall=165
 *     $ scmp_sys_resolver 165
 *     mount
 *
 * To add a call: put its name into a list of nsmountfs-filter.c, with what it is
 * for. Ask first what it lets code do that an attacker runs in a worker, which
 * may raise CAP_SYS_ADMIN: look for checks of that capability in the kernel's
 * code behind the call (fs/README.md, Confinement), and narrow it by an argument
 * where there is one. Name every call that the C library may make in its place
 * (stat: newfstatat, statx; fchmodat: fchmodat2). tests/integration/test-view-fence.c
 * has a case for each kind.
 */
#ifndef NSM_NSMOUNTFS_FILTER_H
#define NSM_NSMOUNTFS_FILTER_H

#include "fs/base/error.h"

/*
 * Puts the filter on all threads of the calling process, for good; from now on
 * nobody in it gains privileges by exec (no_new_privs). Call it from the process
 * that will serve: it may signal its own pid and no other. 0, or -errno with the
 * reason.
 */
int nsm_filter_load(struct nsm_error *err);

#endif
