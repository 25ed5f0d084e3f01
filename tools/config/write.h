/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing the configuration. A change is made under a lock, from reading what
 * there is to replacing it, so that two that run at once never give one range
 * of ids out twice; it is checked as a part of the whole before anything is
 * replaced; and a reader, or a crash, finds the old file or the new one.
 */
#ifndef NSM_CONFIG_WRITE_H
#define NSM_CONFIG_WRITE_H

#include <stdint.h>

#include "tools/config/config.h"

/*
 * Waits for the lock of @dir, and makes the directories that are missing. A
 * descriptor: closing it gives the lock up. -ENOENT (no directory above @dir), -EACCES.
 */
int nsm_config_lock(const char *dir, struct nsm_error *err);

/* The text of tenants.d/NAME.conf; the caller frees it. -ENOENT without words in @err. */
int nsm_config_read_tenant(const char *dir, const char *name, char **ret, struct nsm_error *err);

/*
 * Checks the configuration as it would be, sources of this tenant included, and
 * then replaces the tenant's file by @text, or removes it and its drop-ins stay
 * behind unread (NULL). The caller holds the lock. Nothing is changed on failure.
 */
int nsm_config_write_tenant(const char *dir, const char *name, const char *text,
                            struct nsm_error *err);

/* The first @count host ids in a row of the pool that no tenant has, as user or as group. */
int nsm_config_find_free_ids(const struct nsm_config *config, uint32_t count, uint32_t *ret_first,
                             struct nsm_error *err);

#endif
