/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving memory back after a great number of inodes has been forgotten. */
#include <errno.h>
#include <string.h>

#include "fs/view/table-private.h"

/* Below this many records there is nothing worth the work. */
#define WORTH_RECORDS 4096u

/* Records after the last one in use go; free ones before it are listed, lowest first. */
static void shrink_records(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);

        while (head->top > NSM_TABLE_ROOT + 1 && !nsm_table_record(table, head->top - 1)->type)
                head->top--;
        head->free = 0;
        for (uint32_t i = head->top; i-- > NSM_TABLE_ROOT;) {
                struct nsm_inode *inode = nsm_table_record(table, i);
                if (!inode->type) {
                        inode->hash_next = head->free;
                        head->free = i;
                }
        }
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
        for (uint32_t i = NSM_TABLE_ROOT; i < head->top; i++)
                if (nsm_table_record(table, i)->type)
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
        for (uint32_t i = NSM_TABLE_ROOT; r == 0 && i < top; i++)
                if (nsm_table_record(table, i)->type)
                        r = copy_links(table, nsm_table_record(table, i), &packed,
                                       (uint32_t *)links.base + i);
        if (r < 0)
                return r;
        size_t used = (size_t)nsm_names_bytes(&packed);
        memcpy(table->names.region.base, packed.region.base, used);
        nsm_region_discard(&table->names.region, used);
        for (uint32_t i = NSM_TABLE_ROOT; i < top; i++)
                if (nsm_table_record(table, i)->type)
                        nsm_table_record(table, i)->links = ((uint32_t *)links.base)[i];
        return 0;
}

bool nsm_table_shrink(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);

        if (head->top < WORTH_RECORDS || head->count > head->top / 4)
                return false;
        /* What was at the top may be in use for long: then the rest waits, too. */
        uint32_t top = head->top;
        shrink_records(table);
        if (head->top > top / 2)
                return false;
        shrink_buckets(table);
        return shrink_names(table) == 0;
}
