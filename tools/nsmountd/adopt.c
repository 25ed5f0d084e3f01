/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/adopt.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/parse.h"
#include "tools/nsmountd/find.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/leftover.h"
#include "tools/nsmountd/records.h"
#include "tools/nsmountd/view.h"

static void warn(const char *text)
{
        nsm_log(LOG_WARNING, "%s", text);
}

/* The number behind "view-" or "graft-", or false. */
static bool is_record_of(const char *name, const char *prefix, uint64_t *ret)
{
        size_t n = strlen(prefix);

        return strncmp(name, prefix, n) == 0 && nsm_parse_u64(name + n, ret) == 0;
}

static void adopt_views(struct supervisor *supervisor, json_t *records)
{
        const char *name;
        json_t *record;
        uint64_t id;

        json_object_foreach(records, name, record) {
                struct nsm_error err = { 0 };
                struct view *view;
                char shown[VIEW_NAME_MAX];

                if (!is_record_of(name, "view-", &id))
                        continue;
                if (id >= supervisor->next_view)
                        supervisor->next_view = id + 1;
                if (view_from_record(supervisor, id, record, &view, &err) < 0) {
                        nsm_log(LOG_ERR, "%s; dropped", err.text);
                        records_remove(supervisor->runtime.records_fd, name);
                } else if (view->state == VIEW_DEAD) {
                        nsm_log(LOG_WARNING, "view %s: its worker has died meanwhile",
                                view_format_name(view, shown, sizeof shown));
                } else {
                        nsm_log(LOG_NOTICE, "view %s: worker %d goes on",
                                view_format_name(view, shown, sizeof shown),
                                (int)view->worker.pid);
                }
        }
}

static void adopt_grafts(struct supervisor *supervisor, json_t *records)
{
        json_int_t next = json_integer_value(json_object_get(json_object_get(records, "numbers"),
                                                             "next"));
        const char *name;
        json_t *record;
        uint64_t number;

        if (next > 0)
                supervisor->next_graft = (uint64_t)next;
        json_object_foreach(records, name, record) {
                struct nsm_error err = { 0 };
                struct graft *graft;

                if (!is_record_of(name, "graft-", &number))
                        continue;
                if (number >= supervisor->next_graft)
                        supervisor->next_graft = number + 1;
                if (graft_from_record(supervisor, number, record, &graft, &err) < 0) {
                        nsm_log(LOG_ERR, "%s; dropped", err.text);
                        records_remove(supervisor->runtime.records_fd, name);
                }
        }
}

/* A job that looks what has become of a pending graft. */
static int recover(struct graft *graft, struct nsm_error *err)
{
        struct supervisor *supervisor = graft->supervisor;
        struct nsm_target *target = NULL;
        struct job *job = NULL;
        int r = find_target(graft, &target, err);

        if (r < 0)
                return r; /* its container is gone, and what was mounted there with it */
        r = job_new(supervisor, graft->view->tenant, &job, err);
        if (r < 0) {
                nsm_target_free(target);
                return r;
        }
        job->target = target;
        job->view = graft->view;
        job->graft = graft;
        job->mount_namespace = graft->place.mount_namespace;
        job->request = (struct nsm_request){
                .job = graft->on_host ? NSM_JOB_MOUNT : NSM_JOB_ATTACH,
                .read_only = graft->read_only,
                .nosuid = graft->nosuid,
                .nodev = graft->nodev,
                .api = graft->api,
                .group = (gid_t)-1,
        };
        if (graft->on_host)
                job->directory = strdup(graft->path);
        else if (strcmp(graft->path, "/") != 0)
                job->at = strdup(graft->path);
        job_submit(job, NULL);
        return 0;
}

static void recover_pending(struct supervisor *supervisor)
{
        struct graft *graft, *next;
        char name[VIEW_NAME_MAX];

        DL_FOREACH_SAFE(supervisor->grafts, graft, next) {
                struct nsm_error err = { 0 };

                if (!graft->pending)
                        continue;
                nsm_log(LOG_NOTICE, "graft g%llu of %s was interrupted: looking what is there",
                        (unsigned long long)graft->number,
                        view_format_name(graft->view, name, sizeof name));
                if (recover(graft, &err) < 0) {
                        nsm_log(LOG_NOTICE, "%s", err.text);
                        graft_forget(graft);
                }
        }
}

int adopt_all(struct supervisor *supervisor, struct nsm_error *err)
{
        json_t *records = NULL;
        int r;

        r = leftover_wait(&supervisor->runtime, HELPER_LIMIT_S, err);
        if (r == 0)
                r = records_load(supervisor->runtime.records_fd, &records, warn, err);
        if (r < 0)
                return r;
        adopt_views(supervisor, records);
        adopt_grafts(supervisor, records);
        json_decref(records);
        recover_pending(supervisor);
        supervisor_sweep(supervisor);
        return 0;
}
