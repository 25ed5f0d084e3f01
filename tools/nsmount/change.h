/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `tenant add` and `tenant set` have in common: options that become lines of a file. */
#ifndef NSM_NSMOUNT_CHANGE_H
#define NSM_NSMOUNT_CHANGE_H

#include "tools/nsmount/command.h"

/* Both take these; the names are those of nsmount.conf(5). */
#define NSM_CHANGE_OPTIONS                                                                  \
        { "ids", "HOST:COUNT", "host ids of container ids from 0; or auto[:COUNT]", 0 },    \
        { "uid-map", "C:H:COUNT", "or container and host ids, extent by extent", 1 },       \
        { "gid-map", "C:H:COUNT", "the same for groups", 1 },                               \
        { "shared-source", "yes|no", "other tenants may have the same sources", 0 },        \
        { "volume", "NAME=DIR", "a volume; the options behind it speak of this one", 1 },   \
        { "access", "rw|ro", "  what its views allow", 1 },                                 \
        { "storage-ids", "C:S:COUNT", "  container and storage ids, extent by extent", 1 }, \
        { "storage-uids", "C:S:COUNT", "  the same for users alone", 1 },                   \
        { "storage-gids", "C:S:COUNT", "  the same for groups alone", 1 },                  \
        { "coherence", "shared|exclusive", "  whether others write below it", 1 },          \
        { "devices", "deny|allow", "  whether device nodes open", 1 },                      \
        { "suid", "allow|deny", "  whether set-id programs count", 1 }

/*
 * Applies what an invocation says to the text of a tenant's file. @auto_ids
 * stands for "--ids auto", or is NULL. Usage errors, or those of nsm_edit_set().
 */
int nsm_change_apply(const struct nsm_invocation *inv, const char *auto_ids, char **text,
                     struct nsm_error *err);

/*
 * "HOST:COUNT" of the pool when --ids is auto; *ret stays as it is when not. The
 * caller holds the lock, so that nobody else gets the same, and frees *ret.
 */
int nsm_change_choose_ids(const struct nsm_invocation *inv, char **ret, struct nsm_error *err);

/*
 * Under the lock: writes @text as the tenant's file and has nsmountd take it in,
 * when one runs. When that one refuses, the file is as before (@old; NULL: gone).
 */
int nsm_change_commit(const struct nsm_invocation *inv, const char *tenant, const char *old,
                      const char *text, struct nsm_error *err);

/* "acme: host ids 100000..165535, volumes root, data". */
int nsm_change_print(const struct nsm_invocation *inv, const char *tenant, struct nsm_error *err);

#endif
