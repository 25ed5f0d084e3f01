/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/table-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static uint32_t hash_ino(uint64_t ino)
{
        /* splitmix64: inode numbers come in runs */
        ino = (ino ^ (ino >> 30)) * 0xbf58476d1ce4e5b9u;
        ino = (ino ^ (ino >> 27)) * 0x94d049bb133111ebu;
        return (uint32_t)(ino ^ (ino >> 31));
}

static uint32_t *bucket_for(const struct nsm_table *table, uint64_t ino)
{
        const struct nsm_table_head *head = nsm_table_head(table);
        uint32_t h = hash_ino(ino);
        uint32_t b = h & head->mask;

        /* Linear hashing: the upper half is there as far as it was split off. */
        if (b >= head->hashed)
                b = h & (head->mask >> 1);
        return &nsm_table_buckets(table)[b];
}

void nsm_table_hash_in(struct nsm_table *table, uint32_t index)
{
        struct nsm_inode *inode = nsm_table_record(table, index);
        uint32_t *bucket = bucket_for(table, inode->ino);

        inode->hash_next = *bucket;
        *bucket = index;
}

static void hash_out(struct nsm_table *table, uint32_t index)
{
        uint32_t *at = bucket_for(table, nsm_table_record(table, index)->ino);

        while (*at != index)
                at = &nsm_table_record(table, *at)->hash_next;
        *at = nsm_table_record(table, index)->hash_next;
}

/* One bucket more, and one split: no insertion pays for all the others. */
static int grow_buckets(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);

        int r = nsm_region_grow(&table->buckets, ((size_t)head->hashed + 1) * sizeof(uint32_t));
        if (r < 0)
                return r;
        if (head->hashed > head->mask)
                head->mask = head->mask * 2 + 1;
        uint32_t *split = &nsm_table_buckets(table)[head->hashed & (head->mask >> 1)];
        uint32_t chain = *split;
        *split = 0;
        nsm_table_buckets(table)[head->hashed] = 0;
        head->hashed++;
        while (chain) {
                uint32_t next = nsm_table_record(table, chain)->hash_next;
                nsm_table_hash_in(table, chain);
                chain = next;
        }
        return 0;
}

/* The records of a chunk without memory are free ones again. */
static void fill_chunk(struct nsm_table *table)
{
        struct nsm_table_head *head = nsm_table_head(table);
        uint32_t first = head->chunks;

        head->chunks = nsm_table_record(table, first)->hash_next;
        head->n_chunks--;
        for (uint32_t i = first + NSM_TABLE_CHUNK; i-- > first;) {
                *nsm_table_record(table, i) = (struct nsm_inode){ .hash_next = head->free };
                head->free = i;
        }
}

static int take_record(struct nsm_table *table, uint32_t *ret)
{
        struct nsm_table_head *head = nsm_table_head(table);

        if (!head->free && head->chunks)
                fill_chunk(table);
        uint32_t index = head->free;

        if (index) {
                head->free = nsm_table_record(table, index)->hash_next;
        } else {
                if (head->top >= NSM_TABLE_INODES_MAX)
                        return -ENFILE;
                int r = nsm_region_grow(&table->records,
                                        ((size_t)head->top + 1) * sizeof(struct nsm_inode));
                if (r < 0)
                        return r;
                index = head->top++;
        }
        head->count++;
        *ret = index;
        return 0;
}

static int new_record(struct nsm_table *table, const struct nsm_identity *identity, uint32_t *ret)
{
        uint32_t index;

        if (nsm_table_head(table)->count >= table->limit)
                return -ENFILE;
        if (nsm_table_head(table)->count >= nsm_table_head(table)->hashed) {
                int r = grow_buckets(table);
                if (r < 0)
                        return r;
        }
        int r = take_record(table, &index);
        if (r < 0)
                return r;
        struct nsm_inode *inode = nsm_table_record(table, index);
        *inode = (struct nsm_inode){
                .ino = identity->ino,
                .birth = identity->birth,
                .generation = ++nsm_table_head(table)->generation,
                .pin = -1,
                .type = identity->type,
                .foreign = identity->foreign,
        };
        nsm_table_hash_in(table, index);
        *ret = index;
        return 0;
}

