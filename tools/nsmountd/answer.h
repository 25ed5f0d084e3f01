/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answers of io.nsmount's methods, in its types. Each ends its call. */
#ifndef NSM_NSMOUNTD_ANSWER_H
#define NSM_NSMOUNTD_ANSWER_H

#include "fs/base/error.h"
#include "mountns/holders.h"
#include "tools/control/server.h"
#include "tools/nsmountd/graft.h"

/* @name: "Refused", "Failed" or "Busy"; only the last has @holders. */
void answer_error(struct nsm_call *call, const char *name, const struct nsm_error *err,
                  const struct nsm_holders *holders);

/* @warnings: array, borrowed, or NULL for a method that has none. */
void answer_graft(struct nsm_call *call, const struct graft *graft, json_t *warnings);

#endif
