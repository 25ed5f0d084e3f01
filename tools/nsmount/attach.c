/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/cleanup.h"
#include "tools/nsmount/remote.h"

static const struct nsm_option options[] = {
        { "pid", "PID", "a process of the container; its namespaces are joined", NSM_ONCE },
        { "volume", "VOLUME", "the volume; default root", NSM_ONCE },
        { "at", "PATH", "below the container's root; default: as its root", NSM_ONCE },
        { "read-only", NULL, "a read-only view of its own", NSM_ONCE },
        { "no-api", NULL, "as root: leave out /proc, /sys, /dev, /run and /tmp", NSM_ONCE },
        { "force", NULL, "as root: although processes keep a foothold in the old root", NSM_ONCE },
        { "json", NULL, "print the graft as JSON", NSM_ONCE },
        { 0 },
};

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_fd int process = nsm_remote_open_process(inv, err);
        cleanup_json json_t *reply = NULL;
        json_t *parameters;
        int r;

        if (process < 0)
                return process;
        parameters = json_pack("{s:s, s:i, s:s*, s:s*, s:b, s:b, s:b}", "tenant", inv->args[0],
                               "container", 0, "volume", nsm_invocation_value(inv, "volume"), "at",
                               nsm_invocation_value(inv, "at"), "readOnly",
                               nsm_invocation_has(inv, "read-only"), "api",
                               !nsm_invocation_has(inv, "no-api"), "force",
                               nsm_invocation_has(inv, "force"));
        r = nsm_remote_call(inv, "Attach", parameters, process, &reply, err);
        return r < 0 ? r : nsm_output_graft(inv, reply);
}

const struct nsm_command nsm_command_attach = {
        .name = "attach",
        .usage = "TENANT --pid PID [--volume VOLUME] [--at PATH] [--read-only] [--no-api]",
        .words = { "TENANT" },
        .help = "put a view into a container, as its root or below it",
        .more = "Prints the graft's name and its place. The container's user namespace must map\n"
                "ids as the tenant's configuration does.\n",
        .example = "nsmount attach acme --pid 4711 --volume data --at /srv/data",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
