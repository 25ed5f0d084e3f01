/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands print. Goes to stdout unless it says otherwise. */
#ifndef NSM_NSMOUNT_OUTPUT_H
#define NSM_NSMOUNT_OUTPUT_H

#include <jansson.h>

#include "tools/config/config.h"
#include "tools/nsmount/command.h"

/* Indented, with a newline behind it. Returns 0; a failed write shows in stdout's state. */
int nsm_output_json(const json_t *json);

/* The graft of a reply: "g1 /", or JSON with --json. Its warnings go to stderr. */
int nsm_output_graft(const struct nsm_invocation *inv, const json_t *reply);

/*
 * "100000..165535", users and groups apart where they differ. The caller frees it;
 * NULL without memory.
 */
char *nsm_output_host_ids(const struct nsm_tenant *tenant);

static inline void nsm_cleanup_jsonp(json_t **json)
{
        json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(nsm_cleanup_jsonp)))

#endif
