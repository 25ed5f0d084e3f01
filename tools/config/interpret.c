/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/interpret.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/parse.h"
#include "fs/view/limits.h"

#define IDLE_CLOSE_DEFAULT_S 60

static const struct nsm_key_spec tenant_keys[] = {
        { "ids", false },
        { "uid-map", true },
        { "gid-map", true },
        { "shared-source", false },
        { 0 },
};
static const struct nsm_key_spec volume_keys[] = {
        { "source", false },      { "access", false },       { "storage-ids", true },
        { "storage-uids", true }, { "storage-gids", true },  { "coherence", false },
        { "devices", false },     { "suid", false },         { "max-inodes", false },
        { 0 },
};
static const struct nsm_key_spec ids_keys[] = { { "pool", false }, { 0 } };
static const struct nsm_key_spec daemon_keys[] = { { "idle-close", false }, { 0 } };

const struct nsm_section_spec nsm_tenant_specs[] = {
        { "tenant", false, tenant_keys },
        { "volume", true, volume_keys },
        { 0 },
};
const struct nsm_section_spec nsm_daemon_specs[] = {
        { "ids", false, ids_keys },
        { "daemon", false, daemon_keys },
        { 0 },
};

/* Exactly @n numbers, written as @shape says. */
static int parse_numbers(const struct nsm_setting *s, char sep, uint32_t *ret, unsigned n,
                         const char *shape, struct nsm_error *err)
{
        int r = nsm_parse_u32_list(s->value, sep, ret, n);

        if (r == -ERANGE)
                return nsm_setting_error(err, -EINVAL, s,
                                         "a number is past 4294967294, the last id");
        if (r < 0)
                return nsm_setting_error(err, -EINVAL, s, "write %s, in plain decimal digits",
                                         shape);
        return 0;
}

static int add_extent(struct nsm_idmap *map, const struct nsm_setting *s, const uint32_t v[3],
                      struct nsm_error *err)
{
        struct nsm_error why = { 0 };
        int r = nsm_idmap_add(map, (struct nsm_extent){ v[0], v[1], v[2] }, &why);

        if (r == -ENOMEM)
                return nsm_setting_error(err, r, s, "%s", why.text);
        return r < 0 ? nsm_setting_error(err, -EINVAL, s, "%s", why.text) : 0;
}

/* All values of a repeatable key of three numbers go into @a, and into @b unless that is NULL. */
static int read_extents(const struct nsm_settings *list, const char *section, const char *key,
                        char sep, const char *shape, struct nsm_idmap *a, struct nsm_idmap *b,
                        struct nsm_error *err)
{
        const struct nsm_setting *s;
        size_t at = 0;
        int r = 0;

        while (r == 0 && (s = nsm_settings_next(list, section, key, &at))) {
                uint32_t v[3];

                r = parse_numbers(s, sep, v, 3, shape, err);
                if (r == 0)
                        r = add_extent(a, s, v, err);
                if (r == 0 && b)
                        r = add_extent(b, s, v, err);
        }
        return r;
}

/* "first" gives false, "second" true; without the setting *ret stays. */
static int read_choice(const struct nsm_settings *list, const char *section, const char *key,
                       const char *first, const char *second, bool *ret, struct nsm_error *err)
{
        const struct nsm_setting *s = nsm_settings_get(list, section, key);

        if (!s)
                return 0;
        if (strcmp(s->value, first) != 0 && strcmp(s->value, second) != 0)
                return nsm_setting_error(err, -EINVAL, s, "write %s or %s", first, second);
        *ret = strcmp(s->value, second) == 0;
        return 0;
}

static int read_max_inodes(const struct nsm_settings *list, const char *section, uint32_t *ret,
                           struct nsm_error *err)
{
        const struct nsm_setting *s = nsm_settings_get(list, section, "max-inodes");

        *ret = NSM_INODES_MAX;
        if (s && (nsm_parse_u32(s->value, ret) < 0 || *ret < NSM_INODES_MIN ||
                  *ret > NSM_INODES_MAX))
                return nsm_setting_error(err, -EINVAL, s, "write a number from %d to %d",
                                         NSM_INODES_MIN, NSM_INODES_MAX);
        return 0;
}

static int set_place(struct nsm_config_place *place, const struct nsm_setting *s,
                     struct nsm_error *err)
{
        place->line = s->line;
        place->file = strdup(s->file);
        return place->file ? 0 : nsm_error_set(err, -ENOMEM, "out of memory");
}

/* The host's root must never be one of a tenant's ids, whatever the container calls it. */
static int check_host_ids(const struct nsm_idmap *map, const struct nsm_setting *s,
                          struct nsm_error *err)
{
        if (map->n > 0 && map->by_outside[0].outside == 0)
                return nsm_setting_error(err, -EINVAL, s,
                                         "host id 0 is the host's root, which no tenant may be: "
                                         "choose a higher range");
        return 0;
}

