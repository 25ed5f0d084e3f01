/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `nsmount list` shows, in the types of io.nsmount. */
#ifndef NSM_NSMOUNTD_LIST_H
#define NSM_NSMOUNTD_LIST_H

#include <jansson.h>

#include "tools/nsmountd/supervisor.h"

/* The reply of List; what is gone is dropped first. NULL without memory. */
json_t *list_all(struct supervisor *supervisor);

/* Names of live views whose settings differ from the configuration. */
json_t *list_changed(struct supervisor *supervisor);

#endif
