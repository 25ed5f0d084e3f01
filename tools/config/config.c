/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/interpret.h"

void nsm_config_free(struct nsm_config *config)
{
        int saved = errno;

        if (!config)
                return;
        for (size_t i = 0; i < config->n_tenants; i++)
                nsm_tenant_clear(&config->tenants[i]);
        free(config->tenants);
        free(config->dir);
        free(config);
        errno = saved;
}

/* Appends ", name" as long as there is room, and "..." where there is none left. */
static void add_name(char *buf, size_t size, const char *name)
{
        size_t used = strlen(buf);
        const char *sep = used ? ", " : "";

        if (used + strlen(name) + 8 < size)
                snprintf(buf + used, size - used, "%s%s", sep, name);
        else if (used + 6 < size && (used < 3 || strcmp(buf + used - 3, "...") != 0))
                snprintf(buf + used, size - used, "%s...", sep);
}

const struct nsm_tenant *nsm_config_find_tenant(const struct nsm_config *config, const char *name,
                                                struct nsm_error *err)
{
        char names[256] = "";

        for (size_t i = 0; i < config->n_tenants; i++) {
                if (strcmp(config->tenants[i].name, name) == 0)
                        return &config->tenants[i];
                add_name(names, sizeof names, config->tenants[i].name);
        }
        if (config->n_tenants == 0)
                nsm_error_set(err, -ENOENT,
                              "no tenant '%s': %s has none; add one with nsmount tenant add", name,
                              config->dir);
        else
                nsm_error_set(err, -ENOENT, "no tenant '%s': %s has %s", name, config->dir, names);
        return NULL;
}

const struct nsm_volume *nsm_tenant_find_volume(const struct nsm_tenant *tenant, const char *name,
                                                struct nsm_error *err)
{
        char names[256] = "";

        if (!name)
                name = "root";
        for (size_t i = 0; i < tenant->n_volumes; i++) {
                if (strcmp(tenant->volumes[i].name, name) == 0)
                        return &tenant->volumes[i];
                add_name(names, sizeof names, tenant->volumes[i].name);
        }
        nsm_error_set(err, -ENOENT, "tenant %s has no volume '%s': it has %s", tenant->name, name,
                      names);
        return NULL;
}
