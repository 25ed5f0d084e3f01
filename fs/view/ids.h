/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two id maps of a view, and all places where ids hide: attributes, POSIX
 * ACLs and the root id of file capabilities. The only code that shifts ids.
 * Maps: inside = storage id, outside = host id. Pure; any thread.
 */
#ifndef NSM_VIEW_IDS_H
#define NSM_VIEW_IDS_H

#include <stddef.h>
#include <sys/types.h>

#include "fs/base/idmap.h"

struct nsm_ids {
        struct nsm_idmap uids;
        struct nsm_idmap gids;
};

void nsm_ids_clear(struct nsm_ids *ids);

/* What the kernel is shown for a storage id: its host id, or NSM_ID_INVALID. */
uint32_t nsm_ids_show(const struct nsm_idmap *map, uint32_t storage_id);

/* What is stored for a host id. 0 or -EOVERFLOW. */
int nsm_ids_store(const struct nsm_idmap *map, uint32_t host_id, uint32_t *ret);

/* Bytes of the extended attribute that holds an ACL of @n entries. */
#define NSM_ACL_HEADER_SIZE 4
#define NSM_ACL_ENTRY_SIZE 8

/*
 * Shifts the value of system.posix_acl_access or _default (acl(5), the
 * kernel's posix_acl_xattr.h) in place. NSM_ID_INWARD (host to storage)
 * refuses an id without partner with -EOVERFLOW; NSM_ID_OUTWARD leaves such an
 * entry out, for no process of the tenant can be whom it names, and the kernel
 * takes no ACL that names nobody. Returns the new size, or -EINVAL when the
 * value is malformed.
 */
ssize_t nsm_ids_shift_acl(const struct nsm_ids *ids, enum nsm_id_direction direction,
                          void *value, size_t size);

/* The largest value of security.capability: version 3. */
#define NSM_FILE_CAPS_SIZE_MAX 24

/*
 * Shifts the value of security.capability (capabilities(7)). A value without
 * root id (version 2) means id 0 of its side, and is what a root id of 0 is
 * written as. @value has room for NSM_FILE_CAPS_SIZE_MAX bytes. Returns the new
 * size; -EINVAL when malformed or of version 1; a root id without partner is
 * -EOVERFLOW inward and -ENODATA outward.
 */
ssize_t nsm_ids_shift_file_caps(const struct nsm_ids *ids, enum nsm_id_direction direction,
                                void *value, size_t size);

#endif
