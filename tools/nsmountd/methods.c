/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods of io.nsmount: what is asked for is checked, and becomes a job. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "tools/control/parameters.h"
#include "tools/nsmountd/answer.h"
#include "tools/nsmountd/find.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/list.h"
#include "tools/nsmountd/view.h"

#define P(name) NSM_PARAMETER_##name

/* False when the call was answered already. */
static bool parse(struct nsm_call *call, unsigned known, unsigned required,
                  struct nsm_parameters *ret)
{
        const char *bad = NULL;

        if (nsm_parameters_parse(nsm_call_parameters(call), known, required, ret, &bad) == 0)
                return true;
        nsm_call_fail(call, "org.varlink.service.InvalidParameter",
                      json_pack("{s:s}", "parameter", bad));
        return false;
}

static void refuse(struct nsm_call *call, const struct nsm_error *err)
{
        answer_error(call, "Refused", err, NULL);
}

/* The container behind the descriptor that came with the call. */
static int open_target(struct nsm_call *call, int index, struct nsm_target **ret,
                       struct nsm_error *err)
{
        cleanup_fd int pidfd = nsm_call_take_fd(call, index);

        if (pidfd < 0)
                return nsm_error_set(err, pidfd, "no descriptor %d came with the request: "
                                     "\"container\" is the index of a pidfd", index);
        return nsm_target_open(pidfd, ret, err);
}

/*
 * Who works in a container joins its user namespace, and a helper that looks
 * for footholds would take it for the tenant's: one at a time in each.
 */
static uint64_t turn_of(const struct nsm_target *target)
{
        return target->inodes[NSM_NAMESPACE_USER];
}

static int take_container(struct job *job, struct nsm_call *call, int index,
                          struct nsm_error *err)
{
        int r = open_target(call, index, &job->target, err);

        if (r < 0)
                nsm_error_prefix(err, "tenant %s", job->tenant);
        else
                job->turn = turn_of(job->target);
        return r;
}

/* Finds the view of a job whose turn it is, and what goes with it. */
static int prepare_view(struct job *job, const struct nsm_tenant *tenant, struct nsm_error *err)
{
        const struct nsm_volume *volume = nsm_tenant_find_volume(tenant, job->volume, err);
        int r;

        if (!volume)
                return err->code;
        if (job->wants_suid && !volume->suid_allow)
                return nsm_error_set(err, -EPERM, "%s/%s has suid = deny: mount it without --suid",
                                     tenant->name, volume->name);
        r = view_get(job->supervisor, tenant, volume, job->wants_read_only, &job->view, err);
        if (r < 0)
                return r;
        view_warn_of_mounts(job->view, job->warnings);
        job->request.read_only = job->view->read_only;
        job->request.nosuid = job->view->nosuid;
        job->request.nodev = job->view->nodev;
        return 0;
}

static int prepare_attach(struct job *job, struct nsm_error *err)
{
        const struct nsm_tenant *tenant = nsm_config_find_tenant(job->supervisor->config,
                                                                 job->tenant, err);
        int r;

        if (!tenant)
                return err->code;
        r = nsm_target_check_ids(job->target, &tenant->uids, &tenant->gids, err);
        if (r == 0)
                return prepare_view(job, tenant, err);
        nsm_error_prefix(err, "tenant %s", job->tenant);
        return r;
}

static int prepare_mount(struct job *job, struct nsm_error *err)
{
        const struct nsm_tenant *tenant = nsm_config_find_tenant(job->supervisor->config,
                                                                 job->tenant, err);
        uint32_t gid;
        int r;

        if (!tenant)
                return err->code;
        r = prepare_view(job, tenant, err);
        if (r < 0)
                return r;
        job->request.nosuid = job->request.nosuid || !job->wants_suid;
        if (nsm_idmap_shift(&tenant->gids, NSM_ID_OUTWARD, 0, &gid) == 0)
                job->request.group = gid;
        return 0;
}

/* What is wrong at first sight needs not wait for its turn. */
static int check_names(const struct supervisor *supervisor, const struct nsm_parameters *p,
                       struct nsm_error *err)
{
        const struct nsm_tenant *tenant = nsm_config_find_tenant(supervisor->config, p->tenant,
                                                                 err);

        return tenant && nsm_tenant_find_volume(tenant, p->volume, err) ? 0 : err->code;
}

/* The whole of a job to make a graft; @call has the container's descriptor. */
static int fill_in(struct job *job, struct nsm_call *call, const struct nsm_parameters *p,
                   struct nsm_error *err)
{
        job->wants_read_only = p->read_only;
        job->wants_suid = p->suid;
        job->request.group = (gid_t)-1;
        job->request.api = p->api;
        job->request.force = p->force;
        job->at = p->at ? strdup(p->at) : NULL;
        job->directory = p->directory ? strdup(p->directory) : NULL;
        if ((p->at && !job->at) || (p->directory && !job->directory))
                return nsm_error_set(err, -ENOMEM, "no memory");
        job->request.job = p->directory ? NSM_JOB_MOUNT : NSM_JOB_ATTACH;
        job->prepare = p->directory ? prepare_mount : prepare_attach;
        job->turn = job->supervisor->mount_namespace;
        return p->directory ? 0 : take_container(job, call, p->container, err);
}

