/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a graft is, in numbers that a record can keep, and whether it is there
 * still. Numbers pin nothing: a namespace dies when its container does.
 */
#ifndef NSM_MOUNTNS_PLACE_H
#define NSM_MOUNTNS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"

struct nsm_place {
        uint64_t mount_namespace;    /* inode number */
        uint64_t mount_namespace_id; /* unique number of the kernel (6.11), or 0 */
        uint64_t mount_id;           /* as in mountinfo; reused after an unmount */
        uint64_t mount_id_unique;    /* never reused (6.8), or 0 */
        dev_t device;                /* of the view's superblock */
};

struct nsm_target;

struct nsm_presence {
        bool alive;
        /* A process in that namespace, or 0: found only when the scan met one. */
        pid_t pid;
};

/*
 * For each place, whether the mount is still in that namespace. With unique
 * numbers one call of statmount(2) each answers; the rest shares one walk over
 * /proc, which reads only links of namespaces and mountinfo, and so waits for
 * no tenant. @want_pids makes the walk happen in any case, to fill in pid.
 *
 * @ret: @n elements. Host's namespaces. 0 or a negative errno (no /proc).
 */
int nsm_place_check(const struct nsm_place *places, size_t n, bool want_pids,
                    struct nsm_presence *ret, struct nsm_error *err);

/* Fills in the mount namespace of the calling process. @proc: nsm_proc_open(). */
void nsm_place_of_self(int proc, struct nsm_place *place);

/* Fills in the mount namespace of a container. */
void nsm_place_of_target(const struct nsm_target *target, struct nsm_place *place);

/*
 * Whether both are in one mount namespace. A dead one's inode number goes to
 * the next that is made, so the unique numbers decide where both have one.
 */
bool nsm_place_shares_namespace(const struct nsm_place *a, const struct nsm_place *b);

/*
 * The processes in one mount namespace, sorted; whoever asks holds it, or
 * checks each of them, because inode numbers of namespaces are reused; *ret is the caller's to free.
 * Returns how many, or a negative errno. Host's namespaces; never waits.
 */
int nsm_place_list_pids(uint64_t mount_namespace, pid_t **ret);

/*
 * For each superblock, whether any process has a mount of it in its mount
 * namespace: one that nobody told us of, too, as a launcher's copy of a view at
 * a path of the host. Asks every process, because one whose root is elsewhere
 * does not see all of its namespace.
 *
 * @ret: @n elements. Host's namespaces; never waits. 0 or a negative errno.
 */
int nsm_place_find_devices(const dev_t *devices, size_t n, bool *ret, struct nsm_error *err);

#endif
