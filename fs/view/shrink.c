/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving memory back after a great number of inodes has been forgotten. */
#include <errno.h>
#include <string.h>

#include "fs/view/table-private.h"

/* Below this many records there is nothing worth the work. */
#define WORTH_RECORDS 4096u

static bool is_empty(const struct nsm_table *table, uint32_t first)
{
        uint32_t next = nsm_table_next(table, first - 1);

        return !next || next >= first + NSM_TABLE_CHUNK;
}

static void give_chunk_back(struct nsm_table *table, uint32_t first)
{
        struct nsm_table_head *head = nsm_table_head(table);
        struct nsm_inode *inode = nsm_table_record(table, first);
        size_t at = (size_t)first * sizeof *inode;

        nsm_region_punch(&table->records, at + sizeof *inode,
                         (size_t)NSM_TABLE_CHUNK * sizeof *inode - sizeof *inode);
        *inode = (struct nsm_inode){ .hash_next = head->chunks,
                                     .nlookup = NSM_TABLE_CHUNK_MARK };
        head->chunks = first;
        head->n_chunks++;
}

static void list_free(struct nsm_table *table, uint32_t first, uint32_t end)
{
        struct nsm_table_head *head = nsm_table_head(table);

        for (uint32_t i = end; i-- > first;) {
                struct nsm_inode *inode = nsm_table_record(table, i);
                if (!inode->type) {
                        inode->hash_next = head->free;
                        head->free = i;
                }
        }
}

/*
 * Records after the last one in use go, and chunks without any before it; the
 * free ones that are left are listed, lowest first.
 */
static void shrink_records(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);
        uint32_t last = NSM_TABLE_ROOT;

        for (uint32_t i = last; i; i = nsm_table_next(table, i))
                last = i;
        head->top = last + 1;
        head->free = head->chunks = head->n_chunks = 0;
        for (uint32_t c = last / NSM_TABLE_CHUNK; c > 0; c--) {
                uint32_t first = c * NSM_TABLE_CHUNK, end = first + NSM_TABLE_CHUNK;
                if (is_empty(table, first))
                        give_chunk_back(table, first);
                else
                        list_free(table, first, end < head->top ? end : head->top);
        }
        list_free(table, NSM_TABLE_ROOT, head->top < NSM_TABLE_CHUNK ? head->top : NSM_TABLE_CHUNK);
        nsm_region_discard(&table->records, (size_t)head->top * sizeof(struct nsm_inode));
}

static void shrink_buckets(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);

        head->hashed = NSM_TABLE_BUCKETS_MIN;
        while (head->hashed < head->count)
                head->hashed *= 2;
        head->mask = head->hashed - 1;
        memset(nsm_table_buckets(table), 0, (size_t)head->hashed * sizeof(uint32_t));
        nsm_region_discard(&table->buckets, (size_t)head->hashed * sizeof(uint32_t));
        for (uint32_t i = NSM_TABLE_ROOT; i; i = nsm_table_next(table, i))
                nsm_table_hash_in(table, i);
}

/* Copies all links of a record into other names, in their order. */
static int copy_links(const struct nsm_table *table, struct nsm_inode *inode,
                      struct nsm_names *to, uint32_t *ret)
{
        uint32_t *tail = ret;

        *ret = 0;
        for (uint32_t at = inode->links; at;) {
                struct nsm_link *link = nsm_names_at(&table->names, at);
                char name[NSM_FILE_NAME_MAX + 1];

                memcpy(name, link->name, link->len);
                name[link->len] = '\0';
                int r = nsm_names_add(to, link->parent, name, tail);
                if (r < 0)
                        return r;
                tail = &nsm_names_at(to, *tail)->next;
                at = link->next;
        }
        return 0;
}

/*
 * Links are packed: copied aside, where their new offsets are known, then back.
 * The records are changed at the end alone, when nothing can fail any more.
 */
static int shrink_names(struct nsm_table *table)
{
        __attribute__((cleanup(nsm_names_free))) struct nsm_names packed = NSM_NAMES_INIT;
        __attribute__((cleanup(nsm_region_free))) struct nsm_region links = NSM_REGION_INIT;
        uint32_t top = nsm_table_head(table)->top;
        size_t size = (size_t)top * sizeof(uint32_t);

        int r = nsm_names_init(&packed);
        if (r == 0)
                r = nsm_region_init(&links, "nsm-links", size);
        if (r == 0)
                r = nsm_region_grow(&links, size);
        for (uint32_t i = NSM_TABLE_ROOT; r == 0 && i; i = nsm_table_next(table, i))
                r = copy_links(table, nsm_table_record(table, i), &packed,
                               (uint32_t *)links.base + i);
        if (r < 0)
                return r;
        size_t used = (size_t)nsm_names_bytes(&packed);
        memcpy(table->names.region.base, packed.region.base, used);
        nsm_region_discard(&table->names.region, used);
        for (uint32_t i = NSM_TABLE_ROOT; i; i = nsm_table_next(table, i))
                nsm_table_record(table, i)->links = ((uint32_t *)links.base)[i];
        return 0;
}

bool nsm_table_shrink(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);

        uint32_t room = head->top - head->n_chunks * NSM_TABLE_CHUNK;

        if (room < WORTH_RECORDS || head->count > room / 4)
                return false;
        shrink_records(table);
        shrink_buckets(table);
        return shrink_names(table) == 0;
}