int nsm_table_init(struct nsm_table *table, const struct nsm_identity *root)
{
        uint32_t index;

        int r = nsm_region_init(&table->records, "nsm-inodes",
                                (size_t)NSM_TABLE_INODES_MAX * sizeof(struct nsm_inode));
        if (r == 0)
                r = nsm_region_grow(&table->records, sizeof(struct nsm_inode));
        if (r == 0)
                r = nsm_region_init(&table->buckets, "nsm-hash",
                                    (size_t)NSM_TABLE_INODES_MAX * sizeof(uint32_t));
        if (r == 0)
                r = nsm_region_grow(&table->buckets, NSM_TABLE_BUCKETS_MIN * sizeof(uint32_t));
        if (r == 0)
                r = nsm_names_init(&table->names);
        if (r == 0) {
                *nsm_table_head(table) = (struct nsm_table_head){
                        .top = NSM_TABLE_ROOT,
                        .hashed = NSM_TABLE_BUCKETS_MIN,
                        .mask = NSM_TABLE_BUCKETS_MIN - 1,
                };
                r = new_record(table, root, &index);
        }
        if (r < 0) {
                nsm_table_free(table);
                return r;
        }
        nsm_table_record(table, index)->nlookup = 1; /* the kernel never forgets the root */
        return 0;
}

void nsm_table_free(struct nsm_table *table)
{
        nsm_region_free(&table->records);
        nsm_region_free(&table->buckets);
        nsm_names_free(&table->names);
}

struct nsm_inode *nsm_table_get(const struct nsm_table *table, uint64_t node)
{
        if (node == 0 || node >= nsm_table_head(table)->top)
                return NULL;
        struct nsm_inode *inode = nsm_table_record(table, (uint32_t)node);
        return inode->type ? inode : NULL;
}

bool nsm_inode_is(const struct nsm_inode *inode, const struct nsm_identity *identity)
{
        return inode->ino == identity->ino && inode->type == identity->type &&
               inode->foreign == identity->foreign &&
               (inode->birth == identity->birth || !inode->birth || !identity->birth);
}

/*
 * Where the storage tells no birth times, an inode number may have been used
 * again: a record without a name or a descriptor is of the one that went.
 */
static bool could_be(const struct nsm_inode *inode, uint32_t index,
                     const struct nsm_identity *identity)
{
        bool lost = !inode->birth && !inode->links && inode->pin < 0 && !inode->opens &&
                    index != NSM_TABLE_ROOT;

        return !lost && nsm_inode_is(inode, identity);
}

uint32_t nsm_table_find(const struct nsm_table *table, const struct nsm_identity *identity)
{
        uint32_t index = *bucket_for(table, identity->ino);

        while (index && !could_be(nsm_table_record(table, index), index, identity))
                index = nsm_table_record(table, index)->hash_next;
        return index;
}

static bool link_is(const struct nsm_link *link, uint32_t parent, const char *name, size_t len)
{
        return link->parent == parent && link->len == len && memcmp(link->name, name, len) == 0;
}

/* The place that holds the offset of such a link, or of the end of the list. */
static uint32_t *find_link(const struct nsm_table *table, struct nsm_inode *inode, uint32_t parent,
                           const char *name)
{
        size_t len = strlen(name);
        uint32_t *at = &inode->links;

        while (*at && !link_is(nsm_names_at(&table->names, *at), parent, name, len))
                at = &nsm_names_at(&table->names, *at)->next;
        return at;
}

/* Takes the link out of its list; returns the parent, which may have to go. */
static uint32_t unlink_at(struct nsm_table *table, struct nsm_inode *inode, uint32_t *at)
{
        uint32_t gone = *at;
        struct nsm_link *link = nsm_names_at(&table->names, gone);
        uint32_t parent = link->parent;

        *at = link->next;
        inode->n_links--;
        nsm_table_record(table, parent)->children--;
        nsm_names_remove(&table->names, gone);
        return parent;
}

static bool is_unused(const struct nsm_inode *inode)
{
        return inode->nlookup == 0 && inode->children == 0;
}

/*
 * Drops a record that nothing needs any more, then parents that it alone kept.
 * Iterative: a tree can be as deep as its owner likes. Only a directory has
 * children, and a directory has one link, so the way up does not branch but
 * at the start.
 */
