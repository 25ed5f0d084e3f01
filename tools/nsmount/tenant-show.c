/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/config/config.h"
#include "tools/nsmount/output.h"

static const struct nsm_option options[] = {
        { "json", NULL, "print as JSON: a Tenant", NSM_ONCE },
        { 0 },
};

static void print_map(const char *key, const struct nsm_idmap *map, char sep)
{
        for (size_t i = 0; i < map->n; i++) {
                const struct nsm_extent *e = &map->by_inside[i];

                printf("%s = %" PRIu32 "%c%" PRIu32 "%c%" PRIu32 "\n", key, e->inside, sep,
                       e->outside, sep, e->count);
        }
}

/* Users and groups in one where the file could have said so. */
static bool print_both(const struct nsm_idmap *u, const struct nsm_idmap *g, const char *key)
{
        if (u->n != g->n || memcmp(u->by_inside, g->by_inside, u->n * sizeof *u->by_inside) != 0)
                return false;
        print_map(key, u, ':');
        return true;
}

static void print_volume(const struct nsm_volume *v)
{
        printf("\n[volume %s]\nsource = %s\naccess = %s\n", v->name, v->source,
               v->read_only ? "ro" : "rw");
        if (!print_both(&v->storage_uids, &v->storage_gids, "storage-ids")) {
                print_map("storage-uids", &v->storage_uids, ':');
                print_map("storage-gids", &v->storage_gids, ':');
        }
        printf("coherence = %s\ndevices = %s\nsuid = %s\nmax-inodes = %" PRIu32 "\n",
               v->exclusive ? "exclusive" : "shared", v->devices_allow ? "allow" : "deny",
               v->suid_allow ? "allow" : "deny", v->max_inodes);
}

/* In the words of nsmount.conf(5), with nothing left out: a file that means the same. */
static void print_tenant(const struct nsm_tenant *t)
{
        const struct nsm_extent *e = t->uids.by_inside;

        printf("# %s, as it counts now\n[tenant]\n", t->name);
        if (t->uids.n == 1 && t->gids.n == 1 && e->inside == 0 &&
            memcmp(e, t->gids.by_inside, sizeof *e) == 0) {
                printf("ids = %" PRIu32 ":%" PRIu32 "\n", e->outside, e->count);
        } else {
                print_map("uid-map", &t->uids, ' ');
                print_map("gid-map", &t->gids, ' ');
        }
        printf("shared-source = %s\n", t->shared_source ? "yes" : "no");
        for (size_t i = 0; i < t->n_volumes; i++)
                print_volume(&t->volumes[i]);
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = NULL;
        cleanup_json json_t *json = NULL;
        const struct nsm_tenant *tenant;
        int r = nsm_config_load(inv->config_dir, &config, err);

        if (r < 0)
                return r;
        tenant = nsm_config_find_tenant(config, inv->args[0], err);
        if (!tenant)
                return -ENOENT;
        if (!nsm_invocation_has(inv, "json")) {
                print_tenant(tenant);
                return 0;
        }
        json = nsm_tenant_to_json(tenant);
        return json ? nsm_output_json(json) : nsm_error_set(err, -ENOMEM, "out of memory");
}

const struct nsm_command nsm_command_tenant_show = {
        .name = "tenant show",
        .usage = "TENANT [--json]",
        .words = { "NAME" },
        .help = "show a tenant's configuration, with all defaults filled in",
        .example = "nsmount tenant show acme",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
