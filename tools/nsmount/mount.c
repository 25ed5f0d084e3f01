/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/cleanup.h"
#include "tools/nsmount/remote.h"

static const struct nsm_option options[] = {
        { "volume", "VOLUME", "the volume; default root", NSM_ONCE },
        { "read-only", NULL, "a read-only view of its own", NSM_ONCE },
        { "suid", NULL, "set-id programs count on this mount", NSM_ONCE },
        { "json", NULL, "print the graft as JSON", NSM_ONCE },
        { 0 },
};

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        cleanup_free char *directory = NULL;
        json_t *parameters;
        int r = nsm_remote_absolute(inv->args[1], &directory, err);

        if (r < 0)
                return r;
        parameters = json_pack("{s:s, s:s, s:s*, s:b, s:b}", "tenant", inv->args[0], "directory",
                               directory, "volume", nsm_invocation_value(inv, "volume"), "readOnly",
                               nsm_invocation_has(inv, "read-only"), "suid",
                               nsm_invocation_has(inv, "suid"));
        r = nsm_remote_call(inv, "Mount", parameters, -1, &reply, err);
        return r < 0 ? r : nsm_output_graft(inv, reply);
}

const struct nsm_command nsm_command_mount = {
        .name = "mount",
        .usage = "TENANT DIR [--volume VOLUME] [--read-only] [--suid]",
        .words = { "TENANT", "DIR" },
        .help = "put a view at a directory of the host, for a launcher that wants one",
        .more = "The directory above DIR must be root's, with mode 0710 at most, and its group\n"
                "the host gid of the tenant's root: nobody else of the host gets in.\n",
        .example = "nsmount mount acme /run/bundles/acme/rootfs",
        .min_args = 2,
        .max_args = 2,
        .options = options,
        .run = run,
};
