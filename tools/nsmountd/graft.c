/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/graft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/records.h"
#include "tools/nsmountd/view.h"

void graft_free(struct graft *graft)
{
        if (!graft)
                return;
        free(graft->path);
        free(graft);
}

static const char *record_name(const struct graft *graft, char *ret, size_t size)
{
        snprintf(ret, size, "graft-%llu", (unsigned long long)graft->number);
        return ret;
}

static int write_record(const struct graft *graft, struct nsm_error *err)
{
        char name[64];
        json_t *record = graft_to_record(graft);
        int r = record ? records_write(graft->supervisor->runtime.records_fd,
                                       record_name(graft, name, sizeof name), record, err)
                       : nsm_error_set(err, -ENOMEM, "no memory");

        json_decref(record);
        return r;
}

/* Names are not given twice, also when the last graft has gone meanwhile. */
static int take_number(struct supervisor *supervisor, uint64_t *ret, struct nsm_error *err)
{
        json_t *record = json_pack("{s:I}", "next", (json_int_t)supervisor->next_graft + 1);
        int r = record ? records_write(supervisor->runtime.records_fd, "numbers", record, err)
                       : nsm_error_set(err, -ENOMEM, "no memory");

        json_decref(record);
        if (r == 0)
                *ret = supervisor->next_graft++;
        return r;
}

int graft_new(const struct job *job, const char *path, const struct nsm_place *place,
              struct graft **ret, struct nsm_error *err)
{
        struct supervisor *supervisor = job->supervisor;
        struct graft *graft = calloc(1, sizeof *graft);
        int r;

        if (!graft)
                return nsm_error_set(err, -ENOMEM, "no memory");
        graft->supervisor = supervisor;
        graft->view = job->view;
        graft->on_host = job->request.job == NSM_JOB_MOUNT;
        graft->read_only = job->request.read_only;
        graft->pending = true;
        graft->pid = job->target ? nsm_target_pid(job->target) : 0;
        graft->place = *place;
        graft->path = strdup(path);
        r = graft->path ? take_number(supervisor, &graft->number, err)
                        : nsm_error_set(err, -ENOMEM, "no memory");
        if (r == 0)
                r = write_record(graft, err);
        if (r < 0) {
                graft_free(graft);
                return r;
        }
        DL_APPEND(supervisor->grafts, graft);
        *ret = graft;
        return 0;
}

int graft_settle(struct graft *graft, const struct nsm_place *place, const char *path,
                 struct nsm_error *err)
{
        /* A tenant's symlink may lead to bytes that JSON cannot hold: as asked for, then. */
        json_t *fits = path ? json_string(path) : NULL;
        char *copy = fits ? strdup(path) : NULL;

        json_decref(fits);
        if (copy) {
                free(graft->path);
                graft->path = copy;
        }
        graft->place = *place;
        graft->pending = false;
        supervisor_schedule_sweep(graft->supervisor);
        return write_record(graft, err);
}

void graft_forget(struct graft *graft)
{
        char name[64];

        if (!graft)
                return;
        /* A name that nobody has seen is free again. */
        if (graft->pending && graft->number + 1 == graft->supervisor->next_graft)
                graft->supervisor->next_graft--;
        jobs_notice_graft(graft);
        records_remove(graft->supervisor->runtime.records_fd,
                       record_name(graft, name, sizeof name));
        DL_DELETE(graft->supervisor->grafts, graft);
        supervisor_schedule_sweep(graft->supervisor);
        graft_free(graft);
}

struct graft *graft_find_by_name(struct supervisor *supervisor, const char *name)
{
        struct graft *graft;
        char own[32];

        DL_FOREACH(supervisor->grafts, graft) {
                snprintf(own, sizeof own, "g%llu", (unsigned long long)graft->number);
                if (!graft->pending && strcmp(own, name) == 0)
                        return graft;
        }
        return NULL;
}

/* Whether two paths are written the same but for doubled and trailing slashes. */
static bool same_path(const char *a, const char *b)
{
        for (;;) {
                while (*a == '/' && (a[1] == '/' || a[1] == '\0'))
                        a++;
                while (*b == '/' && (b[1] == '/' || b[1] == '\0'))
                        b++;
                if (*a != *b)
                        return false;
                if (*a == '\0')
                        return true;
                a++;
                b++;
        }
}

struct graft *graft_find_by_path(struct supervisor *supervisor, const struct nsm_place *in,
                                 const char *path)
{
        struct graft *graft;

        DL_FOREACH(supervisor->grafts, graft)
                if (!graft->pending && nsm_place_shares_namespace(&graft->place, in) &&
                    same_path(graft->path, path ? path : "/"))
                        return graft;
        return NULL;
}

/* A job that works on it decides by itself what becomes of it. */
static bool is_in_work(const struct graft *graft)
{
        const struct job *job;

        DL_FOREACH(graft->supervisor->jobs, job)
                if (job->graft == graft)
                        return true;
        return false;
}

