/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/config.h"

json_t *nsm_idmap_to_json(const struct nsm_idmap *map)
{
        json_t *list = json_array();

        for (size_t i = 0; list && i < map->n; i++) {
                const struct nsm_extent *e = &map->by_inside[i];
                json_t *extent = json_pack("{s:I, s:I, s:I}", "inside", (json_int_t)e->inside,
                                           "outside", (json_int_t)e->outside, "count",
                                           (json_int_t)e->count);

                if (json_array_append_new(list, extent) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *volume_to_json(const struct nsm_volume *v)
{
        /* json_pack gives up, and frees what it was given, when one part is NULL. */
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "name", v->name, "source",
                         v->source, "access", v->read_only ? "ro" : "rw", "coherence",
                         v->exclusive ? "exclusive" : "shared", "devices",
                         v->devices_allow ? "allow" : "deny", "suid",
                         v->suid_allow ? "allow" : "deny", "maxInodes",
                         (json_int_t)v->max_inodes, "storageUids",
                         nsm_idmap_to_json(&v->storage_uids), "storageGids",
                         nsm_idmap_to_json(&v->storage_gids));
}

json_t *nsm_tenant_to_json(const struct nsm_tenant *tenant)
{
        json_t *volumes = json_array();

        for (size_t i = 0; volumes && i < tenant->n_volumes; i++) {
                if (json_array_append_new(volumes, volume_to_json(&tenant->volumes[i])) < 0) {
                        json_decref(volumes);
                        volumes = NULL;
                }
        }
        return json_pack("{s:s, s:o, s:o, s:b, s:o}", "name", tenant->name, "uids",
                         nsm_idmap_to_json(&tenant->uids), "gids", nsm_idmap_to_json(&tenant->gids),
                         "sharedSource", tenant->shared_source, "volumes", volumes);
}
