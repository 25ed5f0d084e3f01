/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading as it would be after a change, which is how a change is checked before
 * it is made. Inside tools/config only.
 */
#ifndef NSM_CONFIG_LOAD_H
#define NSM_CONFIG_LOAD_H

#include "tools/config/config.h"

struct nsm_config_change {
        const char *tenant;
        const char *text; /* what tenants.d/TENANT.conf will hold; NULL: it will be gone */
        size_t size;
};

/* As nsm_config_load(); @change may be NULL. */
int nsm_config_load_changed(const char *dir, const struct nsm_config_change *change,
                            struct nsm_config **ret, struct nsm_error *err);

#endif
