/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Footholds: what would let a tenant go on using the tree that its container
 * leaves when it gets another root. pivot_root(2) takes those along whose root
 * and working directory are the old root itself; everybody else stays.
 */
#ifndef NSM_MOUNTNS_FOOTHOLDS_H
#define NSM_MOUNTNS_FOOTHOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"
#include "mountns/holders.h"
#include "mountns/members.h"
#include "mountns/table.h"
#include "mountns/target.h"

struct nsm_footholds {
        int proc;                        /* the host's, borrowed */
        const struct nsm_target *target; /* borrowed */
        pid_t except;                    /* the joiner, or 0 */
        uint64_t old_root;               /* mount id of the root that is left */
        /*
         * NULL before the pivot: then root and working directory must be the
         * old root itself, and no directory may be open. After it, the table as
         * the new root has it: all that is in it and not below the old root is
         * harmless.
         */
        const struct nsm_table *pivoted;
        /*
         * The last scan: processes of the host that could have joined the container
         * since the first one are asked again (nsm_members_list()). Who joined before
         * the pivot has the root that all have, and was moved along.
         */
        bool last;
        struct nsm_members members; /* who belongs to the container */
        struct nsm_pids met;        /* those whom the former scan met */
};

/* @footholds: all zero, or cleared. */
void nsm_footholds_init(struct nsm_footholds *footholds, int proc, const struct nsm_target *target,
                        uint64_t old_root);

/*
 * One scan over all processes of the host. *ret is filled anew. The tenant's
 * processes in further mount namespaces count as such: those were made from the
 * one that the old root is in. Returns 1 when the scan met other processes of
 * the container than the one before (the first scan always does), or what it
 * listed was gone when it was looked at: a foothold may have been handed on, so
 * scan again. 0 when not, or a negative errno. Asks no filesystem of the
 * tenant.
 */
int nsm_footholds_scan(struct nsm_footholds *query, struct nsm_holders *ret, struct nsm_error *err);

void nsm_footholds_clear(struct nsm_footholds *query);

#define cleanup_footholds __attribute__((cleanup(nsm_footholds_clear)))

#endif
