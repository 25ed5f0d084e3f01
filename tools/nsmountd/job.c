/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/job.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/view.h"

void job_free(struct job *job)
{
        if (!job)
                return;
        DL_DELETE(job->supervisor->jobs, job);
        sd_event_source_disable_unref(job->io);
        sd_event_source_disable_unref(job->timer);
        nsm_helper_free(job->helper);
        nsm_target_free(job->target);
        json_decref(job->warnings);
        free(job->tenant);
        free(job->volume);
        free(job->at);
        free(job->directory);
        free(job);
}

static int refuse_stopping(struct nsm_error *err)
{
        return nsm_error_set(err, -ESHUTDOWN, "nsmountd is being stopped: try again when it runs");
}

int job_new(struct supervisor *supervisor, const char *tenant, const char *volume,
            struct job **ret, struct nsm_error *err)
{
        struct job *job;
        size_t n;

        if (supervisor->stopping)
                return refuse_stopping(err);
        DL_COUNT(supervisor->jobs, job, n);
        if (n >= JOBS_MAX)
                return nsm_error_set(err, -EBUSY, "%u requests are in hand already: try again "
                                     "later", JOBS_MAX);
        job = calloc(1, sizeof *job);
        if (!job)
                return nsm_error_set(err, -ENOMEM, "no memory");
        job->supervisor = supervisor;
        DL_APPEND(supervisor->jobs, job);
        job->tenant = strdup(tenant);
        job->volume = volume ? strdup(volume) : NULL;
        job->warnings = json_array();
        if (!job->tenant || !job->warnings || (volume && !job->volume)) {
                job_free(job);
                return nsm_error_set(err, -ENOMEM, "no memory");
        }
        *ret = job;
        return 0;
}

void job_submit(struct job *job, struct nsm_call *call)
{
        job->call = call;
        jobs_schedule(job->supervisor);
}

void jobs_notice_view(struct view *view)
{
        struct supervisor *supervisor = view->supervisor;
        struct job *job, *next;

        /* job_run() may end its own job, and no other. */
        DL_FOREACH_SAFE(supervisor->jobs, job, next)
                if (job->view == view && job->state == JOB_WAITS_FOR_VIEW)
                        job_run(job);
}

void jobs_notice_graft(const struct graft *graft)
{
        struct job *job;

        DL_FOREACH(graft->supervisor->jobs, job)
                if (job->graft == graft)
                        job->graft = NULL;
}

/* Whether @job may run beside those that do. */
static bool may_run(const struct job *job)
{
        const struct job *other;
        unsigned all = 0, same_tenant = 0;

        if (job->state != JOB_QUEUED)
                return false;
        DL_FOREACH(job->supervisor->jobs, other) {
                if (other->state == JOB_QUEUED)
                        continue;
                if (other->turn == job->turn)
                        return false;
                all++;
                same_tenant += strcmp(other->tenant, job->tenant) == 0;
        }
        return all < HELPERS_MAX && same_tenant < HELPERS_PER_TENANT_MAX;
}

/* The first that may, so that nobody overtakes another in the same container. */
static struct job *find_next(struct supervisor *supervisor)
{
        struct job *job;

        DL_FOREACH(supervisor->jobs, job)
                if (may_run(job))
                        return job;
        return NULL;
}

static int on_start(sd_event_source *source, void *data)
{
        struct supervisor *supervisor = data;
        struct job *job;

        while ((job = find_next(supervisor)))
                job_take_turn(job);
        return 0;
}

void jobs_schedule(struct supervisor *supervisor)
{
        int r = 0;

        if (!supervisor->start)
                r = sd_event_add_defer(supervisor->event, &supervisor->start, on_start, supervisor);
        if (r >= 0)
                r = sd_event_source_set_enabled(supervisor->start, SD_EVENT_ONESHOT);
        if (r < 0)
                on_start(NULL, supervisor); /* no memory for later: now, then */
}

void jobs_refuse_waiting(struct supervisor *supervisor)
{
        struct nsm_error err = { 0 };
        struct job *job, *next;

        refuse_stopping(&err);
        DL_FOREACH_SAFE(supervisor->jobs, job, next)
                if (job->state != JOB_RUNNING)
                        job_fail(job, "Refused", &err);
}

void jobs_kill(struct supervisor *supervisor)
{
        struct job *job;

        DL_FOREACH(supervisor->jobs, job)
                if (job->helper)
                        nsm_helper_kill(job->helper);
}
