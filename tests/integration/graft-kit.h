/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For tests that drive mountns without a worker: a tmpfs stands for the view,
 * and each job runs in a forked process that prints how it went.
 */
#ifndef NSM_TESTS_GRAFT_KIT_H
#define NSM_TESTS_GRAFT_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mountns/helper.h"
#include "tests/harness/harness.h"

#define KIT_TIMEOUT_MS 30000

/* As NSM_REQUIRE(), but without our programs. */
#define KIT_REQUIRE()                                            \
        do {                                                     \
                if (geteuid() != 0 && nsm_harness_must_run())    \
                        cr_assert_fail("needs root");            \
                if (geteuid() != 0)                              \
                        cr_skip_test("needs root");              \
        } while (0)

struct kit_view {
        int fd;
        dev_t device;
};

/* A job, and where its container is. */
struct kit_job {
        struct nsm_request request;
        pid_t pid; /* of the container, 0 for none */
        int timeout_ms;
};

/* Before Linux 6.15 only what is mounted somewhere can be cloned. */
static inline void kit_make_clonable(struct nsm_world *world, int fd)
{
        int clone = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        const char *path;

        if (clone >= 0) {
                close(clone);
                return;
        }
        path = nsm_world_printf(world, "%s/view-%d", world->dir, fd);
        if (mkdir(path, 0700) < 0 ||
            move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                nsm_harness_die("cannot mount at %s: %s", path, strerror(errno));
}

/* A detached tmpfs that belongs to the tenant's root. */
static inline struct kit_view kit_view_new(struct nsm_fake_tenant *tenant)
{
        struct kit_view view = { .fd = -1 };
        int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
        char id[16];
        struct stat st;

        snprintf(id, sizeof id, "%u", tenant->first_id);
        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "uid", id, 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "gid", id, 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "size", "64m", 0) < 0 ||
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                nsm_harness_die("tmpfs: %s", strerror(errno));
        view.fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (view.fd < 0 || fstat(view.fd, &st) < 0)
                nsm_harness_die("fsmount: %s", strerror(errno));
        close(fs);
        kit_make_clonable(tenant->world, view.fd);
        view.device = st.st_dev;
        return view;
}

/* The same with a busybox system. */
static inline struct kit_view kit_view_new_root(struct nsm_fake_tenant *tenant)
{
        struct kit_view view = kit_view_new(tenant);
        char path[32];

        snprintf(path, sizeof path, "/proc/self/fd/%d", view.fd);
        nsm_fill_busybox(path, tenant->name, tenant->first_id);
        return view;
}

static inline int kit_print(int r, const struct nsm_result *result, const struct nsm_error *err)
{
        static const char *const outcomes[] = { "done", "refused", "failed", "busy" };

        printf("%s %s\n", r == 0 ? "done" : outcomes[result->outcome], r == 0 ? "" : err->text);
        if (result->path)
                printf("path %s\n", result->path);
        if (r == 0)
                printf("mount %ju unique %ju ns %ju nsid %ju dev %ju\n",
                       (uintmax_t)result->place.mount_id, (uintmax_t)result->place.mount_id_unique,
                       (uintmax_t)result->place.mount_namespace,
                       (uintmax_t)result->place.mount_namespace_id,
                       (uintmax_t)result->place.device);
        for (size_t i = 0; i < result->n_warnings; i++)
                printf("warning %s\n", result->warnings[i]);
        for (size_t i = 0; i < result->holders.n; i++)
                for (size_t k = 0; k < result->holders.list[i].n_holds; k++)
                        printf("holder %d %s: %s\n", result->holders.list[i].pid,
                               result->holders.list[i].command, result->holders.list[i].holds[k]);
        fflush(stdout);
        return r == 0 ? 0 : 10 + (int)result->outcome;
}

/* For nsm_world_call(): 0 done, 10 + outcome when not, 9 when the container was refused. */
static inline int kit_do_job(void *arg)
{
        struct kit_job *job = arg;
        cleanup_result struct nsm_result result = { 0 };
        cleanup_target struct nsm_target *target = NULL;
        struct nsm_error err = { 0 };
        int r = 0, pidfd = -1;

        if (job->pid) {
                r = nsm_target_open_pidfd(job->pid, &pidfd, &err);
                if (r == 0)
                        r = nsm_target_open(pidfd, &target, &err);
                if (r < 0) {
                        printf("target %s\n", err.text);
                        fflush(stdout);
                        return 9;
                }
                job->request.target = target;
        }
        r = nsm_helper_run(&job->request, job->timeout_ms ? job->timeout_ms : KIT_TIMEOUT_MS,
                           &result, &err);
        return kit_print(r, &result, &err);
}

static inline struct nsm_output *kit_run(struct nsm_world *world, struct kit_job job)
{
        return nsm_world_call(world, kit_do_job, &job);
}

static inline struct kit_job kit_attach(struct nsm_fake_container *c, struct kit_view view,
                                        const char *at)
{
        return (struct kit_job){
                .pid = c->pid,
                .request = { .job = NSM_JOB_ATTACH, .view_fd = view.fd, .fuse_fd = -1,
                             .device = view.device,
                             .at = at, .nodev = true, .api = true },
        };
}

/* A job that has to succeed. Returns what it printed. */
static inline const char *kit_must(struct nsm_world *world, struct kit_job job)
{
        struct nsm_output *o = kit_run(world, job);

        cr_assert_eq(o->status, 0, "status %d: %s%s", o->status, o->out, o->err);
        return o->out;
}

/* A job that must not; its text has @what in it. */
static inline const char *kit_must_not(struct nsm_world *world, struct kit_job job, int status,
                                       const char *what)
{
        struct nsm_output *o = kit_run(world, job);

        cr_assert_eq(o->status, status, "status %d, not %d: %s%s", o->status, status, o->out,
                     o->err);
        cr_assert(strstr(o->out, what), "\"%s\" is not in: %s", what, o->out);
        return o->out;
}

/* A world, a tenant, its container, a view; what most tests begin with. */
struct kit {
        struct nsm_world *w;
        struct nsm_fake_tenant *t;
        struct nsm_fake_container *c;
        struct kit_view view;
};

static inline struct kit kit_new(const struct nsm_container_spec *spec)
{
        struct kit k = { .w = nsm_world_new() };

        k.t = nsm_world_add_empty_tenant(k.w, "acme");
        k.c = nsm_tenant_add_container(k.t, spec);
        k.view = kit_view_new_root(k.t);
        return k;
}

static inline void kit_free(struct kit *k)
{
        close(k->view.fd);
        nsm_world_free(k->w);
}
#define cleanup_kit __attribute__((cleanup(kit_free)))

#endif
