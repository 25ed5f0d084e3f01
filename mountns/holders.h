/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds what: processes that keep a mount busy, or a foothold in a tree
 * that is about to be left.
 */
#ifndef NSM_MOUNTNS_HOLDERS_H
#define NSM_MOUNTNS_HOLDERS_H

#include <stddef.h>
#include <sys/types.h>

/* More are counted, not listed: a tenant chooses how many there are. */
#define NSM_HOLDERS_MAX 64
#define NSM_HOLDS_MAX 8
#define NSM_HOLD_TEXT_MAX 96

struct nsm_holder {
        pid_t pid;
        char command[32];                             /* as /proc/PID/comm has it */
        size_t n_holds;                               /* more are left out beyond the limit */
        char holds[NSM_HOLDS_MAX][NSM_HOLD_TEXT_MAX]; /* "working directory", "descriptor 5", ... */
};

struct nsm_holders {
        size_t n;     /* listed */
        size_t total; /* found */
        struct nsm_holder list[NSM_HOLDERS_MAX];
};

#endif
