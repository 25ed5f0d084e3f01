/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/list.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/view.h"

/* Processes named per container: a tenant chooses how many there are. */
#define PIDS_MAX 256

/* Where the containers of the grafts are found again, by mount namespace. */
static json_t *find_container(json_t *containers, uint64_t mount_namespace)
{
        json_t *container;
        size_t i;

        json_array_foreach(containers, i, container)
                if ((uint64_t)json_integer_value(json_object_get(container, "mountNamespace")) ==
                    mount_namespace)
                        return container;
        return NULL;
}

static json_t *list_containers(struct supervisor *supervisor)
{
        json_t *containers = json_array();
        struct graft *graft;
        char name[32];

        DL_FOREACH(supervisor->grafts, graft) {
                json_t *container;

                if (graft->pending || graft->on_host)
                        continue;
                container = find_container(containers, graft->place.mount_namespace);
                if (!container) {
                        container = json_pack("{s:I, s:s, s:[], s:[]}", "mountNamespace",
                                              (json_int_t)graft->place.mount_namespace,
                                              "tenant", graft->view->tenant, "pids", "grafts");
                        json_array_append_new(containers, container);
                }
                snprintf(name, sizeof name, "g%llu", (unsigned long long)graft->number);
                json_array_append_new(json_object_get(container, "grafts"), json_string(name));
        }
        return containers;
}

/* One walk over all processes, whatever the number of containers. */
static void fill_in_pids(json_t *containers)
{
        cleanup_dir DIR *proc = opendir("/proc");

        for (struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
                char path[64];
                struct stat st;
                json_t *pids;
                pid_t pid;

                if (nsm_parse_pid(e->d_name, &pid) < 0)
                        continue;
                snprintf(path, sizeof path, "%d/ns/mnt", (int)pid);
                if (fstatat(dirfd(proc), path, &st, 0) < 0)
                        continue;
                pids = json_object_get(find_container(containers, st.st_ino), "pids");
                if (pids && json_array_size(pids) < PIDS_MAX)
                        json_array_append_new(pids, json_integer(pid));
        }
}

static json_t *list_tenants(struct supervisor *supervisor)
{
        json_t *tenants = json_array();

        for (size_t i = 0; i < supervisor->config->n_tenants; i++)
                json_array_append_new(tenants,
                                      nsm_tenant_to_json(&supervisor->config->tenants[i]));
        return tenants;
}

json_t *list_all(struct supervisor *supervisor)
{
        json_t *views = json_array(), *grafts = json_array(), *containers;
        struct view *view;
        struct graft *graft;

        supervisor_sweep(supervisor);
        DL_FOREACH(supervisor->views, view)
                json_array_append_new(views, view_to_json(view));
        DL_FOREACH(supervisor->grafts, graft)
                if (!graft->pending)
                        json_array_append_new(grafts, graft_to_json(graft));
        containers = list_containers(supervisor);
        if (json_array_size(containers) > 0)
                fill_in_pids(containers);
        return json_pack("{s:o, s:o, s:o, s:o}", "tenants", list_tenants(supervisor),
                         "views", views, "grafts", grafts, "containers", containers);
}

json_t *list_changed(struct supervisor *supervisor)
{
        json_t *changed = json_array();
        struct view *view;
        char name[VIEW_NAME_MAX];

        DL_FOREACH(supervisor->views, view)
                if (view->state != VIEW_DEAD && view_is_outdated(view))
                        json_array_append_new(changed, json_string(view_format_name(
                                                               view, name, sizeof name)));
        return changed;
}
