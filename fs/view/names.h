/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links: where an inode is found, as (parent record, name), in a list per
 * inode. They lie in a region of their own and are addressed by offset in
 * units of 8 bytes; 0 is none. No locking: the view's lock covers it.
 */
#ifndef NSM_VIEW_NAMES_H
#define NSM_VIEW_NAMES_H

#include <stdint.h>

#include "fs/view/region.h"

#define NSM_FILE_NAME_MAX 255 /* bytes of one name, as NAME_MAX */

/* Address space for links, hence the limit of all of them together. */
#define NSM_NAMES_BYTES_MAX ((size_t)2 << 30)

struct nsm_link {
        uint32_t parent; /* index of the directory's record */
        uint32_t next;   /* next link of the same inode, 0 at the end */
        uint8_t len;
        char name[]; /* @len bytes, no NUL */
};

struct nsm_names {
        struct nsm_region region;
};

#define NSM_NAMES_INIT { .region = NSM_REGION_INIT }

int nsm_names_init(struct nsm_names *names);
void nsm_names_free(struct nsm_names *names);

/* A new link to @name, which is in no list yet. 0, -ENAMETOOLONG, -ENFILE or -errno. */
int nsm_names_add(struct nsm_names *names, uint32_t parent, const char *name, uint32_t *ret);

/* Gives a link's memory back, for links of the same size. */
void nsm_names_remove(struct nsm_names *names, uint32_t at);

/* The link at an offset. Valid until it is removed: the mapping never moves. */
static inline struct nsm_link *nsm_names_at(const struct nsm_names *names, uint32_t at)
{
        return (struct nsm_link *)(names->region.base + (size_t)at * 8);
}

/* Bytes of memory in use by all links, free ones included. */
uint64_t nsm_names_bytes(const struct nsm_names *names);

#endif
