/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/parse.h"
#include "mountns/table.h"
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

static int adopt_view(struct supervisor *supervisor, const char *name, uint64_t id,
                      const json_t *record, struct nsm_error *err)
{
        struct nsm_error why = { 0 };
        struct view *view;
        char shown[VIEW_NAME_MAX];
        int r = view_from_record(supervisor, id, record, &view, &why);

        if (r == -EPERM)
                return nsm_error_set(err, r, "%s", why.text);
        if (r < 0) {
                nsm_log(LOG_ERR, "%s; dropped", why.text);
                records_remove(supervisor->runtime.records_fd, name);
                return 0;
        }
        view_format_name(view, shown, sizeof shown);
        if (view->state == VIEW_DEAD)
                nsm_log(LOG_WARNING, "view %s: %s", shown,
                        why.code ? why.text : "its worker has died meanwhile");
        else
                nsm_log(LOG_NOTICE, "view %s: worker %d goes on", shown, (int)view->worker.pid);
        return 0;
}

/* A worker that we may not take back stops us, and not it. */
static int adopt_views(struct supervisor *supervisor, json_t *records, struct nsm_error *err)
{
        const char *name;
        json_t *record;
        uint64_t id;
        int r = 0;

        json_object_foreach(records, name, record) {
                if (!is_record_of(name, "view-", &id))
                        continue;
                if (id >= supervisor->next_view)
                        supervisor->next_view = id + 1;
                if (r == 0)
                        r = adopt_view(supervisor, name, id, record, err);
        }
        return r;
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

/* Whether a mount is another graft's already. */
static bool is_known(const struct graft *but, const struct nsm_place *place)
{
        const struct graft *graft;

        DL_FOREACH(but->supervisor->grafts, graft)
                if (graft != but && nsm_place_shares_namespace(&graft->place, place) &&
                    graft->place.mount_id == place->mount_id)
                        return true;
        return false;
}

/* The mount of the graft's view that nobody else accounts for, in @task's table. */
static int look_for_mount(const struct graft *graft, const char *task, struct nsm_place *place,
                          char **ret_path, struct nsm_error *err)
{
        cleanup_table struct nsm_table table = { 0 };
        cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;
        int r = iter ? nsm_table_read(proc, task, &table, err) : -ENOMEM;

        *ret_path = NULL;
        while (r == 0 && !*ret_path && mnt_table_next_fs(table.mounts, iter, &mount) == 0) {
                place->mount_id = (uint64_t)mnt_fs_get_id(mount);
                if (mnt_fs_get_devno(mount) == graft->place.device && !is_known(graft, place))
                        *ret_path = strdup(mnt_fs_get_target(mount));
        }
        mnt_free_iter(iter);
        if (r == 0 && !*ret_path)
                r = nsm_error_set(err, -ENOENT, "graft g%llu was not made",
                                  (unsigned long long)graft->number);
        return r;
}

/*
 * An attach that was under way when nsmountd died: its helper has completed or
 * undone it since (leftover.h); the container's table says which.
 */
static int recover(struct graft *graft, struct nsm_error *err)
{
        cleanup_target struct nsm_target *target = NULL;
        cleanup_free char *path = NULL;
        struct nsm_place place = graft->place;
        char task[16] = "self";
        int r = find_target(graft, &target, err);

        if (r < 0)
                return r; /* its container is gone, and what was mounted there with it */
        if (target)
                snprintf(task, sizeof task, "%d", (int)nsm_target_pid(target));
        r = look_for_mount(graft, task, &place, &path, err);
        return r < 0 ? r : graft_settle(graft, &place, path, err);
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
        r = adopt_views(supervisor, records, err);
        if (r == 0)
                adopt_grafts(supervisor, records);
        json_decref(records);
        if (r < 0)
                return r;
        recover_pending(supervisor);
        supervisor_sweep(supervisor);
        return 0;
}
