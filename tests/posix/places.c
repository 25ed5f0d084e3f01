/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The places where cases run, made anew for every subject. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/posix/engine.h"

#define DISK_BYTES ((uint64_t)4 << 30)
#define POOL 300 /* of each kind of device node, for what cannot make its own */

enum { EXT4, VIEW, TENANT_EXT4, TENANT, VIEW_EXCLUSIVE, TENANT_SHARED, PLACES };
#define PLACES_USUAL VIEW_EXCLUSIVE /* so many of them; the others by NSM_POSIX_ALL=1 */

static const struct px_place all_places[PLACES] = {
        [EXT4] = { .name = "ext4", .reference = -1 },
        [VIEW] = { .name = "view", .view = true, .reference = EXT4 },
        [TENANT_EXT4] = { .name = "tenant-ext4", .tenant = true, .reference = -1 },
        [TENANT] = { .name = "tenant", .view = true, .tenant = true, .exclusive = true,
                     .reference = TENANT_EXT4 },
        [VIEW_EXCLUSIVE] = { .name = "view-exclusive", .view = true, .exclusive = true,
                             .reference = EXT4 },
        [TENANT_SHARED] = { .name = "tenant-shared", .view = true, .tenant = true,
                            .reference = TENANT_EXT4 },
};

static size_t count_places(void)
{
        return getenv("NSM_POSIX_ALL") ? PLACES : PLACES_USUAL;
}

/* Device nodes that a tenant could not make, to be renamed to where a case wants one. */
static void fill_pool(const char *storage)
{
        char path[600];

        snprintf(path, sizeof path, "%s/pool", storage);
        if (mkdir(storage, 0755) < 0 || mkdir(path, 0755) < 0)
                nsm_harness_die("%s: %s", path, strerror(errno));
        for (unsigned i = 0; i < POOL; i++) {
                snprintf(path, sizeof path, "%s/pool/char%u", storage, i);
                if (mknod(path, S_IFCHR | 0644, makedev(1, 3)) < 0)
                        nsm_harness_die("%s: %s", path, strerror(errno));
                snprintf(path, sizeof path, "%s/pool/block%u", storage, i);
                if (mknod(path, S_IFBLK | 0644, makedev(240, 1)) < 0)
                        nsm_harness_die("%s: %s", path, strerror(errno));
        }
}

/* Binds @from to @to with the ids of a tenant. */
static void mount_mapped(struct nsm_fake_tenant *tenant, const char *from, const char *to)
{
        const struct nsm_container_spec spec = { .namespaces = CLONE_NEWUSER };
        struct nsm_fake_container *mapped = nsm_tenant_add_container(tenant, &spec);
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/ns/user", mapped->pid);
        cleanup_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
        cleanup_fd int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV,
                                   .userns_fd = (uint64_t)ns };

        if (ns < 0 || tree < 0 ||
            mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ||
            move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                nsm_harness_die("id-mapped mount at %s: %s", to, strerror(errno));
        nsm_container_kill(mapped);
}

struct showing {
        pid_t pid;
        const char *dir;
};

