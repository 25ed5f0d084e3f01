/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What settings mean: of one tenant, and of the daemon. Pure. Inside tools/config only.
 */
#ifndef NSM_CONFIG_INTERPRET_H
#define NSM_CONFIG_INTERPRET_H

#include "tools/config/config.h"
#include "tools/config/settings.h"

/* What may stand in tenants.d/NAME.conf, and in nsmount.conf. */
extern const struct nsm_section_spec nsm_tenant_specs[];
extern const struct nsm_section_spec nsm_daemon_specs[];

/*
 * Makes a tenant of its settings. @file names what is missing as a whole.
 * -EINVAL or -ENOMEM; *ret is cleared by nsm_tenant_clear() in either case.
 */
int nsm_tenant_interpret(const char *name, const char *file, const struct nsm_settings *list,
                         struct nsm_tenant *ret, struct nsm_error *err);

void nsm_tenant_clear(struct nsm_tenant *tenant);

/* Sets the daemon's own settings, with defaults for what is not set. */
int nsm_daemon_interpret(const struct nsm_settings *list, struct nsm_config *config,
                         struct nsm_error *err);

#endif
