/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/cleanup.h"
#include "tools/nsmount/remote.h"

static const struct nsm_option options[] = {
        { "json", NULL, "print what the graft was as JSON", NSM_ONCE },
        { 0 },
};

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        cleanup_free char *directory = NULL;
        int r = nsm_remote_absolute(inv->args[0], &directory, err);

        if (r == 0)
                r = nsm_remote_call(inv, "Unmount", json_pack("{s:s}", "directory", directory), -1,
                                    &reply, err);
        return r < 0 ? r : nsm_output_graft(inv, reply);
}

const struct nsm_command nsm_command_unmount = {
        .name = "unmount",
        .usage = "DIR",
        .words = { "DIR" },
        .help = "take a view from a directory of the host, or say who still uses it",
        .example = "nsmount unmount /run/bundles/acme/rootfs",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
