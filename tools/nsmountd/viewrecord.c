/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A view as JSON: for people, and for the next nsmountd. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/parse.h"
#include "tools/nsmountd/superblock.h"
#include "tools/nsmountd/viewstart.h"
#include "tools/nsmountd/watchers.h"

static const char *const state_names[] = {
        [VIEW_STARTING] = "starting",
        [VIEW_SERVING] = "serving",
        [VIEW_CLOSING] = "closing",
        [VIEW_DEAD] = "dead",
};

/* What a worker writes is unsigned, JSON's numbers are not. */
static json_int_t counter(const _Atomic uint64_t *value)
{
        return (json_int_t)(atomic_load_explicit(value, memory_order_relaxed) & INT64_MAX);
}

json_t *view_to_json(const struct view *view)
{
        static const struct nsm_worker_stats none;
        const struct nsm_worker_stats *stats = view->worker.stats ? view->worker.stats : &none;
        char name[VIEW_NAME_MAX], device[32];

        snprintf(device, sizeof device, "%u:%u", major(view->device), minor(view->device));
        return json_pack("{s:s, s:s, s:s, s:b, s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:s, s:s,"
                         " s:I, s:I, s:I, s:I, s:I, s:s, s:I}",
                         "name", view_format_name(view, name, sizeof name),
                         "tenant", view->tenant, "volume", view->volume,
                         "readOnly", view->read_only, "pid", (int)view->worker.pid,
                         "state", state_names[view->state], "engine", "fuse",
                         "transport", "/dev/fuse",
                         "passthrough", counter(&stats->passthrough) != 0,
                         "unopenedDirectories", counter(&stats->unopened) != 0,
                         "nearCallers", counter(&stats->near) != 0,
                         "quota", "unlimited", "device", device,
                         "requests", counter(&stats->requests),
                         "errors", counter(&stats->errors),
                         "descriptors", counter(&stats->descriptors),
                         "inodes", counter(&stats->inodes),
                         "tableBytes", counter(&stats->table_bytes),
                         "changes", watchers_describe(view),
                         "changesHeard", counter(&stats->changes));
}

json_t *view_to_record(const struct view *view)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:I,"
                         " s:I, s:I}",
                         "tenant", view->tenant, "volume", view->volume,
                         "source", view->source, "settings", view->settings,
                         "readOnly", view->read_only, "beside", view->beside,
                         "nosuid", view->nosuid, "nodev", view->nodev,
                         "pid", (json_int_t)view->worker.pid,
                         "startTime", (json_int_t)view->worker.start_time,
                         "device", (json_int_t)view->device,
                         "sourceDevice", (json_int_t)view->source_device,
                         "sourceInode", (json_int_t)view->source_inode);
}

static int read_record(const json_t *record, struct view *view, json_int_t *ret_pid,
                       json_int_t *ret_start)
{
        const char *tenant, *volume, *source, *settings;
        int read_only, beside, nosuid, nodev;
        json_int_t device, source_device, source_inode;

        if (json_unpack((json_t *)record,
                        "{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
                        "tenant", &tenant, "volume", &volume, "source", &source,
                        "settings", &settings, "readOnly", &read_only, "beside", &beside,
                        "nosuid", &nosuid, "nodev", &nodev, "pid", ret_pid,
                        "startTime", ret_start, "device", &device,
                        "sourceDevice", &source_device, "sourceInode", &source_inode) < 0)
                return -EBADMSG;
        if (!nsm_name_is_valid(tenant) || !nsm_name_is_valid(volume) || *ret_pid <= 0 ||
            *ret_pid > INT32_MAX || *ret_start < 0)
                return -EBADMSG;
        view->read_only = read_only;
        view->beside = beside;
        view->nosuid = nosuid;
        view->nodev = nodev;
        view->device = (dev_t)device;
        view->source_device = (dev_t)source_device;
        view->source_inode = (ino_t)source_inode;
        view->tenant = strdup(tenant);
        view->volume = strdup(volume);
        view->source = strdup(source);
        view->settings = strdup(settings);
        return view->tenant && view->volume && view->source && view->settings ? 0 : -ENOMEM;
}

/* The worker is there: the view goes on where it was. */
static int resume(struct view *view)
{
        int r = view_watch(view);

        if (r < 0)
                return r;
        view->state = VIEW_SERVING;
        switch (worker_get_state(&view->worker)) {
        case NSM_WORKER_STARTING:
                view->state = VIEW_STARTING;
                r = view_await_serving(view);
                break;
        case NSM_WORKER_SERVING:
                break;
        case NSM_WORKER_STOPPING:
                view_close(view); /* told once more, and not for ever */
                break;
        }
        return r < 0 ? r : 0;
}

/* As viewstart.c has it, from what the view was started with. */
static enum view_changes changes_of(const struct view *view)
{
        json_t *settings = json_loads(view->settings, 0, NULL);
        bool exclusive = json_is_true(json_object_get(settings, "exclusive"));

        json_decref(settings);
        return view->beside ? VIEW_CHANGES_ASKED
               : exclusive  ? VIEW_CHANGES_NONE : VIEW_CHANGES_TIMEOUTS;
}

int view_from_record(struct supervisor *supervisor, uint64_t id, const json_t *record,
                     struct view **ret, struct nsm_error *err)
{
        struct view *view = calloc(1, sizeof *view);
        json_int_t pid, start;
        int r;

        if (!view)
                return nsm_error_set(err, -ENOMEM, "no memory");
        view->supervisor = supervisor;
        view->id = id;
        view->worker = (struct worker)WORKER_NONE;
        view->fuse_fd = view->mount_fd = -1;
        view->state = VIEW_DEAD;
        r = read_record(record, view, &pid, &start);
        if (r == 0) {
                r = worker_adopt((pid_t)pid, (uint64_t)start, view->device, &view->worker,
                                 &view->fuse_fd, &view->mount_fd, err);
                /* What is not there is dead, and says so as long as it has grafts. */
                if (r != -EPERM)
                        r = r == 0 ? resume(view) : 0;
        }
        if (r < 0) {
                view_free(view);
                return nsm_error_set(err, r, "a record makes no sense: view-%llu",
                                     (unsigned long long)id);
        }
        DL_APPEND(supervisor->views, view);
        view->changes = changes_of(view);
        if (view->state == VIEW_SERVING)
                watchers_resume(view);
        *ret = view;
        return 0;
}
