/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job and its helper, from the start to the answer. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "fs/base/log.h"
#include "tools/nsmountd/answer.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/view.h"

static bool makes_graft(const struct job *job)
{
        return job->request.job == NSM_JOB_ATTACH || job->request.job == NSM_JOB_MOUNT;
}

/* Answered already: frees it, and lets the next of its container begin. */
static void end_job(struct job *job)
{
        struct supervisor *supervisor = job->supervisor;

        job_free(job);
        supervisor_schedule_sweep(supervisor);
        jobs_schedule(supervisor);
        supervisor_end_if_idle(supervisor);
}

static void fail(struct job *job, const char *name, const struct nsm_error *err,
                 const struct nsm_holders *holders)
{
        answer_error(job->call, name, err, holders);
        if (makes_graft(job))
                graft_forget(job->graft); /* it was never made */
        end_job(job);
}

void job_fail(struct job *job, const char *name, const struct nsm_error *err)
{
        fail(job, name, err, NULL);
}

static void succeed(struct job *job, const struct nsm_result *result)
{
        struct nsm_error err = { 0 };

        for (size_t i = 0; i < result->n_warnings; i++)
                json_array_append_new(job->warnings, json_string(result->warnings[i]));
        if (makes_graft(job) &&
            graft_settle(job->graft, &result->place, result->path, &err) < 0)
                nsm_log(LOG_ERR, "%s; the graft is there all the same", err.text);
        answer_graft(job->call, job->graft, makes_graft(job) ? job->warnings : NULL);
        if (!makes_graft(job))
                graft_forget(job->graft);
        end_job(job);
}

static int on_helper(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct job *job = data;
        cleanup_result struct nsm_result result = { 0 };
        struct nsm_error err = { 0 };
        int r = nsm_helper_finish(job->helper, &result, &err);

        if (r == -EAGAIN)
                return 0;
        if (r == 0)
                succeed(job, &result);
        else if (result.outcome == NSM_OUTCOME_BUSY)
                fail(job, "Busy", &err, &result.holders);
        else if (result.outcome == NSM_OUTCOME_REFUSED)
                fail(job, "Refused", &err, NULL);
        else
                fail(job, "Failed", &err, NULL);
        return 0;
}

static int on_limit(sd_event_source *timer, uint64_t usec, void *data)
{
        struct job *job = data;

        nsm_log(LOG_WARNING, "a request of tenant %s takes longer than %d s: %s", job->tenant,
                HELPER_LIMIT_S, job->kills ? "given up" : "its helper is killed");
        nsm_helper_kill(job->helper);
        if (job->kills++ == 0) {
                sd_event_source_set_time_relative(timer, HELPER_LIMIT_S * UINT64_C(1000000));
                sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
        }
        return 0;
}

/* A graft is written down before anybody begins to make it. */
static int prepare_graft(struct job *job, struct nsm_error *err)
{
        bool on_host = job->request.job == NSM_JOB_MOUNT;
        struct nsm_place place = { .mount_namespace = job->supervisor->mount_namespace,
                                   .device = job->view->device };

        if (job->target)
                nsm_place_of_target(job->target, &place);
        return graft_new(job, on_host ? job->directory : job->at ? job->at : "/", &place,
                         &job->graft, err);
}

/* Whether what the job was to work on has gone while it waited. */
static int check_still_there(const struct job *job, struct nsm_error *err)
{
        if (job->view && job->view->state == VIEW_DEAD)
                return nsm_error_set(err, -EIO, "%s before the request was done: nsmountd's log "
                                     "has its own words", job->view->reason);
        if (!makes_graft(job) && !job->graft)
                return nsm_error_set(err, -ENOENT, "the graft has gone meanwhile: nothing to do");
        return 0;
}

static int start_helper(struct job *job, struct nsm_error *err)
{
        struct nsm_request *request = &job->request;
        int r;

        r = job->view ? prepare_graft(job, err) : 0;
        if (r < 0)
                return r;
        request->target = job->target;
        request->at = job->at;
        request->directory = job->directory;
        request->place = job->graft->place;
        request->view_fd = job->view ? job->view->mount_fd : -1;
        request->fuse_fd = job->view ? job->view->fuse_fd : -1;
        request->device = job->graft->place.device;
        return nsm_helper_start(request, &job->helper, err);
}

static int watch_helper(struct job *job, struct nsm_error *err)
{
        sd_event *event = job->supervisor->event;
        int r = sd_event_add_io(event, &job->io, nsm_helper_fd(job->helper), EPOLLIN, on_helper,
                                job);

        if (r >= 0)
                r = sd_event_add_time_relative(event, &job->timer, CLOCK_MONOTONIC,
                                               HELPER_LIMIT_S * UINT64_C(1000000), 0, on_limit,
                                               job);
        if (r >= 0)
                return 0;
        nsm_helper_kill(job->helper);
        return nsm_error_set(err, r, "looking after a helper: %s", strerror(-r));
}

void job_take_turn(struct job *job)
{
        struct nsm_error err = { 0 };

        job->state = JOB_WAITS_FOR_VIEW;
        if (job->prepare && job->prepare(job, &err) < 0)
                job_fail(job, "Refused", &err);
        else if (!job->view || job->view->state != VIEW_STARTING)
                job_run(job);
}

void job_run(struct job *job)
{
        struct nsm_error err = { 0 };
        int r;

        job->state = JOB_RUNNING;
        r = check_still_there(job, &err);
        if (r == 0)
                r = start_helper(job, &err);
        if (r == 0)
                r = watch_helper(job, &err);
        if (r < 0)
                job_fail(job, "Failed", &err);
}
