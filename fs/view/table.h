/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inodes that the kernel knows of a view: records of fixed size in a
 * region, without pointers; a node id is a record's index. A record holds no
 * descriptor (but for a pinned one, see pin): the inode is found again through
 * its links, each a (parent, name).
 *
 * A record lives while the kernel counts lookups of it, or while another
 * record's link names it as parent. No locking: the view's lock covers it.
 */
#ifndef NSM_VIEW_TABLE_H
#define NSM_VIEW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/view/limits.h"
#include "fs/view/names.h"
#include "fs/view/region.h"

#define NSM_TABLE_ROOT 1u /* as FUSE_ROOT_ID */

/* Indexes of one view's records, of which 0 is none. 1 GiB of records. */
#define NSM_TABLE_INODES_MAX ((uint32_t)NSM_INODES_MAX + 1)

/* Links kept per inode: a file with more names is found through the latest. */
#define NSM_TABLE_LINKS_MAX 8

/* What tells one inode of the storage from another. */
struct nsm_identity {
        uint64_t ino;
        uint64_t birth; /* nanoseconds, or 0 where the storage does not say */
        uint16_t type;  /* S_IFMT part of the mode */
        bool foreign;   /* another filesystem or subvolume: shown, never entered */
};

struct nsm_inode {
        uint64_t ino;
        uint64_t birth;
        uint64_t nlookup;    /* what FORGET has to bring back */
        uint32_t generation; /* goes up with each use of the record */
        uint32_t links;      /* first link, latest first; 0: none */
        uint32_t children;   /* links of other records that name this one */
        uint32_t hash_next;  /* next in its bucket, or in the free list */
        int32_t pin;         /* O_PATH descriptor of a nameless inode, or -1; owned */
        uint32_t dir_slot;   /* 1 + slot of the directory cache, or 0 */
        uint32_t opens;      /* open handles */
        uint16_t type;       /* 0: the record is free */
        bool foreign : 1;
        bool listed : 1; /* a directory whose entries the kernel may have cached */
        bool used : 1; /* looked up again since room was last looked for */
        bool mapped : 1; /* was open so that stores may pass the worker by: times are not known */
        bool nameless : 1; /* known to have no name: its pin or an open handle is all there is */
        uint8_t n_links;
};

struct nsm_table {
        struct nsm_region records;
        struct nsm_region buckets;
        struct nsm_names names;
        uint32_t limit; /* records, at most NSM_INODES_MAX; one more is -ENFILE */
        /* Called with a record that is about to go, while it is still whole. */
        void (*on_drop)(struct nsm_inode *inode, void *arg);
        void *on_drop_arg;
};

#define NSM_TABLE_INIT \
        { .records = NSM_REGION_INIT, .buckets = NSM_REGION_INIT, .names = NSM_NAMES_INIT,       \
          .limit = NSM_INODES_MAX }

/* A table that holds the root alone. 0 or -errno. */
int nsm_table_init(struct nsm_table *table, const struct nsm_identity *root);
void nsm_table_free(struct nsm_table *table);

/* The record of a node id, or NULL when there is none in use. */
struct nsm_inode *nsm_table_get(const struct nsm_table *table, uint64_t node);

/* The node id of an inode of the storage, or 0. */
uint32_t nsm_table_find(const struct nsm_table *table, const struct nsm_identity *identity);

/* Whether a record is of this inode. A birth time that one side lacks is no difference. */
bool nsm_inode_is(const struct nsm_inode *inode, const struct nsm_identity *identity);

/*
 * Finds or makes the record of an inode, counts one lookup, and notes that it
 * was found as @name in @parent (NULL: it was made without a name). 0, -ENFILE or -errno.
 */
int nsm_table_remember(struct nsm_table *table, const struct nsm_identity *identity,
                       uint32_t parent, const char *name, uint32_t *ret_node);

/* Takes @n lookups back; drops the record, and parents that only it kept, at zero. */
void nsm_table_forget(struct nsm_table *table, uint64_t node, uint64_t n);

/*
 * Notes that @node is found as @name in @parent. A directory has one link, so
 * a new one replaces it; of other inodes the oldest goes when there are too
 * many. 0, -ESTALE (there is no such parent), -ENFILE or -errno, and the links
 * are then as before.
 */
int nsm_table_add_link(struct nsm_table *table, uint32_t node, uint32_t parent, const char *name);

/* Forgets such a link, if there is one; no record goes because of it but parents. */
void nsm_table_remove_link(struct nsm_table *table, uint32_t node, uint32_t parent,
                           const char *name);

/*
 * Gives memory back when most of the table is unused. Takes time in proportion
 * to what the table once held: for quiet moments. Returns whether it did.
 */
bool nsm_table_shrink(struct nsm_table *table);

/* The next record in use behind @index (0: the first), or 0. */
uint32_t nsm_table_next(const struct nsm_table *table, uint32_t index);

/* The index that no record in use reaches, and the generation given last. */
uint32_t nsm_table_top(const struct nsm_table *table);
uint32_t nsm_table_generation(const struct nsm_table *table);

/* Records in use, and bytes of memory that records, buckets and names fill. */
uint32_t nsm_table_count(const struct nsm_table *table);
uint64_t nsm_table_bytes(const struct nsm_table *table);

#endif
