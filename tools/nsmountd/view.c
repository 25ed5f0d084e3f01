/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/records.h"
#include "tools/nsmountd/superblock.h"
#include "tools/nsmountd/viewstart.h"

/* How often a worker that starts is looked at, in microseconds. */
#define START_POLL_US 1000

void view_free(struct view *view)
{
        if (!view)
                return;
        sd_event_source_disable_unref(view->death);
        sd_event_source_disable_unref(view->timer);
        worker_clear(&view->worker);
        nsm_close_fd(view->fuse_fd);
        nsm_close_fd(view->mount_fd);
        free(view->tenant);
        free(view->volume);
        free(view->source);
        free(view->settings);
        free(view);
}

const char *view_format_name(const struct view *view, char *ret, size_t size)
{
        snprintf(ret, size, "%s/%s%s", view->tenant, view->volume, view->beside ? ":ro" : "");
        return ret;
}

static const char *record_name(const struct view *view, char *ret, size_t size)
{
        snprintf(ret, size, "view-%llu", (unsigned long long)view->id);
        return ret;
}

bool view_is_used(const struct view *view)
{
        const struct graft *graft;
        const struct job *job;

        DL_FOREACH(view->supervisor->grafts, graft)
                if (graft->view == view)
                        return true;
        DL_FOREACH(view->supervisor->jobs, job)
                if (job->view == view)
                        return true;
        return false;
}

void view_forget(struct view *view)
{
        char name[64];

        records_remove(view->supervisor->runtime.records_fd,
                       record_name(view, name, sizeof name));
        DL_DELETE(view->supervisor->views, view);
        view_free(view);
}

/* Nobody may wait for a worker that is gone: its connection ends now. */
static void abort_connection(const struct view *view)
{
        char name[VIEW_NAME_MAX];
        int r = superblock_abort(view->supervisor->fuse_control_fd, view->device);

        if (r < 0 && r != -ENOENT && r != -EOPNOTSUPP)
                nsm_log(LOG_WARNING, "view %s: cannot abort its connection: %s",
                        view_format_name(view, name, sizeof name), strerror(-r));
}

static void end_connection(struct view *view)
{
        abort_connection(view);
        nsm_close_fd(nsm_take_fd(&view->fuse_fd));
        nsm_close_fd(nsm_take_fd(&view->mount_fd));
}

static int on_death(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct view *view = data;
        struct supervisor *supervisor = view->supervisor;
        bool expected = view->state == VIEW_CLOSING, served = view->state == VIEW_SERVING;
        char name[VIEW_NAME_MAX], how[64];
        int pid = (int)view->worker.pid;

        worker_reap(&view->worker, how, sizeof how);
        snprintf(view->reason, sizeof view->reason, "worker %d of view %s: %s", pid,
                 view_format_name(view, name, sizeof name), how);
        nsm_log(expected ? LOG_INFO : LOG_ERR, "%s%s", view->reason,
                served ? "; its users get errors until it is attached anew" : "");
        view->state = VIEW_DEAD;
        view->death = sd_event_source_disable_unref(view->death);
        view->timer = sd_event_source_disable_unref(view->timer);
        end_connection(view);
        worker_clear(&view->worker);
        jobs_notice_view(view);
        if (!view_is_used(view))
                view_forget(view);
        supervisor_end_if_idle(supervisor);
        return 0;
}

int view_watch(struct view *view)
{
        return sd_event_add_io(view->supervisor->event, &view->death, view->worker.pidfd, EPOLLIN,
                               on_death, view);
}

