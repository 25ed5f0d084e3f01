/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/viewstart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/view/limits.h"
#include "fs/watch/watch.h"
#include "tools/nsmountd/superblock.h"
#include "tools/nsmountd/watchers.h"

static int print_map(FILE *f, const char *key, const struct nsm_idmap *storage,
                     const struct nsm_idmap *host, struct nsm_error *err)
{
        cleanup_idmap struct nsm_idmap map = { 0 };
        int r = nsm_idmap_compose(storage, host, &map, err);

        if (r < 0)
                return r;
        if (map.n == 0)
                return nsm_error_set(err, -EINVAL, "the volume's storage-ids and the tenant's ids "
                                     "have no container id in common (%s): change one of them",
                                     key);
        for (size_t i = 0; i < map.n; i++)
                fprintf(f, "%s=%u:%u:%u,", key, map.by_inside[i].inside, map.by_inside[i].outside,
                        map.by_inside[i].count);
        return 0;
}

int view_format_options(const struct nsm_tenant *tenant, const struct nsm_volume *volume,
                        bool read_only, char **ret, struct nsm_error *err)
{
        cleanup_free char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        bool beside = read_only && !volume->read_only;
        int r;

        if (!f)
                return nsm_error_set(err, -ENOMEM, "no memory");
        r = print_map(f, "uidmap", &volume->storage_uids, &tenant->uids, err);
        if (r == 0)
                r = print_map(f, "gidmap", &volume->storage_gids, &tenant->gids, err);
        fprintf(f, "coherence=%s,devices=%s%s%s", volume->exclusive ? "exclusive" : "shared",
                volume->devices_allow ? "allow" : "deny",
                read_only || volume->read_only ? ",ro" : "", beside ? ",beside" : "");
        if (volume->max_inodes < NSM_INODES_MAX)
                fprintf(f, ",max-inodes=%u", volume->max_inodes);
        if (fclose(f) != 0 && r == 0)
                r = nsm_error_set(err, -ENOMEM, "no memory");
        if (r == 0)
                *ret = nsm_take_ptr(text);
        return r;
}

static struct view *new_view(struct supervisor *supervisor, const struct nsm_tenant *tenant,
                             const struct nsm_volume *volume, bool read_only)
{
        struct view *view = calloc(1, sizeof *view);

        if (!view)
                return NULL;
        view->supervisor = supervisor;
        view->id = supervisor->next_view++;
        view->tenant = strdup(tenant->name);
        view->volume = strdup(volume->name);
        view->settings = view_describe_settings(tenant, volume);
        view->read_only = read_only || volume->read_only;
        view->beside = read_only && !volume->read_only;
        view->changes = view->beside        ? VIEW_CHANGES_ASKED
                        : volume->exclusive ? VIEW_CHANGES_NONE : VIEW_CHANGES_TIMEOUTS;
        view->nosuid = !volume->suid_allow;
        view->nodev = !volume->devices_allow;
        view->worker = (struct worker)WORKER_NONE;
        view->fuse_fd = view->mount_fd = -1;
        if (view->tenant && view->volume && view->settings)
                return view;
        view_free(view);
        return NULL;
}

static int open_source(struct view *view, const struct nsm_tenant *tenant,
                       const struct nsm_volume *volume, int *ret_source, int *ret_fd,
                       struct nsm_error *err)
{
        cleanup_fd int source = -1;
        char link[64], path[PATH_MAX];
        struct stat st;
        ssize_t n;
        int fd, r = nsm_volume_open_source(tenant, volume, &source, err);

        if (r < 0)
                return r;
        if (fstat(source, &st) < 0)
                return nsm_error_set(err, -errno, "%s: %s", volume->source, strerror(errno));
        view->source_device = st.st_dev;
        view->source_inode = st.st_ino;
        snprintf(link, sizeof link, "/proc/self/fd/%d", source);
        n = readlink(link, path, sizeof path - 1);
        path[n > 0 ? n : 0] = '\0';
        view->source = strdup(path);
        fd = superblock_clone_source(source, view->read_only, err);
        if (fd < 0) {
                nsm_error_prefix(err, "%s", volume->source);
                return fd;
        }
        *ret_source = nsm_take_fd(&source);
        *ret_fd = fd;
        return view->source ? 0 : nsm_error_set(err, -ENOMEM, "no memory");
}

static int make_superblock(struct view *view, struct nsm_error *err)
{
        char name[VIEW_NAME_MAX];
        struct superblock_options options = {
                .name = view_format_name(view, name, sizeof name),
                .read_only = view->read_only,
                .nosuid = view->nosuid,
                .nodev = view->nodev,
        };

        return superblock_new(&options, &view->fuse_fd, &view->mount_fd, &view->device, err);
}

/* The worker is held at its gate: whatever fails here ends it. */
static int set_going(struct view *view, int *gate, struct nsm_error *err)
{
        int r = view_write_record(view, err);

        if (r < 0)
                return r;
        r = view_watch(view);
        if (r >= 0)
                r = view_await_serving(view);
        if (r >= 0)
                r = worker_release(gate);
        if (r < 0)
                return nsm_error_set(err, r, "starting a worker: %s", strerror(-r));
        return 0;
}

static int start(struct view *view, const struct nsm_tenant *tenant,
                 const struct nsm_volume *volume, struct nsm_error *err)
{
        cleanup_free char *options = NULL;
        cleanup_fd int directory = -1; /* the source, as the host has it mounted */
        cleanup_fd int source = -1;
        cleanup_fd int changes = -1;
        cleanup_fd int tell_changes = -1;
        cleanup_fd int gate = -1;
        struct worker_descriptors descriptors;
        int r = view_format_options(tenant, volume, view->read_only, &options, err);

        /* Sources come and go: whether two are one is known only now. */
        if (r == 0)
                r = nsm_config_compare_sources(view->supervisor->config, tenant->name, err);
        if (r == 0)
                r = open_source(view, tenant, volume, &directory, &source, err);
        if (r == 0)
                r = make_superblock(view, err);
        if (r < 0)
                return r;
        if (view->changes == VIEW_CHANGES_TIMEOUTS)
                (void)nsm_watch_make_pipe(&changes, &tell_changes); /* or by timeouts */
        descriptors = (struct worker_descriptors){ .fuse = view->fuse_fd, .source = source,
                                                   .mount = view->mount_fd, .changes = changes };
        r = worker_spawn(view->supervisor->worker_program, options, &descriptors, &view->worker,
                         &gate, err);
        if (r < 0)
                return r;
        r = set_going(view, &gate, err);
        if (r < 0)
                worker_kill(&view->worker, SIGKILL);
        nsm_close_fd(nsm_take_fd(&changes)); /* or we would count as who reads it */
        if (r >= 0 && tell_changes >= 0)
                watchers_add(view, directory, tell_changes);
        return r;
}

int view_start(struct supervisor *supervisor, const struct nsm_tenant *tenant,
               const struct nsm_volume *volume, bool read_only, struct view **ret,
               struct nsm_error *err)
{
        struct view *view = new_view(supervisor, tenant, volume, read_only);
        int r;

        if (!view)
                return nsm_error_set(err, -ENOMEM, "no memory");
        DL_APPEND(supervisor->views, view);
        r = start(view, tenant, volume, err);
        if (r < 0) {
                char name[VIEW_NAME_MAX];

                nsm_error_prefix(err, "view %s", view_format_name(view, name, sizeof name));
                view_forget(view);
                return r;
        }
        supervisor_schedule_sweep(supervisor);
        *ret = view;
        return 0;
}
