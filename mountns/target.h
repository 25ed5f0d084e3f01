/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container as the host sees it: one process, its namespaces opened once,
 * and the proof that they belong together. Everything afterwards goes through
 * these descriptors, so that a pid that is reused, or a process that moves to
 * other namespaces meanwhile, changes nothing.
 *
 * All functions run in the host's namespaces, never in the container's, and
 * wait for nothing that a tenant could withhold.
 */
#ifndef NSM_MOUNTNS_TARGET_H
#define NSM_MOUNTNS_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"
#include "fs/base/idmap.h"

enum nsm_namespace {
        NSM_NAMESPACE_USER,
        NSM_NAMESPACE_MNT,
        NSM_NAMESPACE_PID,
        NSM_NAMESPACE_NET,
        NSM_NAMESPACE_IPC,
        NSM_NAMESPACE_COUNT,
};

struct nsm_target {
        pid_t pid;
        int pidfd;
        int namespaces[NSM_NAMESPACE_COUNT];      /* descriptors of /proc/PID/ns/... */
        uint64_t inodes[NSM_NAMESPACE_COUNT];     /* their inode numbers */
        bool owned[NSM_NAMESPACE_COUNT];          /* by the container's user namespace */
        uint64_t mount_namespace_id;              /* the kernel's unique number; 0 before 6.11 */
};

/*
 * A pidfd of @pid, or the reason in words: no such process (-ESRCH), a thread
 * (-EINVAL). For whoever starts from a number that a person typed.
 */
int nsm_target_open_pidfd(pid_t pid, int *ret_pidfd, struct nsm_error *err);

/*
 * Opens the container of the process behind @pidfd, which is duplicated.
 * Refuses, with the reason in @err: a process that is gone (-ESRCH), a thread
 * (-EINVAL), one whose user or mount namespace is ours (-EPERM), one whose
 * mount namespace does not belong to its user namespace (-EPERM).
 */
int nsm_target_open(int pidfd, struct nsm_target **ret, struct nsm_error *err);

/* A second set of descriptors of the same container. */
int nsm_target_copy(const struct nsm_target *target, struct nsm_target **ret);

/* NULL is fine. */
void nsm_target_free(struct nsm_target *target);

/*
 * Whether every id that the container maps is mapped just so by the tenant:
 * -EPERM names the first extent that is not, and which ids would do. An empty
 * map is refused too: it could still become anything. A short-lived child
 * joins the held user namespace, and its maps are read: never those of a pid.
 */
int nsm_target_check_ids(const struct nsm_target *target, const struct nsm_idmap *uids,
                         const struct nsm_idmap *gids, struct nsm_error *err);

pid_t nsm_target_pid(const struct nsm_target *target);

/* Whether the process that named the container still lives. */
bool nsm_target_is_alive(const struct nsm_target *target);

static inline void nsm_target_freep(struct nsm_target **target)
{
        nsm_target_free(*target);
}
#define cleanup_target __attribute__((cleanup(nsm_target_freep)))

#endif
