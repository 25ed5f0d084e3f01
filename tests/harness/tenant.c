/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tenants, their volumes and their containers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/harness/private.h"

#define VOLUMES_MAX 16

struct nsm_tenant_private {
        const char *lines; /* of the section [tenant], besides ids */
        size_t n;
        struct {
                const char *name;
                const char *source;
                const char *lines;
        } volumes[VOLUMES_MAX];
};

static void write_config(struct nsm_fake_tenant *tenant)
{
        struct nsm_world *w = tenant->world;
        struct nsm_tenant_private *own = tenant->own;
        const char *text = nsm_world_printf(w, "[tenant]\nids = %u:%u\n%s", tenant->first_id,
                                            NSM_TENANT_IDS, own->lines);

        for (size_t i = 0; i < own->n; i++)
                text = nsm_world_printf(w, "%s[volume %s]\nsource = %s\n%s", text,
                                        own->volumes[i].name, own->volumes[i].source,
                                        own->volumes[i].lines);
        nsm_world_write_file(
                w, nsm_world_printf(w, "%s/tenants.d/%s.conf", w->config_dir, tenant->name), text);
}

static void make_dir(const char *path, mode_t mode)
{
        if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
                nsm_harness_die("%s: %s", path, strerror(errno));
}

static const char *add_volume(struct nsm_fake_tenant *tenant, const char *volume)
{
        struct nsm_world *w = tenant->world;
        struct nsm_tenant_private *own = tenant->own;
        const char *source = nsm_world_printf(w, "%s/%s/%s", w->storage_dir, tenant->name, volume);

        if (own->n == VOLUMES_MAX)
                nsm_harness_die("more than %d volumes", VOLUMES_MAX);
        make_dir(source, 0755);
        own->volumes[own->n].name = nsm_world_printf(w, "%s", volume);
        own->volumes[own->n].source = source;
        own->volumes[own->n].lines = "";
        own->n++;
        return source;
}

struct nsm_fake_tenant *nsm_world_add_empty_tenant(struct nsm_world *world, const char *name)
{
        struct nsm_fake_tenant *tenant = nsm_world_keep(world, sizeof(*tenant));

        /* The upper half is the pool of `tenant add --ids auto`. */
        if (world->own->n_tenants >= NSM_WORLD_IDS / NSM_TENANT_IDS / 2)
                nsm_harness_die("more tenants than the world has ids for");
        tenant->world = world;
        tenant->own = nsm_world_keep(world, sizeof(*tenant->own));
        tenant->own->lines = "";
        tenant->name = nsm_world_printf(world, "%s", name);
        tenant->first_id = world->first_id + world->own->n_tenants++ * NSM_TENANT_IDS;
        make_dir(nsm_world_printf(world, "%s/%s", world->storage_dir, name), 0755);
        tenant->root = add_volume(tenant, "root");
        write_config(tenant);
        return tenant;
}

struct nsm_fake_tenant *nsm_world_add_tenant(struct nsm_world *world, const char *name)
{
        struct nsm_fake_tenant *tenant = nsm_world_add_empty_tenant(world, name);

        nsm_fill_busybox(tenant->root, name, 0);
        return tenant;
}

const char *nsm_tenant_add_volume(struct nsm_fake_tenant *tenant, const char *volume)
{
        const char *source = add_volume(tenant, volume);

        nsm_world_write_file(tenant->world, nsm_world_printf(tenant->world, "%s/hello", source),
                             nsm_world_printf(tenant->world, "%s/%s\n", tenant->name, volume));
        write_config(tenant);
        return source;
}

void nsm_tenant_configure(struct nsm_fake_tenant *tenant, const char *volume, const char *lines)
{
        struct nsm_tenant_private *own = tenant->own;
        const char **place = volume ? NULL : &own->lines;

        for (size_t i = 0; volume && i < own->n; i++)
                if (strcmp(own->volumes[i].name, volume) == 0)
                        place = &own->volumes[i].lines;
        if (!place)
                nsm_harness_die("tenant %s has no volume %s", tenant->name, volume);
        *place = nsm_world_printf(tenant->world, "%s%s", *place, lines);
        write_config(tenant);
}

/* ---- containers ---- */

struct nsm_fake_container *nsm_tenant_add_container(struct nsm_fake_tenant *tenant,
                                                    const struct nsm_container_spec *spec)
{
        static const struct nsm_container_spec usual;
        struct nsm_world *w = tenant->world;
        const char *map = nsm_world_printf(w, "0 %u %u\n", tenant->first_id, NSM_TENANT_IDS);
        struct nsm_fake_container *c = nsm_world_keep(w, sizeof(*c));
        struct nsm_guardian_request request = {.op = NSM_GUARDIAN_CONTAINER};

        spec = spec ? spec : &usual;
        request.namespaces = spec->namespaces ? spec->namespaces
                                              : CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
        request.namespaces |= spec->more_namespaces;
        request.root = spec->root;
        request.shared = spec->shared;

        const char *const texts[] = {spec->uid_map ? spec->uid_map : map,
                                     spec->gid_map ? spec->gid_map : map,
                                     spec->work_dir ? spec->work_dir : "", NULL};
        c->pid = nsm_guardian_ask(w, &request, texts, NULL, 0);
        c->world = w;
        c->tenant = tenant;
        return c;
}

void nsm_container_kill(struct nsm_fake_container *container)
{
        kill(container->pid, SIGKILL);
        if (!nsm_process_wait_gone(container->pid, NSM_HARNESS_LIMIT_MS))
                nsm_harness_die("container %d does not end", container->pid);
}

const char *nsm_container_mountinfo(struct nsm_fake_container *container)
{
        const char *text = nsm_world_read_file(
                container->world,
                nsm_world_printf(container->world, "/proc/%d/mountinfo", container->pid));

        if (!text)
                nsm_harness_die("container %d is gone", container->pid);
        return text;
}
