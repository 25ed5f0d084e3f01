/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds what: processes that keep a mount busy, or a foothold in a tree
 * that is about to be left.
 */
#ifndef NSM_MOUNTNS_HOLDERS_H
#define NSM_MOUNTNS_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"

struct nsm_target;

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
        pid_t last;   /* counted last */
        struct nsm_holder list[NSM_HOLDERS_MAX];
};

/* Adds one thing that @pid holds; a process that holds several is listed once. */
void nsm_holders_add(struct nsm_holders *holders, int proc, pid_t pid, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* "12 (sh): working directory /srv; 14 (cat): descriptor 5 and 3 more", cut to @size. */
void nsm_holders_describe(const struct nsm_holders *holders, char *buffer, size_t size);

/*
 * Who keeps the mount @mount_id of a superblock @device busy: by root or
 * working directory, descriptors, mappings. Of the processes of the host those
 * of the container @target (members.h) are looked at; with NULL, simply all.
 */
int nsm_holders_find_users(int proc, const struct nsm_target *target, uint64_t mount_id,
                           dev_t device, struct nsm_holders *ret, struct nsm_error *err);

#endif
