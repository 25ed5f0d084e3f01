/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left to do after an attach that stopped half-way. Pure: decided from
 * the mount table alone, so that it does not matter where it stopped.
 */
#ifndef NSM_MOUNTNS_PLAN_H
#define NSM_MOUNTNS_PLAN_H

#include <stdint.h>

#include "fs/base/error.h"
#include "mountns/table.h"

/* Bits of what to do, in this order. */
enum nsm_undo {
        NSM_UNDO_NOTHING = 0,
        NSM_UNDO_PIVOT = 1,     /* exchange the roots again */
        NSM_UNDO_UNMOUNT = 2,   /* the graft */
        NSM_UNDO_ANCHOR = 4,    /* the mount between shared root and graft */
        NSM_UNDO_DIRECTORY = 8, /* that was made for the graft */
        NSM_UNDO_COMPLETE = 16, /* nothing: it is complete, the old root is gone */
        NSM_UNDO_FINISH = 32,   /* unmount the old root: it was about to go */
};

/*
 * @table: as a process sees it whose root is the container's former root.
 * @root_id: that root's mount, 0 for a graft below it. @anchor_id: or 0.
 */
unsigned nsm_plan_undo(const struct nsm_table *table, uint64_t graft_id, uint64_t root_id,
                       uint64_t anchor_id);

/*
 * Whether a path may be given for a graft below the root: absolute, not "/",
 * no "." or ".." in it, no empty component, not too long. 0 or -EINVAL.
 */
int nsm_plan_check_path(const char *path, struct nsm_error *err);

#endif