static int show_there(void *arg)
{
        const struct showing *s = arg;
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/ns/mnt", s->pid);
        cleanup_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
        cleanup_fd int tree = open_tree(AT_FDCWD, s->dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (ns < 0 || tree < 0 || setns(ns, CLONE_NEWNS) < 0 ||
            move_mount(tree, "", AT_FDCWD, s->dir, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
                fprintf(stderr, "showing %s in a container: %m\n", s->dir);
                return 1;
        }
        return 0;
}

/* Puts a place's mount into the container, at the same path. */
static void show(struct nsm_fake_container *container, struct px_place *place)
{
        struct showing s = { container->pid, place->dir };
        struct nsm_output *o = nsm_world_call(container->world, show_there, &s);

        if (o->status != 0)
                nsm_harness_die("%s", o->err);
        place->container = container;
}

static void make_places(struct nsm_world *w, struct px_place *places)
{
        const char *disk = nsm_world_add_ext4(w, "disk", DISK_BYTES);
        struct nsm_fake_tenant *tenant = nsm_world_add_empty_tenant(w, "posix");
        struct nsm_fake_container *container;

        nsm_world_must(w, "chmod 711 . && chmod 711 disk");
        memcpy(places, all_places, sizeof all_places);
        for (size_t i = 0; i < count_places(); i++) {
                struct px_place *p = &places[i];
                const char *source = nsm_world_printf(w, "%s/%s", disk, p->name);
                uint32_t first = p->tenant ? tenant->first_id : 0;

                fill_pool(source);
                p->dir = nsm_world_printf(w, "%s/%s", w->dir, p->name);
                if (mkdir(p->dir, 0755) < 0)
                        nsm_harness_die("%s: %s", p->dir, strerror(errno));
                if (p->view)
                        nsm_world_must(w, "nsmountfs %s %s -o idmap=0:%u:65536,coherence=%s",
                                       source, p->dir, first,
                                       p->exclusive ? "exclusive" : "shared");
                else if (p->tenant)
                        mount_mapped(tenant, source, p->dir);
                else
                        nsm_world_must(w, "mount --bind -o nodev %s %s", source, p->dir);
        }
        container = nsm_tenant_add_container(tenant, NULL);
        for (size_t i = 0; i < count_places(); i++)
                if (places[i].tenant)
                        show(container, &places[i]);
}

struct call {
        const struct px_subject *subject;
        const struct px_place *place;
        struct px_log *log;
        const struct px_log *reference;
};

static int run_here(void *arg)
{
        const struct call *c = arg;

        px_run_place(c->subject, c->place, c->log, c->reference);
        return 0;
}

/* In a process of its own, so that places run side by side. */
static pid_t start(struct nsm_world *w, struct call *c)
{
        pid_t pid = fork();

        if (pid < 0)
                nsm_harness_die("fork: %s", strerror(errno));
        if (pid > 0)
                return pid;
        struct nsm_output *o = c->place->container
                                       ? nsm_container_call(c->place->container, run_here, c)
                                       : nsm_world_call(w, run_here, c);
        struct px_log *log = c->log;
        size_t used = strlen(log->report);

        if (o->status != 0 || *o->err)
                snprintf(log->report + used, sizeof log->report - used, "%s: ended with %d\n%s",
                         c->place->name, o->status, o->err);
        _exit(0);
}

/* Runs those that have a reference, or those that have none. */
static void run_all(struct nsm_world *w, const struct px_subject *subject,
                    const struct px_place *places, struct px_log **logs, bool compared)
{
        pid_t pids[PLACES] = { 0 };

        fflush(NULL);
        for (size_t i = 0; i < count_places(); i++) {
                int reference = places[i].reference;
                struct call call = { subject, &places[i], logs[i],
                                     reference < 0 ? NULL : logs[reference] };

                if ((reference >= 0) == compared)
                        pids[i] = start(w, &call);
        }
        for (size_t i = 0; i < count_places(); i++)
                if (pids[i])
                        waitpid(pids[i], NULL, 0);
}

/* What failed, in memory of the caller's; NULL when nothing did. */
static char *sum_up(const struct px_subject *subject, const struct px_place *places,
                    struct px_log **logs)
{
        char *text = NULL, *longer;

        for (size_t i = 0; i < count_places(); i++) {
                fprintf(stderr, "posix: %s on %s: %zu cases, %zu assertions, %zu failed\n",
                        subject->name, places[i].name, logs[i]->n_cases, logs[i]->assertions,
                        logs[i]->failures);
                if (!*logs[i]->report && logs[i]->failures == 0)
                        continue;
                if (asprintf(&longer, "%s%son %s: %zu of %zu assertions failed\n",
                             text ? text : "", logs[i]->report, places[i].name,
                             logs[i]->failures, logs[i]->assertions) < 0)
                        nsm_harness_die("no memory");
                free(text);
                text = longer;
        }
        return text;
}

char *px_run(const struct px_subject *subject)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct px_place places[PLACES];
        struct px_log *logs[PLACES];

        make_places(w, places);
        for (size_t i = 0; i < count_places(); i++) {
                logs[i] = mmap(NULL, PX_LOG_BYTES, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (logs[i] == MAP_FAILED)
                        nsm_harness_die("no memory for results");
        }
        run_all(w, subject, places, logs, false);
        run_all(w, subject, places, logs, true);
        char *text = sum_up(subject, places, logs);
        for (size_t i = 0; i < count_places(); i++)
                munmap(logs[i], PX_LOG_BYTES);
        return text;
}