static void drop_gone(struct graft **grafts, const struct nsm_presence *presence, size_t n)
{
        char name[VIEW_NAME_MAX];

        for (size_t i = 0; i < n; i++) {
                if (presence[i].alive)
                        continue;
                nsm_log(LOG_INFO, "graft g%llu of %s is gone with its namespace or mount",
                        (unsigned long long)grafts[i]->number,
                        view_format_name(grafts[i]->view, name, sizeof name));
                graft_forget(grafts[i]);
        }
}

void graft_sweep(struct supervisor *supervisor)
{
        cleanup_free struct graft **grafts = NULL;
        cleanup_free struct nsm_place *places = NULL;
        cleanup_free struct nsm_presence *presence = NULL;
        struct nsm_error err = { 0 };
        struct graft *graft;
        size_t n = 0, count;

        DL_COUNT(supervisor->grafts, graft, count);
        if (count == 0)
                return;
        grafts = calloc(count, sizeof(struct graft *));
        places = calloc(count, sizeof *places);
        presence = calloc(count, sizeof *presence);
        if (!grafts || !places || !presence)
                return;
        DL_FOREACH(supervisor->grafts, graft) {
                if (graft->pending || is_in_work(graft))
                        continue;
                grafts[n] = graft;
                places[n++] = graft->place;
        }
        if (nsm_place_check(places, n, false, presence, &err) < 0)
                nsm_log(LOG_WARNING, "cannot look after the grafts: %s", err.text);
        else
                drop_gone(grafts, presence, n);
}

json_t *graft_to_json(const struct graft *graft)
{
        char name[32], view[VIEW_NAME_MAX];

        snprintf(name, sizeof name, "g%llu", (unsigned long long)graft->number);
        return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:i, s:I, s:s}", "name", name,
                         "view", view_format_name(graft->view, view, sizeof view),
                         "tenant", graft->view->tenant, "volume", graft->view->volume,
                         "readOnly", graft->read_only, "kind",
                         graft->on_host ? "host" : "container", "pid", (int)graft->pid,
                         "mountNamespace", (json_int_t)graft->place.mount_namespace,
                         "path", graft->path);
}

json_t *graft_to_record(const struct graft *graft)
{
        const struct nsm_place *place = &graft->place;

        return json_pack("{s:I, s:b, s:b, s:b, s:i, s:s, s:I, s:I, s:I, s:I, s:I}",
                         "view", (json_int_t)graft->view->id, "readOnly", graft->read_only,
                         "onHost", graft->on_host, "pending", graft->pending,
                         "pid", (int)graft->pid, "path", graft->path,
                         "mountNamespace", (json_int_t)place->mount_namespace,
                         "mountNamespaceId", (json_int_t)place->mount_namespace_id,
                         "mountId", (json_int_t)place->mount_id,
                         "mountIdUnique", (json_int_t)place->mount_id_unique,
                         "device", (json_int_t)place->device);
}

static struct view *find_view(struct supervisor *supervisor, json_int_t id)
{
        struct view *view;

        DL_FOREACH(supervisor->views, view)
                if (view->id == (uint64_t)id)
                        return view;
        return NULL;
}

/* Reads all of a record but its view. */
static int unpack(const json_t *record, struct graft *graft, json_int_t *ret_view)
{
        json_int_t ns, ns_id, mount, mount_unique, device;
        int read_only, on_host, pending, pid;
        const char *path;

        if (json_unpack((json_t *)record,
                        "{s:I, s:b, s:b, s:b, s:i, s:s, s:I, s:I, s:I, s:I, s:I}",
                        "view", ret_view, "readOnly", &read_only, "onHost", &on_host,
                        "pending", &pending, "pid", &pid, "path", &path, "mountNamespace", &ns,
                        "mountNamespaceId", &ns_id, "mountId", &mount,
                        "mountIdUnique", &mount_unique, "device", &device) < 0)
                return -EBADMSG;
        graft->read_only = read_only;
        graft->on_host = on_host;
        graft->pending = pending;
        graft->pid = pid;
        graft->place = (struct nsm_place){ (uint64_t)ns, (uint64_t)ns_id, (uint64_t)mount,
                                           (uint64_t)mount_unique, (dev_t)device };
        graft->path = strdup(path);
        return graft->path ? 0 : -ENOMEM;
}

int graft_from_record(struct supervisor *supervisor, uint64_t number, const json_t *record,
                      struct graft **ret, struct nsm_error *err)
{
        struct graft *graft = calloc(1, sizeof *graft);
        json_int_t view = 0;
        int r = graft ? unpack(record, graft, &view) : -ENOMEM;

        if (r == 0) {
                graft->view = find_view(supervisor, view);
                r = graft->view ? 0 : -EBADMSG;
        }
        if (r < 0) {
                graft_free(graft);
                return nsm_error_set(err, r, "a record makes no sense: graft-%llu",
                                     (unsigned long long)number);
        }
        graft->supervisor = supervisor;
        graft->number = number;
        DL_APPEND(supervisor->grafts, graft);
        *ret = graft;
        return 0;
}
