/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The places where cases run, made anew for every subject. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/posix/engine.h"

#define DISK_BYTES ((uint64_t)1 << 30)
#define POOL 300 /* of each kind of device node, for what cannot make its own */

enum { EXT4, VIEW, TENANT_EXT4, TENANT, VIEW_EXCLUSIVE, TENANT_SHARED, GRAFT, PLACES };
_Static_assert(PLACES == PX_PLACES_MAX, "engine.h");

static const struct px_place usual_places[PLACES] = {
        [EXT4] = { .name = "ext4", .reference = -1 },
        [VIEW] = { .name = "view", .view = true, .reference = EXT4 },
        [TENANT_EXT4] = { .name = "tenant-ext4", .tenant = true, .reference = -1 },
        [TENANT] = { .name = "tenant", .view = true, .tenant = true, .exclusive = true,
                     .reference = TENANT_EXT4 },
        [VIEW_EXCLUSIVE] = { .name = "view-exclusive", .view = true, .exclusive = true,
                             .reference = EXT4 },
        [TENANT_SHARED] = { .name = "tenant-shared", .view = true, .tenant = true,
                            .reference = TENANT_EXT4 },
        [GRAFT] = { .name = "graft", .view = true, .tenant = true, .attached = true,
                    .reference = TENANT_EXT4 },
};

/* For what may not be written; the last one's superblock and mount say that it may. */
static const struct px_place read_only_places[] = {
        [EXT4] = { .name = "ext4", .reference = -1 },
        [VIEW] = { .name = "view", .view = true, .reference = EXT4 },
        [TENANT_EXT4] = { .name = "tenant-ext4", .tenant = true, .reference = -1 },
        [TENANT] = { .name = "tenant", .view = true, .tenant = true, .exclusive = true,
                     .reference = TENANT_EXT4 },
        { .name = "worker", .view = true, .exclusive = true, .unlocked = true,
          .reference = EXT4 },
};

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
        struct nsm_world *w = container->world;
        struct showing s = { container->pid, place->dir };

        place->container = container;
        if (place->attached) { /* by the supervisor, as tenants have it */
                nsm_world_start_supervisor(w);
                nsm_world_must(w, "nsmount attach %s --pid %d --at %s", container->tenant->name,
                               container->pid, place->dir);
                return;
        }
        struct nsm_output *o = nsm_world_call(w, show_there, &s);
        if (o->status != 0)
                nsm_harness_die("%s", o->err);
}

static void mount_view(struct nsm_world *w, const struct px_place *p, const char *source,
                       uint32_t first, bool read_only)
{
        nsm_world_must(w, "nsmountfs %s %s -o idmap=0:%u:65536,coherence=%s%s", source, p->dir,
                       first, p->exclusive ? "exclusive" : "shared", read_only ? ",ro" : "");
        if (p->unlocked && mount(NULL, p->dir, NULL, MS_REMOUNT | MS_NODEV, NULL) < 0)
                nsm_harness_die("mounting %s writable: %s", p->dir, strerror(errno));
}

/* What a place shows, on a disk of its own, where nobody else's files lie between its blocks. */
static const char *make_source(struct nsm_world *w, const struct px_place *p,
                               const char *read_only)
{
        const char *name = nsm_world_printf(w, "disk-%s", p->name);
        const char *disk = nsm_world_add_ext4(w, name, DISK_BYTES);
        const char *source = nsm_world_printf(w, "%s/source", disk);

        fill_pool(source);
        if (read_only)
                nsm_world_must(w, "umask 0; mkdir -m 755 %s/tree && cd %s/tree && %s", source,
                               source, read_only);
        if (read_only && !p->view)
                nsm_world_must(w, "mount -o remount,ro %s", disk);
        return source;
}

static void mount_place(struct nsm_world *w, struct nsm_fake_tenant *tenant, struct px_place *p,
                        const char *source, bool read_only)
{
        p->dir = nsm_world_printf(w, "%s/%s", w->dir, p->name);
        if (mkdir(p->dir, 0755) < 0)
                nsm_harness_die("%s: %s", p->dir, strerror(errno));
        if (p->attached)
                nsm_world_must(w, "mount --bind %s %s", source, tenant->root);
        else if (p->view)
                mount_view(w, p, source, p->tenant ? tenant->first_id : 0, read_only);
        else if (p->tenant)
                mount_mapped(tenant, source, p->dir);
        else
                nsm_world_must(w, "mount --bind -o nodev %s %s", source, p->dir);
}

void px_scene_make(struct nsm_world *w, const char *read_only, struct px_scene *ret)
{
        struct nsm_fake_tenant *tenant = nsm_world_add_empty_tenant(w, "posix");
        const char *sources[PX_PLACES_MAX];

        *ret = (struct px_scene){ .n = PLACES };
        if (read_only)
                ret->n = sizeof read_only_places / sizeof *read_only_places;
        memcpy(ret->places, read_only ? read_only_places : usual_places,
               ret->n * sizeof *ret->places);
        for (size_t i = 0; i < ret->n; i++)
                sources[i] = make_source(w, &ret->places[i], read_only);
        nsm_world_must(w, "chmod 711 .");
        for (size_t i = 0; i < ret->n; i++)
                mount_place(w, tenant, &ret->places[i], sources[i], read_only);

        struct nsm_fake_container *container = nsm_tenant_add_container(tenant, NULL);
        for (size_t i = 0; i < ret->n; i++)
                if (ret->places[i].tenant)
                        show(container, &ret->places[i]);
}
