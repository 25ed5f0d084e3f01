/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the table's own files share. */
#ifndef NSM_VIEW_TABLE_PRIVATE_H
#define NSM_VIEW_TABLE_PRIVATE_H

#include "fs/view/table.h"

/* In place of record 0, which no node id names. */
struct nsm_table_head {
        uint32_t top;        /* first index never used */
        uint32_t free;       /* records to use again, linked through hash_next */
        uint32_t count;      /* records in use */
        uint32_t hashed;     /* buckets in use: any number, for the table grows one by one */
        uint32_t mask;       /* of the larger power of two */
        uint32_t generation; /* last one given */
        uint32_t chunks;     /* first records of chunks without memory, linked as free ones are */
        uint32_t n_chunks;
};

/*
 * Records whose memory is given back together, when none of them is in use:
 * whole pages. The first page stays, for the link and for the mark.
 */
#define NSM_TABLE_CHUNK 2048u
#define NSM_TABLE_CHUNK_MARK UINT64_MAX /* nlookup of its first record, which is free */

_Static_assert(sizeof(struct nsm_inode) <= 64, "a record is no longer than a cache line");
_Static_assert(sizeof(struct nsm_table_head) <= sizeof(struct nsm_inode), "it fits record 0");

#define NSM_TABLE_BUCKETS_MIN 64u

static inline struct nsm_table_head *nsm_table_head(const struct nsm_table *table)
{
        return (struct nsm_table_head *)table->records.base;
}

static inline struct nsm_inode *nsm_table_record(const struct nsm_table *table, uint32_t index)
{
        return (struct nsm_inode *)table->records.base + index;
}

static inline uint32_t *nsm_table_buckets(const struct nsm_table *table)
{
        return (uint32_t *)table->buckets.base;
}

/* Whether a record lies in a chunk without memory: not even to be looked at. */
static inline bool nsm_table_is_hole(const struct nsm_table *table, uint32_t index)
{
        const struct nsm_inode *first =
                nsm_table_record(table, index / NSM_TABLE_CHUNK * NSM_TABLE_CHUNK);

        return index >= NSM_TABLE_CHUNK && first->nlookup == NSM_TABLE_CHUNK_MARK;
}

/* Puts a record into its bucket. */
void nsm_table_hash_in(struct nsm_table *table, uint32_t index);

#endif
