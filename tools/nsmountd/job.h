/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request on its way: waits for its turn, then for its view, then for its
 * helper; then it is answered. Jobs of one container run one after the other,
 * those of different ones side by side. What a container is, is looked at when
 * its turn has come: the looking itself must not be seen by a helper there.
 */
#ifndef NSM_NSMOUNTD_JOB_H
#define NSM_NSMOUNTD_JOB_H

#include <stdbool.h>

#include "mountns/helper.h"
#include "mountns/target.h"
#include "tools/nsmountd/supervisor.h"

/* Jobs in hand; one more is refused. */
#define JOBS_MAX 1024u
/* Helpers at work, in all and for one tenant; the others wait. */
#define HELPERS_MAX 32u
#define HELPERS_PER_TENANT_MAX 8u
/* Seconds for a helper; and, after it was killed, for undoing. */
#define HELPER_LIMIT_S 30

enum job_state {
        JOB_QUEUED,
        JOB_WAITS_FOR_VIEW, /* has its turn already */
        JOB_RUNNING,
};

struct job {
        struct job *prev, *next;
        struct supervisor *supervisor;
        struct nsm_call *call; /* to be answered */
        enum job_state state;
        char *tenant, *volume;      /* names; volume may be NULL */
        bool wants_read_only, wants_suid;
        /* When its turn has come: checks it, finds its view. NULL: nothing to do. */
        int (*prepare)(struct job *job, struct nsm_error *err);
        uint64_t turn;              /* jobs with the same number do not run side by side */
        struct nsm_target *target;  /* owned; NULL on the host */
        struct view *view;          /* attach, mount; else NULL */
        struct graft *graft;        /* being made, or taken back; NULL once it has gone */
        char *at, *directory;       /* owned; the request's */
        struct nsm_request request; /* kind and flags from the start; the rest by jobrun.c */
        json_t *warnings;           /* array, owned */
        struct nsm_helper *helper;
        sd_event_source *io, *timer;
        unsigned kills;
};

/*
 * An empty job in the list. @volume may be NULL. -EBUSY when there are too many,
 * -ESHUTDOWN when we are asked to end.
 */
int job_new(struct supervisor *supervisor, const char *tenant, const char *volume,
            struct job **ret, struct nsm_error *err);

/* The job is filled in: it goes its way, and answers @call in the end. */
void job_submit(struct job *job, struct nsm_call *call);

/* Frees a job without an answer, and takes it out of the list. NULL-safe. */
void job_free(struct job *job);

/* A view has come to serve, or died: its jobs go on. */
void jobs_notice_view(struct view *view);

/* A graft is freed: nobody works on it any more. */
void jobs_notice_graft(const struct graft *graft);

/* Soon, from the loop, starts what may run. */
void jobs_schedule(struct supervisor *supervisor);

/* We are asked to end: what has not begun is answered so. */
void jobs_refuse_waiting(struct supervisor *supervisor);

/* The limit for stopping is over. */
void jobs_kill(struct supervisor *supervisor);

/* jobrun.c: the turn of a queued job has come. */
void job_take_turn(struct job *job);

/* jobrun.c: its view serves, or is dead: starts the helper, or ends the job by an error. */
void job_run(struct job *job);

/* jobrun.c: answers by the error @name, and ends the job. */
void job_fail(struct job *job, const char *name, const struct nsm_error *err);

#endif
