/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/config/edit.h"
#include "tools/config/write.h"
#include "tools/nsmount/change.h"

static const struct nsm_option options[] = {
        NSM_CHANGE_OPTIONS,
        { "remove-volume", "NAME", "take a volume out", NSM_OFTEN },
        { 0 },
};

static int remove_volumes(const struct nsm_invocation *inv, char **text, struct nsm_error *err)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < inv->n_given; i++) {
                char section[NSM_NAME_MAX + sizeof "volume "];
                const char *name = inv->given[i].value;

                if (strcmp(inv->given[i].option->name, "remove-volume") != 0)
                        continue;
                if (!nsm_name_is_valid(name))
                        return nsm_usage_error(err, "--remove-volume %s: this is no volume's name",
                                               name);
                snprintf(section, sizeof section, "volume %s", name);
                r = nsm_edit_remove_section(text, section, err);
                if (r == -ENOENT)
                        nsm_error_prefix(err, "tenant %s", inv->args[0]);
        }
        return r;
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        const char *name = inv->args[0];
        cleanup_free char *text = NULL, *old = NULL, *ids = NULL;
        cleanup_config struct nsm_config *config = NULL;
        cleanup_fd int lock = -1;
        int r;

        if (inv->n_given == 0)
                return nsm_usage_error(err, "tenant set: what? No option says it");
        lock = nsm_change_lock(inv, false, err);
        if (lock < 0)
                return lock;
        r = nsm_config_load(inv->config_dir, &config, err);
        if (r == 0 && !nsm_config_find_tenant(config, name, err))
                r = -ENOENT;
        if (r == 0)
                r = nsm_config_read_tenant(inv->config_dir, name, &old, err);
        if (r != 0)
                return r;
        text = strdup(old);
        if (!text)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_change_choose_ids(inv, &ids, err);
        if (r == 0)
                r = remove_volumes(inv, &text, err);
        if (r == 0)
                r = nsm_change_apply(inv, ids, &text, err);
        if (r == 0)
                r = nsm_change_commit(inv, name, old, text, err);
        return r < 0 ? r : nsm_change_print(inv, name, err);
}

const struct nsm_command nsm_command_tenant_set = {
        .name = "tenant set",
        .usage = "NAME [OPTIONS]...",
        .words = { "NAME" },
        .help = "change a tenant",
        .more = "What is given replaces what is there, all lines of a repeatable key at once; an\n"
                "empty value goes back to the default. Comments in the file stay. Live views go\n"
                "on as they were started.\n",
        .example = "nsmount tenant set acme --volume data --access rw",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
