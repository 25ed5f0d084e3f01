/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"

int nsm_output_json(const json_t *json)
{
        if (json_dumpf(json, stdout, JSON_INDENT(2)) == 0)
                putchar('\n');
        return 0;
}

int nsm_output_graft(const struct nsm_invocation *inv, const json_t *reply)
{
        const json_t *graft = json_object_get(reply, "graft"), *warning;
        size_t i;

        json_array_foreach (json_object_get(reply, "warnings"), i, warning)
                fprintf(stderr, "nsmount: warning: %s\n", json_string_value(warning) ?: "?");
        if (nsm_invocation_has(inv, "json"))
                return nsm_output_json(graft);
        printf("%s %s\n", json_string_value(json_object_get(graft, "name")) ?: "?",
               json_string_value(json_object_get(graft, "path")) ?: "?");
        return 0;
}

static void print_ranges(FILE *out, const struct nsm_idmap *map)
{
        for (size_t i = 0; i < map->n; i++) {
                const struct nsm_extent *e = &map->by_outside[i];

                fprintf(out, "%s%" PRIu32, i ? "," : "", e->outside);
                if (e->count > 1)
                        fprintf(out, "..%" PRIu32, e->outside + (e->count - 1));
        }
}

static bool is_same(const struct nsm_idmap *a, const struct nsm_idmap *b)
{
        return a->n == b->n && !memcmp(a->by_inside, b->by_inside, a->n * sizeof *a->by_inside);
}

char *nsm_output_host_ids(const struct nsm_tenant *tenant)
{
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        print_ranges(out, &tenant->uids);
        if (!is_same(&tenant->uids, &tenant->gids)) {
                fputs(" groups ", out);
                print_ranges(out, &tenant->gids);
        }
        fclose(out);
        return text;
}
