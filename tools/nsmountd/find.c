/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/find.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "tools/nsmountd/view.h"

/* "g1 at /, g2 at /data": the grafts of one namespace (NULL: of all), or "none". */
static void describe(struct supervisor *supervisor, const struct nsm_place *in, char *ret,
                     size_t size)
{
        struct graft *graft;
        size_t used = 0;

        snprintf(ret, size, "none");
        DL_FOREACH(supervisor->grafts, graft) {
                if (graft->pending || (in && !nsm_place_shares_namespace(&graft->place, in)))
                        continue;
                used += (size_t)snprintf(ret + used, size - used, "%sg%llu at %s",
                                         used ? ", " : "", (unsigned long long)graft->number,
                                         graft->path);
                if (used >= size)
                        return;
        }
}

int find_graft_by_name(struct supervisor *supervisor, const char *name, struct graft **ret,
                       struct nsm_error *err)
{
        char there[256];

        *ret = graft_find_by_name(supervisor, name);
        if (*ret)
                return 0;
        describe(supervisor, NULL, there, sizeof there);
        return nsm_error_set(err, -ENOENT, "there is no graft %s; there are: %s", name, there);
}

int find_graft_in(struct supervisor *supervisor, const char *tenant,
                  const struct nsm_target *target, const char *at, struct graft **ret,
                  struct nsm_error *err)
{
        struct nsm_place in = { 0 };
        struct graft *graft;
        char there[256];

        nsm_place_of_target(target, &in);
        graft = graft_find_by_path(supervisor, &in, at);
        if (graft && strcmp(graft->view->tenant, tenant) != 0)
                return nsm_error_set(err, -EPERM, "the graft at %s of process %d's container is "
                                     "tenant %s's, not tenant %s's", graft->path,
                                     (int)nsm_target_pid(target), graft->view->tenant, tenant);
        if (graft) {
                *ret = graft;
                return 0;
        }
        describe(supervisor, &in, there, sizeof there);
        return nsm_error_set(err, -ENOENT, "process %d's container has no graft at %s; it has: %s",
                             (int)nsm_target_pid(target), at ? at : "/", there);
}

/*
 * The path with all but its last component resolved: that one may be the view
 * itself, which no request of ours may wait for.
 */
static char *resolve_parent(const char *directory)
{
        cleanup_free char *copy = strdup(directory);
        cleanup_free char *parent = NULL;
        char *slash, *whole = NULL;
        size_t n = copy ? strlen(copy) : 0;

        while (n > 1 && copy[n - 1] == '/')
                copy[--n] = '\0';
        slash = copy ? strrchr(copy, '/') : NULL;
        if (!slash || slash[1] == '\0')
                return NULL;
        *slash = '\0';
        parent = realpath(*copy ? copy : "/", NULL);
        if (!parent || asprintf(&whole, "%s/%s", strcmp(parent, "/") ? parent : "", slash + 1) < 0)
                return NULL;
        return whole;
}

int find_graft_on_host(struct supervisor *supervisor, const char *directory, struct graft **ret,
                       struct nsm_error *err)
{
        const struct nsm_place host = { .mount_namespace = supervisor->mount_namespace };
        struct graft *graft;
        cleanup_free char *resolved = NULL;
        char there[256];

        if (directory[0] != '/')
                return nsm_error_set(err, -EINVAL, "%s: give an absolute path", directory);
        graft = graft_find_by_path(supervisor, &host, directory);
        if (!graft) {
                resolved = resolve_parent(directory);
                graft = resolved ? graft_find_by_path(supervisor, &host, resolved) : NULL;
        }
        if (graft) {
                *ret = graft;
                return 0;
        }
        describe(supervisor, &host, there, sizeof there);
        return nsm_error_set(err, -ENOENT, "no view is mounted at %s of the host; there are: %s",
                             directory, there);
}

/* @pid's container when it is the graft's. */
static struct nsm_target *try_target(const struct graft *graft, pid_t pid)
{
        struct nsm_target *target = NULL;
        struct nsm_place in = { 0 };
        cleanup_fd int pidfd = -1;

        if (nsm_target_open_pidfd(pid, &pidfd, NULL) < 0 ||
            nsm_target_open(pidfd, &target, NULL) < 0)
                return NULL;
        nsm_place_of_target(target, &in);
        if (nsm_place_shares_namespace(&graft->place, &in))
                return target;
        nsm_target_free(target);
        return NULL;
}

int find_target(const struct graft *graft, struct nsm_target **ret, struct nsm_error *err)
{
        cleanup_free pid_t *pids = NULL;
        struct nsm_target *target = NULL;
        int n;

        *ret = NULL;
        if (graft->on_host)
                return 0;
        if (graft->pid > 0)
                target = try_target(graft, graft->pid);
        n = target ? 0 : nsm_place_list_pids(graft->place.mount_namespace, &pids);
        for (int i = 0; i < n && !target; i++)
                target = try_target(graft, pids[i]);
        if (!target)
                return nsm_error_set(err, -ESRCH, "graft g%llu: no process is left in its "
                                     "container: nothing to detach it from",
                                     (unsigned long long)graft->number);
        *ret = target;
        return 0;
}
