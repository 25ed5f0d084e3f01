/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of files that somebody may be storing into through a mapping of the
 * storage. The first store into a clean page changes the time of change, later
 * ones do not until the storage has written the page back. So pages of a file
 * that was changed within the last NSM_AGE_RECENT_S may be older than they look,
 * and pages of others are not. Any thread; takes the view's lock.
 */
#ifndef NSM_VIEW_AGE_H
#define NSM_VIEW_AGE_H

#include "fs/view/view.h"

/* Longer than dirty pages stay where they are: vm.dirty_expire_centisecs is 30 s. */
#define NSM_AGE_RECENT_S 60

/* The kernel has pages of a handle. Returns whether it had none before. */
bool nsm_age_note(struct nsm_view *view, uint64_t handle);

struct nsm_aging {
        uint32_t at;   /* handles that have been looked at */
        uint64_t node; /* whose pages have to go */
        bool left;     /* there are pages that may stay for now */
};

/* The next node whose pages have to go, of handles that were noted. False: no more. */
bool nsm_age_next(struct nsm_view *view, struct nsm_aging *aging);

#endif
