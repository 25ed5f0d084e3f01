/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/cleanup.h"
#include "tools/nsmount/remote.h"

static const struct nsm_option options[] = {
        { "pid", "PID", "a process of the container; the one word is then a tenant", NSM_ONCE },
        { "at", "PATH", "below the container's root; default: the root", NSM_ONCE },
        { "kill", NULL, "end the processes of a container whose root the graft is", NSM_ONCE },
        { "json", NULL, "print what the graft was as JSON", NSM_ONCE },
        { 0 },
};

/* detach GRAFT: its name is all that it takes. */
static json_t *pack_graft(const struct nsm_invocation *inv)
{
        return json_pack("{s:s, s:b}", "graft", inv->args[0], "kill",
                         nsm_invocation_has(inv, "kill"));
}

static json_t *pack_place(const struct nsm_invocation *inv)
{
        return json_pack("{s:s, s:i, s:s*, s:b}", "tenant", inv->args[0], "container", 0, "at",
                         nsm_invocation_value(inv, "at"), "kill", nsm_invocation_has(inv, "kill"));
}

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        bool by_place = nsm_invocation_has(inv, "pid");
        cleanup_json json_t *reply = NULL;
        cleanup_fd int process = -1;
        int r;

        if (!by_place && nsm_invocation_has(inv, "at"))
                return nsm_usage_error(err, "detach: --at goes with TENANT --pid PID");
        if (by_place) {
                process = nsm_remote_open_process(inv, err);
                if (process < 0)
                        return process;
        }
        r = nsm_remote_call(inv, "Detach", by_place ? pack_place(inv) : pack_graft(inv), process,
                            &reply, err);
        return r < 0 ? r : nsm_output_graft(inv, reply);
}

const struct nsm_command nsm_command_detach = {
        .name = "detach",
        .usage = "{GRAFT | TENANT --pid PID [--at PATH]} [--kill]",
        .words = { "GRAFT or TENANT" },
        .help = "take a graft back, or say who still uses it",
        .more = "A graft that is a container's root ends with its container: the processes are\n"
                "named, or ended with --kill.\n",
        .example = "nsmount detach g2",
        .min_args = 1,
        .max_args = 1,
        .options = options,
        .run = run,
};