static int on_start_timer(sd_event_source *timer, uint64_t usec, void *data)
{
        struct view *view = data;
        char name[VIEW_NAME_MAX];

        if (worker_get_state(&view->worker) == NSM_WORKER_SERVING) {
                view->timer = sd_event_source_disable_unref(view->timer);
                view->state = VIEW_SERVING;
                nsm_log(LOG_INFO, "view %s: served by worker %d",
                        view_format_name(view, name, sizeof name), (int)view->worker.pid);
                jobs_notice_view(view);
                return 0;
        }
        if (supervisor_now() > view->deadline) {
                nsm_log(LOG_ERR, "view %s: worker %d does not come to serve in %d s: killed",
                        view_format_name(view, name, sizeof name), (int)view->worker.pid,
                        SUPERVISOR_START_LIMIT_S);
                worker_kill(&view->worker, SIGKILL);
                return sd_event_source_set_enabled(timer, SD_EVENT_OFF);
        }
        sd_event_source_set_time_relative(timer, START_POLL_US);
        return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

int view_await_serving(struct view *view)
{
        view->deadline = supervisor_now() + SUPERVISOR_START_LIMIT_S * UINT64_C(1000000);
        return sd_event_add_time_relative(view->supervisor->event, &view->timer, CLOCK_MONOTONIC,
                                          START_POLL_US, 1, on_start_timer, view);
}

static int on_close_timer(sd_event_source *timer, uint64_t usec, void *data)
{
        struct view *view = data;
        char name[VIEW_NAME_MAX];

        nsm_log(LOG_WARNING, "view %s: worker %d does not end in %d s: killed",
                view_format_name(view, name, sizeof name), (int)view->worker.pid,
                SUPERVISOR_CLOSE_LIMIT_S);
        worker_kill(&view->worker, SIGKILL);
        /* A thread of it that waits for the storage keeps it from dying, and callers with it. */
        abort_connection(view);
        return 0;
}

void view_close(struct view *view)
{
        if (view->state != VIEW_SERVING)
                return;
        view->state = VIEW_CLOSING;
        worker_kill(&view->worker, SIGTERM);
        view->timer = sd_event_source_disable_unref(view->timer);
        if (sd_event_add_time_relative(view->supervisor->event, &view->timer, CLOCK_MONOTONIC,
                                       SUPERVISOR_CLOSE_LIMIT_S * UINT64_C(1000000), 0,
                                       on_close_timer, view) < 0)
                worker_kill(&view->worker, SIGKILL);
}

char *view_describe_settings(const struct nsm_tenant *tenant, const struct nsm_volume *volume)
{
        json_t *all = json_pack("{s:s, s:b, s:b, s:b, s:b, s:I, s:o, s:o, s:o, s:o}",
                                "source", volume->source, "ro", volume->read_only,
                                "exclusive", volume->exclusive, "devices", volume->devices_allow,
                                "suid", volume->suid_allow, "maxInodes",
                                (json_int_t)volume->max_inodes, "uids",
                                nsm_idmap_to_json(&tenant->uids), "gids",
                                nsm_idmap_to_json(&tenant->gids), "storageUids",
                                nsm_idmap_to_json(&volume->storage_uids), "storageGids",
                                nsm_idmap_to_json(&volume->storage_gids));
        char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

        json_decref(all);
        return text;
}

/* The name may lead to another directory by now, or to none. */
static bool has_same_source(const struct view *view, const struct nsm_tenant *tenant,
                            const struct nsm_volume *volume)
{
        cleanup_fd int fd = -1;
        struct stat st;

        return nsm_volume_open_source(tenant, volume, &fd, NULL) == 0 && fstat(fd, &st) == 0 &&
               st.st_dev == view->source_device && st.st_ino == view->source_inode;
}

bool view_is_outdated(const struct view *view)
{
        const struct nsm_tenant *tenant =
                nsm_config_find_tenant(view->supervisor->config, view->tenant, NULL);
        const struct nsm_volume *volume =
                tenant ? nsm_tenant_find_volume(tenant, view->volume, NULL) : NULL;
        cleanup_free char *now = volume ? view_describe_settings(tenant, volume) : NULL;

        return !now || strcmp(now, view->settings) != 0 ||
               !has_same_source(view, tenant, volume);
}

/* Whether it can be used, now or soon: a worker may also end on somebody else's word. */
static bool is_live(const struct view *view)
{
        return view->state == VIEW_STARTING ||
               (view->state == VIEW_SERVING &&
                worker_get_state(&view->worker) == NSM_WORKER_SERVING);
}

/* A live view for such requests, or NULL. */
static struct view *find_live(struct supervisor *supervisor, const char *tenant,
                              const char *volume, bool beside)
{
        struct view *view;

        DL_FOREACH(supervisor->views, view)
                if (is_live(view) && view->beside == beside && strcmp(view->tenant, tenant) == 0 &&
                    strcmp(view->volume, volume) == 0)
                        return view;
        return NULL;
}

/* Former settings are never given to a new graft, nor two read-write views to a volume. */
static int retire_outdated(struct view *view, struct nsm_error *err)
{
        char name[VIEW_NAME_MAX];

        graft_sweep(view->supervisor); /* some may have ended with their containers */
        if (view_is_used(view) || view->state == VIEW_STARTING)
                return nsm_error_set(err, -EBUSY, "view %s is still served with its former "
                                     "settings or source directory: detach its grafts first (\"nsmount list\" names "
                                     "them), then attach anew",
                                     view_format_name(view, name, sizeof name));
        view_close(view);
        return 0;
}

int view_get(struct supervisor *supervisor, const struct nsm_tenant *tenant,
             const struct nsm_volume *volume, bool read_only, struct view **ret,
             struct nsm_error *err)
{
        struct view *view;
        int r;

        for (int beside = 0; beside <= 1; beside++) {
                view = find_live(supervisor, tenant->name, volume->name, beside);
                r = view && view_is_outdated(view) ? retire_outdated(view, err) : 0;
                if (r < 0)
                        return r;
        }
        view = find_live(supervisor, tenant->name, volume->name, read_only && !volume->read_only);
        if (view) {
                view->unused_since = 0;
                *ret = view;
                return 0;
        }
        return view_start(supervisor, tenant, volume, read_only, ret, err);
}

int view_write_record(const struct view *view, struct nsm_error *err)
{
        char name[64];
        json_t *record = view_to_record(view);
        int r = record ? records_write(view->supervisor->runtime.records_fd,
                                       record_name(view, name, sizeof name), record, err)
                       : nsm_error_set(err, -ENOMEM, "no memory");

        json_decref(record);
        return r;
}
