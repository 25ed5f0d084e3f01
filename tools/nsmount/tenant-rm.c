/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "tools/config/write.h"
#include "tools/nsmount/change.h"
#include "tools/nsmount/remote.h"

/* The grafts that nsmountd has of the tenant, as "g1, g2"; nothing when it does not run. */
static int find_grafts(const struct nsm_invocation *inv, const char *tenant, char **ret,
                       struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        struct nsm_error why = { 0 };
        const json_t *graft;
        size_t i, size;
        FILE *out;
        int r = nsm_remote_call(inv, "List", json_object(), -1, &reply, &why);

        if (r < 0 && r != -ECONNREFUSED)
                return nsm_error_set(err, r, "%s", why.text);
        out = open_memstream(ret, &size);
        if (!out)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        json_array_foreach (json_object_get(reply, "grafts"), i, graft) {
                const char *owner = json_string_value(json_object_get(graft, "tenant")) ?: "";

                if (strcmp(owner, tenant) == 0)
                        fprintf(out, "%s%s", ftell(out) ? ", " : "",
                                json_string_value(json_object_get(graft, "name")) ?: "?");
        }
        fclose(out);
        return 0;
}

/* They are the admin's own; but nobody should find them at work again unawares. */
static void note_drop_ins(const struct nsm_invocation *inv, const char *tenant)
{
        cleanup_free char *path = NULL;

        if (asprintf(&path, "%s/tenants.d/%s.conf.d", inv->config_dir, tenant) < 0)
                return;
        if (access(path, F_OK) == 0)
                fprintf(stderr, "nsmount: note: %s stays, and counts again when there is a %s\n",
                        path, tenant);
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        const char *name = inv->args[0];
        cleanup_config struct nsm_config *config = NULL;
        cleanup_free char *old = NULL, *grafts = NULL;
        cleanup_fd int lock = nsm_change_lock(inv, false, err);
        int r;

        if (lock < 0)
                return lock;
        r = nsm_config_load(inv->config_dir, &config, err);
        if (r == 0 && !nsm_config_find_tenant(config, name, err))
                r = -ENOENT;
        if (r == 0)
                r = nsm_config_read_tenant(inv->config_dir, name, &old, err);
        if (r == 0)
                r = find_grafts(inv, name, &grafts, err);
        if (r < 0)
                return r;
        if (grafts && *grafts)
                return nsm_error_set(err, -EBUSY,
                                     "tenant %s: its grafts are in use (%s): nsmount detach them",
                                     name, grafts);
        r = nsm_change_commit(inv, name, old, NULL, err);
        if (r == 0)
                note_drop_ins(inv, name);
        return r;
}

const struct nsm_command nsm_command_tenant_rm = {
        .name = "tenant rm",
        .usage = "NAME",
        .words = { "NAME" },
        .help = "remove a tenant from the configuration; its sources stay as they are",
        .example = "nsmount tenant rm acme",
        .min_args = 1,
        .max_args = 1,
        .run = run,
};
