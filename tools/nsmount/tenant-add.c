/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/config/write.h"
#include "tools/nsmount/change.h"

static const struct nsm_option options[] = { NSM_CHANGE_OPTIONS, { 0 } };

static int check_words(const struct nsm_invocation *inv, struct nsm_error *err)
{
        bool maps = nsm_invocation_has(inv, "uid-map") && nsm_invocation_has(inv, "gid-map");

        if (!nsm_name_is_valid(inv->args[0]))
                return nsm_usage_error(err,
                                       "'%s' is no tenant's name, which is 1 to %d of a-z, 0-9 and "
                                       "-, and begins with a letter", inv->args[0], NSM_NAME_MAX);
        if (!nsm_invocation_has(inv, "ids") && !maps)
                return nsm_usage_error(err, "tenant add: --ids is missing");
        if (!nsm_invocation_has(inv, "volume"))
                return nsm_usage_error(err, "tenant add: --volume is missing");
        return 0;
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        const char *name = inv->args[0];
        cleanup_free char *text = NULL, *old = NULL, *ids = NULL;
        cleanup_fd int lock = -1;
        int r = check_words(inv, err);

        if (r < 0)
                return r;
        lock = nsm_change_lock(inv, true, err);
        if (lock < 0)
                return lock;
        r = nsm_config_read_tenant(inv->config_dir, name, &old, err);
        if (r == 0)
                return nsm_error_set(err, -EEXIST,
                                     "tenant %s is there already: change it with nsmount tenant "
                                     "set", name);
        if (r != -ENOENT)
                return r;
        text = strdup("# nsmount.conf(5) says what each line means.\n");
        if (!text)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_change_choose_ids(inv, &ids, err);
        if (r == 0)
                r = nsm_change_apply(inv, ids, &text, err);
        if (r == 0)
                r = nsm_change_commit(inv, name, NULL, text, err);
        return r < 0 ? r : nsm_change_print(inv, name, err);
}

const struct nsm_command nsm_command_tenant_add = {
        .name = "tenant add",
        .usage = "NAME --ids {auto | HOST:COUNT} --volume NAME=DIR [OPTIONS]...",
        .words = { "NAME" },
        .help = "add a tenant: its ids and its volumes",
        .more = "The volume called root becomes a container's root. An option of a volume speaks\n"
                "of the --volume before it.\n",
        .example = "nsmount tenant add acme --ids auto --volume root=/srv/tenants/acme/root \\\n"
                   "          --volume data=/srv/tenants/acme/data --access ro",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