static int read_ids(const struct nsm_setting *ids, struct nsm_tenant *ret, struct nsm_error *err)
{
        uint32_t v[2];
        int r = parse_numbers(ids, ':', v, 2, "HOST:COUNT, such as 100000:65536", err);

        if (r == 0)
                r = add_extent(&ret->uids, ids, (uint32_t[]){ 0, v[0], v[1] }, err);
        if (r == 0)
                r = add_extent(&ret->gids, ids, (uint32_t[]){ 0, v[0], v[1] }, err);
        return r;
}

static int read_tenant_maps(const char *file, const struct nsm_settings *list,
                            struct nsm_tenant *ret, struct nsm_error *err)
{
        static const char shape[] = "CONTAINER HOST COUNT, such as 0 100000 65536";
        const struct nsm_setting *ids = nsm_settings_get(list, "tenant", "ids");
        size_t uid_at = 0, gid_at = 0;
        const struct nsm_setting *uid = nsm_settings_next(list, "tenant", "uid-map", &uid_at);
        const struct nsm_setting *gid = nsm_settings_next(list, "tenant", "gid-map", &gid_at);
        int r;

        if (ids && (uid || gid))
                return nsm_setting_error(err, -EINVAL, uid ? uid : gid,
                                         "ids is set as well: use either ids, or uid-map and "
                                         "gid-map");
        if (!ids && !uid && !gid)
                return nsm_error_set(err, -EINVAL,
                                     "%s: the tenant has no ids: write ids = HOST:COUNT into "
                                     "[tenant]", file);
        if (!ids && !(uid && gid))
                return nsm_setting_error(err, -EINVAL, uid ? uid : gid,
                                         "%s is missing: a tenant has users and groups",
                                         uid ? "gid-map" : "uid-map");
        r = set_place(&ret->place, ids ? ids : uid, err);
        if (r == 0 && ids)
                r = read_ids(ids, ret, err);
        if (r == 0 && !ids)
                r = read_extents(list, "tenant", "uid-map", ' ', shape, &ret->uids, NULL, err);
        if (r == 0 && !ids)
                r = read_extents(list, "tenant", "gid-map", ' ', shape, &ret->gids, NULL, err);
        if (r == 0)
                r = check_host_ids(&ret->uids, ids ? ids : uid, err);
        if (r == 0)
                r = check_host_ids(&ret->gids, ids ? ids : gid, err);
        return r;
}

/* Storage ids that the file leaves out are the container's own numbers. */
static int default_storage(const struct nsm_idmap *tenant, struct nsm_idmap *ret,
                           struct nsm_error *err)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < tenant->n; i++) {
                const struct nsm_extent *e = &tenant->by_inside[i];
                r = nsm_idmap_add(ret, (struct nsm_extent){ e->inside, e->inside, e->count }, err);
        }
        return r;
}

static int read_storage(const struct nsm_settings *list, const char *section,
                        const struct nsm_tenant *tenant, struct nsm_volume *ret,
                        struct nsm_error *err)
{
        static const char shape[] = "CONTAINER:STORAGE:COUNT, such as 0:0:65536";
        struct nsm_idmap *u = &ret->storage_uids, *g = &ret->storage_gids;
        int r = read_extents(list, section, "storage-ids", ':', shape, u, g, err);

        if (r == 0)
                r = read_extents(list, section, "storage-uids", ':', shape, u, NULL, err);
        if (r == 0)
                r = read_extents(list, section, "storage-gids", ':', shape, g, NULL, err);
        ret->has_storage_uids = u->n > 0;
        ret->has_storage_gids = g->n > 0;
        if (r == 0 && !ret->has_storage_uids)
                r = default_storage(&tenant->uids, u, err);
        if (r == 0 && !ret->has_storage_gids)
                r = default_storage(&tenant->gids, g, err);
        return r;
}

/* Whether a component is "." or "..", which would hide what the path's last component is. */
static bool has_dots(const char *path)
{
        for (const char *p = path; (p = strchr(p, '/')); ) {
                size_t n = strcspn(++p, "/");
                if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return true;
        }
        return false;
}

static int read_source(const struct nsm_settings *list, const struct nsm_setting *head,
                       struct nsm_volume *ret, struct nsm_error *err)
{
        const struct nsm_setting *s = nsm_settings_get(list, head->section, "source");

        if (!s)
                return nsm_setting_error(err, -EINVAL, head,
                                         "the volume has no source: write source = /A/DIRECTORY");
        if (*s->value != '/')
                return nsm_setting_error(err, -EINVAL, s,
                                         "the path is relative: write it from / on");
        if (s->value[strspn(s->value, "/")] == '\0')
                return nsm_setting_error(err, -EINVAL, s,
                                         "this is the host's root: name a directory below it");
        if (has_dots(s->value))
                return nsm_setting_error(err, -EINVAL, s, "write the path without . and ..");
        if (strlen(s->value) >= PATH_MAX)
                return nsm_setting_error(err, -EINVAL, s, "the path is longer than %d bytes",
                                         PATH_MAX - 1);
        ret->source = strdup(s->value);
        if (!ret->source)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        /* A slash at the end would make the kernel follow a symlink there. */
        for (size_t n = strlen(ret->source); ret->source[n - 1] == '/'; n--)
                ret->source[n - 1] = '\0';
        return set_place(&ret->place, s, err);
}

