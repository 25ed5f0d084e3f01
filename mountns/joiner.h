/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The joiner: the one process that enters a container's namespaces. It goes
 * straight ahead and never cleans up: when it fails, or is killed, it just
 * ends, and another one undoes what it had done (undo.h). It dies with the
 * helper that started it.
 */
#ifndef NSM_MOUNTNS_JOINER_H
#define NSM_MOUNTNS_JOINER_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/error.h"
#include "mountns/helper.h"
#include "mountns/journal.h"
#include "mountns/scratch.h"

/* What a joiner starts with; all borrowed from the helper's memory, which it has a copy of. */
struct nsm_joiner {
        const struct nsm_request *request;
        int journal;                   /* to the supervisor */
        int link;                      /* to the helper; set by nsm_joiner_start() */
        int devices[NSM_DEVICE_COUNT]; /* detached mounts of the host's device files */
        int root_fd;                   /* the root of the process that was named (O_PATH), or -1 */
        bool root_is_shared;           /* pivot_root(2) does not take a shared one */
        const char *path;              /* of the graft to remove, in the container's root */
        const struct nsm_progress *undo; /* what to undo, or NULL */
        unsigned attempt;                /* at undoing; the first is 1 */
};

#define NSM_JOINER_INIT                                                            \
        {                                                                          \
                .journal = -1, .link = -1, .devices = { -1, -1, -1, -1, -1, -1 }, \
                .root_fd = -1,                                                     \
        }

/* Closes what the helper opened for it. */
void nsm_joiner_close_fds(struct nsm_joiner *joiner);

typedef int nsm_joiner_body(struct nsm_joiner *joiner, struct nsm_error *err);

/*
 * Starts a joiner that runs @body and then ends. A body that fails sends what
 * it says as the last record. *ret_link is the helper's end of the link.
 */
int nsm_joiner_start(struct nsm_joiner *joiner, nsm_joiner_body *body, pid_t *ret_pid,
                     int *ret_pidfd, int *ret_link, struct nsm_error *err);

/* The bodies: pivot.c, graft.c, undo.c. */
int nsm_pivot_run(struct nsm_joiner *joiner, struct nsm_error *err);
int nsm_graft_run(struct nsm_joiner *joiner, struct nsm_error *err);
int nsm_graft_remove_run(struct nsm_joiner *joiner, struct nsm_error *err);
int nsm_undo_run(struct nsm_joiner *joiner, struct nsm_error *err);

/* For bodies: into the container's user namespace, as its root where that is mapped. */
int nsm_joiner_enter_user(struct nsm_joiner *joiner, struct nsm_error *err);

/*
 * Into its user namespace, with a copy of the scratch mounts there. The copy
 * crosses into another user namespace: with that the kernel locks the flags of
 * what is in it (mount_namespaces(7)), before anything is grafted.
 */
int nsm_joiner_lock_mounts(struct nsm_joiner *joiner, struct nsm_error *err);

/* Into its mount namespace: root and working directory are then that namespace's root. */
int nsm_joiner_enter_mounts(struct nsm_joiner *joiner, struct nsm_error *err);

/* Tells helper and supervisor. */
int nsm_joiner_say(struct nsm_joiner *joiner, const struct nsm_record *record, const int *fds,
                   unsigned n_fds, struct nsm_error *err);
void nsm_joiner_warn(struct nsm_joiner *joiner, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* A step is done. Where tests want it to fail or die, it does. */
int nsm_joiner_step(struct nsm_joiner *joiner, enum nsm_step step, struct nsm_error *err);

/*
 * Asks the helper whether, or how, to go on, and waits for that. What it says
 * (never negative), or -ECANCELED when it does not want that.
 */
int nsm_joiner_ask(struct nsm_joiner *joiner, struct nsm_error *err);

/* Tells what is about to be mounted, so that it can be undone from now on. */
int nsm_joiner_intend(struct nsm_joiner *joiner, int graft_fd, int root_fd, const char *path,
                      struct nsm_error *err);

/*
 * Unmounts what is at @path, when that is the mount @mount_id: through its
 * parent directory, no symlink on the way. @flags: MNT_DETACH or 0. -ENOENT:
 * it is not there; -EBUSY: in use; -ESTALE: something else is there.
 */
int nsm_graft_unmount(const char *path, uint64_t mount_id, int flags);

#endif
