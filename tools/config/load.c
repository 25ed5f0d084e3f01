/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/config/file.h"
#include "tools/config/interpret.h"

/* Adds what @name in @dir_fd says; @dir_path/@name is for messages. -ENOENT quietly. */
static int add_file(int dir_fd, const char *dir_path, const char *name,
                    const struct nsm_section_spec *specs, struct nsm_settings *list,
                    struct nsm_error *err)
{
        cleanup_free char *text = NULL, *path = NULL;
        size_t size;
        int r;

        if (asprintf(&path, "%s/%s", dir_path, name) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_config_read_file(dir_fd, name, path, &text, &size, err);
        return r < 0 ? r : nsm_settings_add_text(list, path, text, size, specs, err);
}

/* Adds PATH.d/ *.conf, if there are any. */
static int add_drop_ins(const char *path, const struct nsm_section_spec *specs,
                        struct nsm_settings *list, struct nsm_error *err)
{
        cleanup_free char *dir_path = NULL;
        cleanup_fd int fd = -1;
        char **names;
        size_t n;
        int r;

        if (asprintf(&dir_path, "%s.d", path) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        fd = nsm_config_open_dir(dir_path, err);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = nsm_config_list_dir(fd, &names, &n);
        if (r < 0)
                return nsm_error_set(err, r, "%s: cannot list it: %s", dir_path, strerror(-r));
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = add_file(fd, dir_path, names[i], specs, list, err);
                if (r == -ENOENT)
                        r = nsm_error_set(err, r, "%s/%s: a symlink to nothing, or just removed",
                                          dir_path, names[i]);
        }
        nsm_config_free_names(names, n);
        return r;
}

static int load_daemon(int dir_fd, struct nsm_config *config, struct nsm_error *err)
{
        cleanup_settings struct nsm_settings list = { 0 };
        cleanup_free char *path = NULL;
        int r = 0;

        if (asprintf(&path, "%s/nsmount.conf", config->dir) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (dir_fd >= 0)
                r = add_file(dir_fd, config->dir, "nsmount.conf", nsm_daemon_specs, &list, err);
        if (r == -ENOENT)
                r = 0;
        if (r == 0)
                r = add_drop_ins(path, nsm_daemon_specs, &list, err);
        return r < 0 ? r : nsm_daemon_interpret(&list, config, err);
}

static struct nsm_tenant *new_tenant(struct nsm_config *config, struct nsm_error *err)
{
        struct nsm_tenant *tenants;

        if (config->n_tenants == NSM_CONFIG_TENANTS_MAX) {
                nsm_error_set(err, -EINVAL, "%s/tenants.d: more than %d tenants", config->dir,
                              NSM_CONFIG_TENANTS_MAX);
                return NULL;
        }
        tenants = reallocarray(config->tenants, config->n_tenants + 1, sizeof *tenants);
        if (!tenants) {
                nsm_error_set(err, -ENOMEM, "out of memory");
                return NULL;
        }
        config->tenants = tenants;
        tenants[config->n_tenants] = (struct nsm_tenant){ 0 };
        return &tenants[config->n_tenants++];
}

/* @change NULL: reads the file; otherwise its text stands for the file's. */
static int load_tenant(int dir_fd, const char *name, const struct nsm_config_change *change,
                       struct nsm_config *config, struct nsm_error *err)
{
        cleanup_settings struct nsm_settings list = { 0 };
        cleanup_free char *dir_path = NULL, *path = NULL, *file = NULL;
        char change_name[sizeof "tenant " + NSM_NAME_MAX];
        struct nsm_tenant *tenant;
        int r;

        if (asprintf(&dir_path, "%s/tenants.d", config->dir) < 0 ||
            asprintf(&file, "%s.conf", name) < 0 || asprintf(&path, "%s/%s", dir_path, file) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (!nsm_name_is_valid(name))
                return nsm_error_set(err, -EINVAL,
                                     "%s: '%s' is no tenant's name, which is 1 to %d of a-z, 0-9 "
                                     "and -, and begins with a letter: rename it", path, name,
                                     NSM_NAME_MAX);
        snprintf(change_name, sizeof change_name, "tenant %s", name);
        list.unwritten = change;
        if (change)
                r = nsm_settings_add_text(&list, change_name, change->text, change->size,
                                          nsm_tenant_specs, err);
        else
                r = add_file(dir_fd, dir_path, file, nsm_tenant_specs, &list, err);
        if (r == -ENOENT)
                return nsm_error_set(err, r, "%s: a symlink to nothing, or just removed", path);
        list.unwritten = false;
        if (r == 0)
                r = add_drop_ins(path, nsm_tenant_specs, &list, err);
        if (r < 0)
                return r;
        tenant = new_tenant(config, err);
        if (!tenant)
                return -EINVAL;
        return nsm_tenant_interpret(name, change ? change_name : path, &list, tenant, err);
}

static int compare_tenants(const void *a, const void *b)
{
        return strcmp(((const struct nsm_tenant *)a)->name, ((const struct nsm_tenant *)b)->name);
}

static int load_tenants(int dir_fd, const struct nsm_config_change *change,
                        struct nsm_config *config, struct nsm_error *err)
{
        char **names = NULL;
        size_t n = 0;
        int r = 0;

        if (dir_fd >= 0) {
                r = nsm_config_list_dir(dir_fd, &names, &n);
                if (r < 0)
                        return nsm_error_set(err, r, "%s/tenants.d: cannot list it: %s",
                                             config->dir, strerror(-r));
        }
        for (size_t i = 0; r == 0 && i < n; i++) {
                names[i][strlen(names[i]) - strlen(".conf")] = '\0';
                if (change && strcmp(change->tenant, names[i]) == 0)
                        continue;
                r = load_tenant(dir_fd, names[i], NULL, config, err);
        }
        nsm_config_free_names(names, n);
        if (r == 0 && change && change->text)
                r = load_tenant(dir_fd, change->tenant, change, config, err);
        if (r == 0 && config->n_tenants > 1)
                qsort(config->tenants, config->n_tenants, sizeof *config->tenants, compare_tenants);
        return r;
}

/* One extent of one tenant, for the search for overlaps. */
struct claim {
        const struct nsm_tenant *tenant;
        uint32_t first, count;
};

static int compare_claims(const void *a, const void *b)
{
        const struct claim *x = a, *y = b;

        return x->first < y->first ? -1 : x->first > y->first;
}

/* @blamed, unless NULL, is the tenant that changes: it is the one to give way. */
static int report_overlap(const struct claim *a, const struct claim *b, const char *kind,
                          const char *blamed, struct nsm_error *err)
{
        const struct nsm_tenant *s, *t;
        char line[16] = "";

        if (blamed && strcmp(a->tenant->name, blamed) == 0) {
                const struct claim *swap = a;
                a = b;
                b = swap;
        }
        s = a->tenant;
        t = b->tenant;
        if (t->place.line > 0)
                snprintf(line, sizeof line, ":%u", t->place.line);
        return nsm_error_set(err, -EINVAL,
                             "%s%s: host %s ids %" PRIu32 "..%" PRIu32 " overlap %" PRIu32
                             "..%" PRIu32 " of tenant %s (%s:%u): choose another range",
                             t->place.file, line, kind, b->first,
                             b->first + (b->count - 1), a->first, a->first + (a->count - 1),
                             s->name, s->place.file, s->place.line);
}

static int check_overlaps(const struct nsm_config *config, const char *kind, size_t map_offset,
                          const char *blamed, struct nsm_error *err)
{
        cleanup_free struct claim *claims = NULL;
        size_t n = 0;

        claims = calloc(config->n_tenants * NSM_IDMAP_EXTENTS_MAX + 1, sizeof *claims);
        if (!claims)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; i < config->n_tenants; i++) {
                const struct nsm_tenant *t = &config->tenants[i];
                const struct nsm_idmap *map =
                        (const void *)((const char *)t + map_offset);

                for (size_t j = 0; j < map->n; j++)
                        claims[n++] = (struct claim){ t, map->by_outside[j].outside,
                                                      map->by_outside[j].count };
        }
        qsort(claims, n, sizeof *claims, compare_claims);
        for (size_t i = 1; i < n; i++) {
                const struct claim *before = &claims[i - 1];

                if (claims[i].first - before->first < before->count)
                        return report_overlap(before, &claims[i], kind, blamed, err);
        }
        return 0;
}

int nsm_config_load_changed(const char *dir, const struct nsm_config_change *change,
                            struct nsm_config **ret, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = calloc(1, sizeof *config);
        const char *blamed = change ? change->tenant : NULL;
        cleanup_free char *tenants_path = NULL;
        cleanup_fd int fd = -1, tenants_fd = -1;
        int r;

        if (!config || !(config->dir = strdup(dir)) ||
            asprintf(&tenants_path, "%s/tenants.d", dir) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        fd = nsm_config_open_dir(dir, err);
        if (fd < 0 && fd != -ENOENT)
                return fd;
        r = load_daemon(fd, config, err);
        if (r < 0)
                return r;
        tenants_fd = nsm_config_open_dir(tenants_path, err);
        if (tenants_fd < 0 && tenants_fd != -ENOENT)
                return tenants_fd;
        r = load_tenants(tenants_fd, change, config, err);
        if (r == 0)
                r = check_overlaps(config, "user", offsetof(struct nsm_tenant, uids), blamed, err);
        if (r == 0)
                r = check_overlaps(config, "group", offsetof(struct nsm_tenant, gids), blamed, err);
        if (r < 0)
                return r;
        *ret = nsm_take_ptr(config);
        return 0;
}

int nsm_config_load(const char *dir, struct nsm_config **ret, struct nsm_error *err)
{
        return nsm_config_load_changed(dir, NULL, ret, err);
}
