/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work in a container's mount namespace, done by a process of its own.
 *
 * The caller is single-threaded and never waits: it starts a job, polls one
 * descriptor, and collects the outcome. Whatever a tenant may hang (its files,
 * its processes, its view) hangs the job; the caller's time limit is
 * nsm_helper_kill(). A job that ends before it has said how, for whatever
 * reason, is completed or undone by a second process, which
 * nsm_helper_finish() starts by itself; the same descriptor tells when that is
 * over. README.md in this folder has the steps and what a death at each means.
 *
 * The processes of a job do not end because their caller has: they complete or
 * undo it, and exit. The caller's next life waits for that, and then looks.
 */
#ifndef NSM_MOUNTNS_HELPER_H
#define NSM_MOUNTNS_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/base/error.h"
#include "mountns/holders.h"
#include "mountns/place.h"
#include "mountns/target.h"

enum nsm_job {
        NSM_JOB_ATTACH,  /* target, view_fd, device, at; flags, api, force */
        NSM_JOB_DETACH,  /* target, place; kill */
        NSM_JOB_MOUNT,   /* directory, group, view_fd, device; flags */
        NSM_JOB_UNMOUNT, /* directory, place */
};

/*
 * The steps of the jobs, in their order. Tests make a job fail at one of them,
 * or kill one of its processes there.
 */
enum nsm_step {
        NSM_STEP_NONE,
        NSM_STEP_BEGIN,     /* helper: before anything */
        NSM_STEP_SCAN,      /* helper: table and processes of the container were looked at */
        NSM_STEP_SCRATCH,   /* helper: a mount namespace of its own is made */
        NSM_STEP_JOIN,      /* joiner: in the container's user namespace */
        NSM_STEP_LOCK,      /* joiner: mounts copied across the user namespace */
        NSM_STEP_ASSEMBLE,  /* joiner: the new root is complete, still apart */
        NSM_STEP_ENTER,     /* joiner: in the container's mount namespace */
        NSM_STEP_DIRECTORY, /* joiner: a missing directory was made (attach below the root) */
        NSM_STEP_ANCHOR,    /* joiner: private mount between shared root and new root is there */
        NSM_STEP_MOVE,      /* joiner: the graft is mounted */
        NSM_STEP_PIVOT,     /* joiner: the roots are exchanged */
        NSM_STEP_RESCAN,    /* helper: nobody keeps the old root */
        NSM_STEP_RELEASE,   /* joiner: that private mount is gone */
        NSM_STEP_DROP,      /* joiner: the old root is gone */
        NSM_STEP_UNMOUNT,   /* joiner: the graft is unmounted (detach) */
        NSM_STEP_CHECK,     /* helper: the table is as it should be */
        NSM_STEP_COUNT,
};

/* For tests alone; all zero otherwise. */
struct nsm_fault {
        enum nsm_step fail_at;        /* the step is done, then reported as failed */
        int fail_with;                /* negative errno; 0 is -EIO */
        enum nsm_step kill_joiner_at; /* SIGKILL for the process in the container */
        enum nsm_step kill_helper_at; /* SIGKILL for the one outside */
        enum nsm_step hang_at;        /* waits for ever, as a tenant could make it */
        unsigned kill_undoers;        /* so many joiners that undo are killed half-way, ... */
        unsigned kill_second_helpers; /* ... and so many helpers that were to undo */
        bool old_kernel;              /* does without what came after Linux 6.1 */
};

struct nsm_request {
        enum nsm_job job;

        const struct nsm_target *target; /* borrowed until nsm_helper_start() returns */

        /* The view's mount, borrowed; what is grafted is a clone of it. */
        int view_fd;
        /*
         * Its /dev/fuse, borrowed, or -1. Before Linux 6.15 a mount that is at no
         * path cannot be cloned; then the superblock is mounted once more with it.
         */
        int fuse_fd;
        dev_t device; /* of the view's superblock, as in mountinfo */

        const char *at;        /* NULL: as the root. Else absolute, in the container's root */
        const char *directory; /* absolute, on the host */
        gid_t group;           /* host gid of the tenant's root, or (gid_t)-1: mount */

        struct nsm_place place; /* which graft: detach, unmount */

        bool read_only;
        bool nosuid;
        bool nodev;
        bool api;   /* /proc, /sys, /dev, /run and /tmp of a root */
        bool force; /* attach although someone keeps a foothold */
        bool kill;  /* detach of a root: end the processes of its namespace first */

        struct nsm_fault fault;
};

enum nsm_outcome {
        NSM_OUTCOME_DONE,
        NSM_OUTCOME_REFUSED, /* the request: nothing was changed */
        NSM_OUTCOME_FAILED,  /* on the way: everything is as before */
        NSM_OUTCOME_BUSY,    /* holders are in the way: nothing was changed */
};

#define NSM_WARNINGS_MAX 32

struct nsm_result {
        enum nsm_outcome outcome;
        struct nsm_place place; /* when a graft was made */
        char *path;             /* of the graft in its root, symlinks resolved; "/" for a root */
        size_t n_warnings;      /* what was left out and why, what stays reachable */
        char *warnings[NSM_WARNINGS_MAX];
        struct nsm_holders holders; /* outcome BUSY; or of a forced attach */
};

struct nsm_helper;

/*
 * Starts a job: forks. The caller keeps what is its own; nothing of @request
 * is needed afterwards. 0 with *ret, or a negative errno with the reason.
 */
int nsm_helper_start(const struct nsm_request *request, struct nsm_helper **ret,
                     struct nsm_error *err);

/* A descriptor that polls readable when nsm_helper_finish() has something to do; stays the same. */
int nsm_helper_fd(const struct nsm_helper *helper);

/*
 * Collects the outcome. Never waits.
 *   0        done; *ret is filled
 *   -EAGAIN  not over: poll again (also when a dead job is being undone now)
 *   other    not done: *ret is filled too (outcome, holders), @err says why
 * After anything but -EAGAIN only nsm_helper_free() is left to do.
 */
int nsm_helper_finish(struct nsm_helper *helper, struct nsm_result *ret, struct nsm_error *err);

/*
 * The time is up: kills the job's processes; nsm_helper_finish() then undoes
 * or completes, and says which. Called again, it gives up on that, too.
 */
void nsm_helper_kill(struct nsm_helper *helper);

/* The outcome of a job that has ended is lost; one that runs is killed, and not undone. */
void nsm_helper_free(struct nsm_helper *helper);

/*
 * Start, poll and finish in one, for programs without a loop of their own.
 * @timeout_ms: of the job, -1 for none; who undoes it is given NSM_HELPER_UNDO_MS
 * at least.
 */
#define NSM_HELPER_UNDO_MS 30000
int nsm_helper_run(const struct nsm_request *request, int timeout_ms, struct nsm_result *ret,
                   struct nsm_error *err);

/* Frees what is in a result; it is empty then. */
void nsm_result_clear(struct nsm_result *result);

#define cleanup_result __attribute__((cleanup(nsm_result_clear)))

#endif