static void drop_unused(struct nsm_table *table, uint32_t index)
{
        struct nsm_table_head *head = nsm_table_head(table);

        while (index && is_unused(nsm_table_record(table, index))) {
                struct nsm_inode *inode = nsm_table_record(table, index);
                uint32_t parent = 0;

                if (table->on_drop)
                        table->on_drop(inode, table->on_drop_arg);
                while (inode->n_links > 1) {
                        uint32_t other = unlink_at(table, inode, &inode->links);
                        drop_unused(table, other);
                }
                if (inode->links)
                        parent = unlink_at(table, inode, &inode->links);
                hash_out(table, index);
                inode->type = 0;
                inode->hash_next = head->free;
                head->free = index;
                head->count--;
                index = parent;
        }
}

int nsm_table_add_link(struct nsm_table *table, uint32_t node, uint32_t parent, const char *name)
{
        struct nsm_inode *inode = nsm_table_record(table, node);
        const struct nsm_inode *above = nsm_table_get(table, parent);
        uint32_t at;

        /* Whoever asked has been killed meanwhile, and the kernel has forgotten it. */
        if (!above || !S_ISDIR(above->type))
                return -ESTALE;
        if (*find_link(table, inode, parent, name))
                return 0;
        int r = nsm_names_add(&table->names, parent, name, &at);
        if (r < 0)
                return r;
        nsm_names_at(&table->names, at)->next = inode->links;
        inode->links = at;
        inode->n_links++;
        inode->nameless = false;
        nsm_table_record(table, parent)->children++;
        if (inode->n_links > (S_ISDIR(inode->type) ? 1 : NSM_TABLE_LINKS_MAX)) {
                uint32_t *last = &inode->links;
                while (nsm_names_at(&table->names, *last)->next)
                        last = &nsm_names_at(&table->names, *last)->next;
                drop_unused(table, unlink_at(table, inode, last));
        }
        return 0;
}

void nsm_table_remove_link(struct nsm_table *table, uint32_t node, uint32_t parent,
                           const char *name)
{
        struct nsm_inode *inode = nsm_table_record(table, node);
        uint32_t *at = find_link(table, inode, parent, name);

        if (*at)
                drop_unused(table, unlink_at(table, inode, at));
}

int nsm_table_remember(struct nsm_table *table, const struct nsm_identity *identity,
                       uint32_t parent, const char *name, uint32_t *ret_node)
{
        uint32_t index = nsm_table_find(table, identity);
        int r = 0;

        if (!index)
                r = new_record(table, identity, &index);
        else
                nsm_table_record(table, index)->used = true;
        if (r < 0)
                return r;
        nsm_table_record(table, index)->nlookup++;
        if (name && index != NSM_TABLE_ROOT)
                r = nsm_table_add_link(table, index, parent, name);
        else if (!name && !nsm_table_record(table, index)->links)
                nsm_table_record(table, index)->nameless = true;
        if (r < 0) {
                nsm_table_forget(table, index, 1);
                return r;
        }
        *ret_node = index;
        return 0;
}

void nsm_table_forget(struct nsm_table *table, uint64_t node, uint64_t n)
{
        struct nsm_inode *inode = nsm_table_get(table, node);

        if (!inode || node == NSM_TABLE_ROOT)
                return;
        inode->nlookup -= n < inode->nlookup ? n : inode->nlookup;
        drop_unused(table, (uint32_t)node);
}

uint32_t nsm_table_next(const struct nsm_table *table, uint32_t index)
{
        uint32_t top = nsm_table_head(table)->top;

        for (index++; index < top; index++) {
                if (nsm_table_is_hole(table, index))
                        index += NSM_TABLE_CHUNK - 1 - index % NSM_TABLE_CHUNK;
                else if (nsm_table_record(table, index)->type)
                        return index;
        }
        return 0;
}

uint32_t nsm_table_top(const struct nsm_table *table)
{
        return nsm_table_head(table)->top;
}

uint32_t nsm_table_generation(const struct nsm_table *table)
{
        return nsm_table_head(table)->generation;
}

uint32_t nsm_table_count(const struct nsm_table *table)
{
        return nsm_table_head(table)->count;
}

uint64_t nsm_table_bytes(const struct nsm_table *table)
{
        const struct nsm_table_head *head = nsm_table_head(table);

        return (uint64_t)(head->top - head->n_chunks * NSM_TABLE_CHUNK) *
                       sizeof(struct nsm_inode) +
               (uint64_t)head->hashed * sizeof(uint32_t) + nsm_names_bytes(&table->names);
}
