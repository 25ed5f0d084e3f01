/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <langinfo.h>
#include <string.h>

#include "tools/nsmount/remote.h"
#include "tools/nsmount/tree.h"

static const struct nsm_option options[] = {
        { "json", NULL, "print as JSON: what List of io.nsmount.varlink replies", NSM_ONCE },
        { 0 },
};

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        int r = nsm_remote_call(inv, "List", json_object(), -1, &reply, err);

        if (r < 0)
                return r;
        if (nsm_invocation_has(inv, "json"))
                return nsm_output_json(reply);
        if (json_array_size(json_object_get(reply, "tenants")) == 0)
                fputs("nsmount: nsmountd knows no tenants: add one with nsmount tenant add\n",
                      stderr);
        nsm_tree_print(stdout, reply, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
        return 0;
}

const struct nsm_command nsm_command_list = {
        .name = "list",
        .usage = "[--json]",
        .help = "show tenants, views with their counters, grafts and containers",
        .example = "nsmount list",
        .options = options,
        .run = run,
};
