/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `tenant add` and `tenant set` have in common: options that become lines of a file. */
#ifndef NSM_NSMOUNT_CHANGE_H
#define NSM_NSMOUNT_CHANGE_H

#include "tools/nsmount/command.h"

/* Both take these; the names are those of nsmount.conf(5). */
#define NSM_CHANGE_OPTIONS                                                                        \
        { "ids", "HOST:COUNT", "host ids of container ids from 0; or auto[:COUNT]", NSM_ONCE },   \
        { "uid-map", "C:H:COUNT", "or container and host ids, extent by extent", NSM_OFTEN },     \
        { "gid-map", "C:H:COUNT", "the same for groups", NSM_OFTEN },                             \
        { "shared-source", "yes|no", "other tenants may have the same sources", NSM_ONCE },       \
        { "volume", "NAME=DIR", "a volume; the options behind it speak of this one", NSM_OFTEN }, \
        { "access", "rw|ro", "  what its views allow", NSM_PER_VOLUME },                          \
        { "storage-ids", "C:S:COUNT", "  container and storage ids, by extents", NSM_OFTEN },     \
        { "storage-uids", "C:S:COUNT", "  the same for users alone", NSM_OFTEN },                 \
        { "storage-gids", "C:S:COUNT", "  the same for groups alone", NSM_OFTEN },                \
        { "coherence", "shared|exclusive", "  whether others write below it", NSM_PER_VOLUME },   \
        { "devices", "deny|allow", "  whether device nodes open", NSM_PER_VOLUME },               \
        { "suid", "allow|deny", "  whether set-id programs count", NSM_PER_VOLUME }, \
        { "max-inodes", "COUNT", "  inodes that the kernel may hold of a view", NSM_PER_VOLUME }

/*
 * Applies what an invocation says to the text of a tenant's file. @auto_ids
 * stands for "--ids auto", or is NULL. Usage errors, or those of nsm_edit_set().
 */
int nsm_change_apply(const struct nsm_invocation *inv, const char *auto_ids, char **text,
                     struct nsm_error *err);

/*
 * nsm_config_lock(). A directory that is missing is made when @create, which a note
 * says; otherwise it is -ENOENT: what has no directory has no tenant to change.
 */
int nsm_change_lock(const struct nsm_invocation *inv, bool create, struct nsm_error *err);

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
