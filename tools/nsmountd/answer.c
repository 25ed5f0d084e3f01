/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/answer.h"

#include <stdio.h>
#include <string.h>

/* A tenant chooses what stands there: bytes that are no UTF-8 are shown as '?'. */
static json_t *printable(const char *text)
{
        json_t *json = json_string(text);
        char copy[256];
        size_t i;

        if (json)
                return json;
        for (i = 0; i < sizeof copy - 1 && text[i]; i++)
                copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
        copy[i] = '\0';
        return json_string(copy);
}

static json_t *holders_to_json(const struct nsm_holders *holders)
{
        json_t *all = json_array();

        for (size_t i = 0; holders && i < holders->n; i++) {
                const struct nsm_holder *holder = &holders->list[i];
                json_t *holds = json_array();

                for (size_t k = 0; k < holder->n_holds; k++)
                        json_array_append_new(holds, printable(holder->holds[k]));
                json_array_append_new(all, json_pack("{s:i, s:o, s:o}", "pid", (int)holder->pid,
                                                     "command", printable(holder->command),
                                                     "holds", holds));
        }
        return all;
}

void answer_error(struct nsm_call *call, const char *name, const struct nsm_error *err,
                  const struct nsm_holders *holders)
{
        char full[64];
        json_t *parameters = json_pack("{s:o}", "text", printable(err->text));

        if (parameters && strcmp(name, "Busy") == 0)
                json_object_set_new(parameters, "holders", holders_to_json(holders));
        snprintf(full, sizeof full, "io.nsmount.%s", name);
        nsm_call_fail(call, full, parameters);
}

void answer_graft(struct nsm_call *call, const struct graft *graft, json_t *warnings)
{
        json_t *parameters = json_pack("{s:o}", "graft", graft_to_json(graft));

        if (parameters && warnings)
                json_object_set(parameters, "warnings", warnings);
        nsm_call_reply(call, parameters);
}