static int read_volume(const struct nsm_settings *list, const struct nsm_setting *head,
                       const struct nsm_tenant *tenant, struct nsm_volume *ret,
                       struct nsm_error *err)
{
        const char *section = head->section;
        bool suid_deny = false;
        int r;

        ret->name = strdup(section + strlen("volume "));
        if (!ret->name)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = read_source(list, head, ret, err);
        if (r == 0)
                r = read_choice(list, section, "access", "rw", "ro", &ret->read_only, err);
        if (r == 0)
                r = read_choice(list, section, "coherence", "shared", "exclusive", &ret->exclusive,
                                err);
        if (r == 0)
                r = read_choice(list, section, "devices", "deny", "allow", &ret->devices_allow,
                                err);
        if (r == 0)
                r = read_choice(list, section, "suid", "allow", "deny", &suid_deny, err);
        ret->suid_allow = !suid_deny;
        if (r == 0)
                r = read_max_inodes(list, section, &ret->max_inodes, err);
        if (r == 0)
                r = read_storage(list, section, tenant, ret, err);
        return r;
}

static int read_volumes(const char *file, const struct nsm_settings *list, struct nsm_tenant *ret,
                        struct nsm_error *err)
{
        int r = 0;

        ret->volumes = calloc(NSM_CONFIG_VOLUMES_MAX, sizeof *ret->volumes);
        if (!ret->volumes)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; r == 0 && i < list->n; i++) {
                const struct nsm_setting *s = &list->items[i];

                if (s->key || strncmp(s->section, "volume ", 7) != 0)
                        continue;
                if (nsm_settings_find_section(list, s->section) != s)
                        continue; /* a drop-in's word about a volume that is there already */
                if (ret->n_volumes == NSM_CONFIG_VOLUMES_MAX)
                        return nsm_setting_error(err, -EINVAL, s, "more than %d volumes",
                                                 NSM_CONFIG_VOLUMES_MAX);
                r = read_volume(list, s, ret, &ret->volumes[ret->n_volumes++], err);
        }
        if (r == 0 && ret->n_volumes == 0)
                return nsm_error_set(err, -EINVAL,
                                     "%s: the tenant has no volume: write [volume root] with "
                                     "source = /A/DIRECTORY", file);
        return r;
}

int nsm_tenant_interpret(const char *name, const char *file, const struct nsm_settings *list,
                         struct nsm_tenant *ret, struct nsm_error *err)
{
        int r;

        ret->name = strdup(name);
        if (!ret->name)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = read_tenant_maps(file, list, ret, err);
        if (r == 0)
                r = read_choice(list, "tenant", "shared-source", "no", "yes", &ret->shared_source,
                                err);
        if (r == 0)
                r = read_volumes(file, list, ret, err);
        return r;
}

void nsm_tenant_clear(struct nsm_tenant *tenant)
{
        for (size_t i = 0; i < tenant->n_volumes; i++) {
                struct nsm_volume *v = &tenant->volumes[i];

                free(v->name);
                free(v->source);
                free(v->place.file);
                nsm_idmap_clear(&v->storage_uids);
                nsm_idmap_clear(&v->storage_gids);
        }
        free(tenant->volumes);
        free(tenant->name);
        free(tenant->place.file);
        nsm_idmap_clear(&tenant->uids);
        nsm_idmap_clear(&tenant->gids);
        *tenant = (struct nsm_tenant){ 0 };
}

int nsm_daemon_interpret(const struct nsm_settings *list, struct nsm_config *config,
                         struct nsm_error *err)
{
        const struct nsm_setting *pool = nsm_settings_get(list, "ids", "pool");
        const struct nsm_setting *idle = nsm_settings_get(list, "daemon", "idle-close");
        cleanup_idmap struct nsm_idmap range = { 0 };
        uint32_t v[2];
        int r = 0;

        config->idle_close_s = IDLE_CLOSE_DEFAULT_S;
        if (idle && nsm_parse_u32(idle->value, &config->idle_close_s) < 0)
                return nsm_setting_error(err, -EINVAL, idle,
                                         "write a number of seconds, in plain decimal digits");
        if (!pool)
                return 0;
        r = parse_numbers(pool, ':', v, 2, "HOST:COUNT, such as 100000:65536000", err);
        if (r == 0)
                r = add_extent(&range, pool, (uint32_t[]){ 0, v[0], v[1] }, err);
        if (r == 0)
                r = check_host_ids(&range, pool, err);
        if (r < 0)
                return r;
        config->pool_first = v[0];
        config->pool_count = v[1];
        return 0;
}
