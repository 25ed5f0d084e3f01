/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/remote.h"

static const struct nsm_option options[] = {
        { "json", NULL, "print as JSON what changed", NSM_ONCE },
        { 0 },
};

static int run(const struct nsm_invocation *inv, struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        int r = nsm_remote_call(inv, "Reload", json_object(), -1, &reply, err);
        const json_t *changed = json_object_get(reply, "changed"), *name;
        json_int_t tenants;
        size_t i;

        if (r < 0)
                return r;
        if (nsm_invocation_has(inv, "json"))
                return nsm_output_json(reply);
        tenants = json_integer_value(json_object_get(reply, "tenants"));
        printf("%" JSON_INTEGER_FORMAT " tenant%s", tenants, tenants == 1 ? "" : "s");
        json_array_foreach (changed, i, name)
                printf("%s%s", i ? ", " : "; changed: ", json_string_value(name) ?: "?");
        puts("");
        return 0;
}

const struct nsm_command nsm_command_reload = {
        .name = "reload",
        .usage = "",
        .help = "take new configuration in, without touching live views",
        .example = "nsmount reload",
        .options = options,
        .run = run,
};
