/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the host's processes are a container's: those in its mount
 * namespace, and those in, or below, its user namespace.
 *
 * A host has many processes and one attach looks several times. So those that
 * have nothing to do with the container are remembered, and asked again when
 * that could have changed.
 */
#ifndef NSM_MOUNTNS_MEMBERS_H
#define NSM_MOUNTNS_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mountns/target.h"

/* The kernel nests user namespaces up to 32 below the first (user_namespaces(7)). */
#define NSM_MEMBERS_DEPTH_MAX 33

/* User namespaces that are remembered at a time, each with a descriptor. */
#define NSM_MEMBERS_NAMESPACES_MAX 128

/* Process ids in ascending order. */
struct nsm_pids {
        pid_t *list; /* owned */
        size_t n, room;
};

/* How a user namespace stands to the container's. */
enum nsm_relation {
        NSM_RELATION_INSIDE, /* it is that, or below it */
        NSM_RELATION_ABOVE,  /* the container's is below it: it has power over the container */
        NSM_RELATION_APART,
};

struct nsm_members {
        int proc;                        /* the host's, borrowed */
        const struct nsm_target *target; /* borrowed */
        /*
         * Above the container's user namespace, up to ours. They live, and keep
         * their numbers, as long as it does.
         */
        uint64_t ancestors[NSM_MEMBERS_DEPTH_MAX];
        size_t n_ancestors;
        struct {
                uint64_t inode;
                enum nsm_relation relation;
                int fd; /* as long as it is open, no other namespace gets this number */
        } namespaces[NSM_MEMBERS_NAMESPACES_MAX];
        size_t n_namespaces, next; /* the next one to be replaced */
        /* What the last listing knew: strangers that may join, and such that may not. */
        struct nsm_pids above, apart;
        pid_t last_pid; /* given last before the last listing, or -1 */
        size_t asked;   /* processes that the last listing knew nothing of, or had to ask again */
};

/* @members: all zero, or cleared. Host's namespaces. */
void nsm_members_init(struct nsm_members *members, int proc, const struct nsm_target *target);

/* A zeroed one is fine. */
void nsm_members_clear(struct nsm_members *members);

/*
 * All processes of the container but ourselves and @except, sorted, zombies
 * with living threads among them. Strangers of the former listing are not asked
 * again, unless their pid was given anew meanwhile: they would have to be moved
 * into the container by the host. With @doubt that is looked for, too, in the
 * user namespaces from which it could be done.
 *
 * *ret is cleared first, and filled on success only. 0 or a negative errno.
 */
int nsm_members_list(struct nsm_members *members, pid_t except, bool doubt, struct nsm_pids *ret);

void nsm_pids_clear(struct nsm_pids *pids);

#define cleanup_members __attribute__((cleanup(nsm_members_clear)))
#define cleanup_pids __attribute__((cleanup(nsm_pids_clear)))

#endif
