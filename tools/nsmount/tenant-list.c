/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "tools/config/config.h"
#include "tools/nsmount/output.h"

static const struct nsm_option options[] = {
        { "json", NULL, "print as JSON: {\"tenants\": [Tenant, ...]}", NSM_ONCE },
        { 0 },
};

static int print_json(const struct nsm_config *config, struct nsm_error *err)
{
        cleanup_json json_t *all = json_pack("{s:[]}", "tenants");
        json_t *list = json_object_get(all, "tenants");

        for (size_t i = 0; i < config->n_tenants; i++) {
                if (json_array_append_new(list, nsm_tenant_to_json(&config->tenants[i])) < 0)
                        return nsm_error_set(err, -ENOMEM, "out of memory");
        }
        return nsm_output_json(all);
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = NULL;
        int r = nsm_config_load(inv->config_dir, &config, err);
        int width = 6;

        if (r < 0)
                return r;
        if (nsm_invocation_has(inv, "json"))
                return print_json(config, err);
        if (config->n_tenants == 0) {
                fprintf(stderr, "nsmount: %s has no tenants: add one with nsmount tenant add\n",
                        config->dir);
                return 0;
        }
        for (size_t i = 0; i < config->n_tenants; i++) {
                int n = (int)strlen(config->tenants[i].name);
                width = n > width ? n : width;
        }
        printf("%-*s  %-24s  %s\n", width, "TENANT", "HOST IDS", "VOLUMES");
        for (size_t i = 0; i < config->n_tenants; i++) {
                const struct nsm_tenant *t = &config->tenants[i];
                cleanup_free char *ids = nsm_output_host_ids(t);

                printf("%-*s  %-24s  ", width, t->name, ids ? ids : "?");
                for (size_t j = 0; j < t->n_volumes; j++)
                        printf("%s%s", j ? ", " : "", t->volumes[j].name);
                puts("");
        }
        return 0;
}

const struct nsm_command nsm_command_tenant_list = {
        .name = "tenant list",
        .usage = "[--json]",
        .help = "list the tenants that are configured",
        .example = "nsmount tenant list --json",
        .options = options,
        .run = run,
};