static void make_graft(struct supervisor *supervisor, struct nsm_call *call,
                       const struct nsm_parameters *p)
{
        struct nsm_error err = { 0 };
        struct job *job = NULL;
        int r = check_names(supervisor, p, &err);

        if (r == 0)
                r = job_new(supervisor, p->tenant, p->volume, &job, &err);
        if (r == 0)
                r = fill_in(job, call, p, &err);
        if (r < 0) {
                job_free(job);
                refuse(call, &err);
                return;
        }
        job_submit(job, call);
}

static void run_attach(struct nsm_call *call, void *context)
{
        struct nsm_parameters p;

        if (parse(call, P(TENANT) | P(CONTAINER) | P(VOLUME) | P(AT) | P(READ_ONLY) | P(API) |
                  P(FORCE), P(TENANT) | P(CONTAINER), &p))
                make_graft(context, call, &p);
}

static void run_mount(struct nsm_call *call, void *context)
{
        struct nsm_parameters p;

        if (parse(call, P(TENANT) | P(DIRECTORY) | P(VOLUME) | P(READ_ONLY) | P(SUID),
                  P(TENANT) | P(DIRECTORY), &p))
                make_graft(context, call, &p);
}

/* Takes @graft back. @target becomes the job's; NULL on the host. */
static void take_back(struct supervisor *supervisor, struct nsm_call *call, struct graft *graft,
                      struct nsm_target *target, bool kill)
{
        struct nsm_error err = { 0 };
        struct job *job = NULL;

        if (job_new(supervisor, graft->view->tenant, NULL, &job, &err) < 0) {
                nsm_target_free(target);
                refuse(call, &err);
                return;
        }
        job->target = target;
        job->graft = graft;
        job->turn = target ? turn_of(target) : supervisor->mount_namespace;
        job->request.job = graft->on_host ? NSM_JOB_UNMOUNT : NSM_JOB_DETACH;
        job->request.kill = kill;
        if (graft->on_host)
                job->directory = strdup(graft->path);
        else if (strcmp(graft->path, "/") != 0)
                job->at = strdup(graft->path);
        job_submit(job, call);
}

/* NULL with the reason in @err; the container in *ret_target, which is the caller's. */
static struct graft *find_detach(struct supervisor *supervisor, struct nsm_call *call,
                                 const struct nsm_parameters *p, struct nsm_target **ret_target,
                                 struct nsm_error *err)
{
        struct graft *graft = NULL;

        if (p->graft ? p->tenant || p->at || p->container >= 0 : !p->tenant || p->container < 0)
                nsm_error_set(err, -EINVAL, "detach takes either \"graft\", or \"tenant\" and "
                              "\"container\"");
        else if (!p->graft && open_target(call, p->container, ret_target, err) == 0)
                find_graft_in(supervisor, p->tenant, *ret_target, p->at, &graft, err);
        else if (p->graft && find_graft_by_name(supervisor, p->graft, &graft, err) == 0)
                find_target(graft, ret_target, err);
        return err->code ? NULL : graft;
}

static void run_detach(struct nsm_call *call, void *context)
{
        struct supervisor *supervisor = context;
        struct nsm_parameters p;
        struct nsm_error err = { 0 };
        struct graft *graft;
        struct nsm_target *target = NULL;

        if (!parse(call, P(TENANT) | P(CONTAINER) | P(AT) | P(GRAFT) | P(KILL), 0, &p))
                return;
        graft_sweep(supervisor); /* numbers of what is gone may name something new by now */
        graft = find_detach(supervisor, call, &p, &target, &err);
        if (graft) {
                take_back(supervisor, call, graft, target, p.kill);
                return;
        }
        nsm_target_free(target);
        refuse(call, &err);
}

static void run_unmount(struct nsm_call *call, void *context)
{
        struct supervisor *supervisor = context;
        struct nsm_parameters p;
        struct nsm_error err = { 0 };
        struct graft *graft;

        if (!parse(call, P(DIRECTORY), P(DIRECTORY), &p))
                return;
        graft_sweep(supervisor);
        if (find_graft_on_host(supervisor, p.directory, &graft, &err) < 0)
                refuse(call, &err);
        else
                take_back(supervisor, call, graft, NULL, false);
}

static void run_get_version(struct nsm_call *call, void *context)
{
        struct nsm_parameters p;

        if (parse(call, 0, 0, &p))
                nsm_call_reply(call, json_pack("{s:s, s:i}", "version", NSM_VERSION, "pid",
                                               (int)getpid()));
}

static void run_list(struct nsm_call *call, void *context)
{
        struct nsm_parameters p;

        if (parse(call, 0, 0, &p))
                nsm_call_reply(call, list_all(context));
}

static void run_reload(struct nsm_call *call, void *context)
{
        struct supervisor *supervisor = context;
        struct nsm_parameters p;
        struct nsm_error err = { 0 };

        if (!parse(call, 0, 0, &p))
                return;
        if (supervisor_reload(supervisor, &err) < 0)
                refuse(call, &err);
        else
                nsm_call_reply(call, json_pack("{s:i, s:o}", "tenants",
                                               (int)supervisor->config->n_tenants, "changed",
                                               list_changed(supervisor)));
}

const struct nsm_server_method supervisor_methods[] = {
        { "io.nsmount.GetVersion", run_get_version },
        { "io.nsmount.Attach", run_attach },
        { "io.nsmount.Detach", run_detach },
        { "io.nsmount.Mount", run_mount },
        { "io.nsmount.Unmount", run_unmount },
        { "io.nsmount.List", run_list },
        { "io.nsmount.Reload", run_reload },
};
const size_t supervisor_n_methods = sizeof supervisor_methods / sizeof supervisor_methods[0];
