/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Id maps: extents that pair ids of two sides, as in /proc/PID/uid_map
 * (user_namespaces(7)). A map does not know what its sides are; its user says:
 *
 *   a tenant's `ids`          inside = container id, outside = host id
 *   a volume's `storage-ids`  inside = container id, outside = storage id
 *   what a view shifts by     inside = storage id,   outside = host id
 *
 * Pure; a map may be read by any number of threads while nobody changes it.
 */
#ifndef NSM_BASE_IDMAP_H
#define NSM_BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/error.h"

/* As many as the kernel takes for one user namespace (UID_GID_MAP_MAX_EXTENTS). */
#define NSM_IDMAP_EXTENTS_MAX 340

/* What no id may be: (uid_t)-1, "no change" in chown(2) and nobody in FUSE. */
#define NSM_ID_INVALID UINT32_MAX

struct nsm_extent {
        uint32_t inside;  /* first id on the inside */
        uint32_t outside; /* first id on the outside */
        uint32_t count;   /* ids in a row; never 0 */
};

/* All zero is the empty map, which maps nothing. */
struct nsm_idmap {
        size_t n;
        struct nsm_extent *by_inside;  /* sorted by inside, owned */
        struct nsm_extent *by_outside; /* the same extents sorted by outside, owned */
};

enum nsm_id_direction {
        NSM_ID_OUTWARD, /* inside -> outside */
        NSM_ID_INWARD,  /* outside -> inside */
};

/*
 * Adds one extent. Refused with a reason in @err: count 0 (-EINVAL), a side
 * that reaches 0xffffffff (-ERANGE), a side that overlaps another extent
 * (-EEXIST), too many (-E2BIG), no memory (-ENOMEM). The map is then as before.
 */
int nsm_idmap_add(struct nsm_idmap *map, struct nsm_extent extent, struct nsm_error *err);

/* Frees the extents; the map is empty then, and may be used again. */
void nsm_idmap_clear(struct nsm_idmap *map);

/* A copy that shares nothing. 0 or -ENOMEM; @ret must be empty. */
int nsm_idmap_copy(const struct nsm_idmap *map, struct nsm_idmap *ret);

/* Shifts one id. 0, or -EOVERFLOW when the map has no partner for it. */
int nsm_idmap_shift(const struct nsm_idmap *map, enum nsm_id_direction direction, uint32_t id,
                    uint32_t *ret);

/*
 * Whether every id of @part is paired in @whole just as in @part: what decides
 * if a container with the map @part may be attached for a tenant with @whole.
 * On failure @ret_bad, unless NULL, is the first extent of @part that is not.
 */
bool nsm_idmap_contains(const struct nsm_idmap *whole, const struct nsm_idmap *part,
                        struct nsm_extent *ret_bad);

/*
 * The map from the outside of @inner to the outside of @outer, through their
 * common inside: of a volume's storage-ids and its tenant's ids, what the view
 * shifts by. Ids that one of the two lacks are left out. Errors as
 * nsm_idmap_add(). @ret must be empty.
 */
int nsm_idmap_compose(const struct nsm_idmap *inner, const struct nsm_idmap *outer,
                      struct nsm_idmap *ret, struct nsm_error *err);

/* The first extent of @a whose outside overlaps the outside of an extent of @b, or NULL. */
const struct nsm_extent *nsm_idmap_find_overlap(const struct nsm_idmap *a,
                                                const struct nsm_idmap *b);

/*
 * Reads /proc/PID/uid_map as text: lines "inside outside count". @text ends
 * with NUL. The kernel's 4294967295 (all ids of the initial namespace) is taken.
 */
int nsm_idmap_parse_proc(const char *text, struct nsm_idmap *ret, struct nsm_error *err);

#define cleanup_idmap __attribute__((cleanup(nsm_idmap_clear)))

#endif
