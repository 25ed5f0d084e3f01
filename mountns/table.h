/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount table of a process's mount namespace, as its root sees it: read
 * by libmount through the host's /proc. Questions about it are pure.
 */
#ifndef NSM_MOUNTNS_TABLE_H
#define NSM_MOUNTNS_TABLE_H

#include <libmount.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"

/* What the kernel calls our filesystem: FUSE with a subtype. */
#define NSM_FILESYSTEM_TYPE "fuse.nsmountfs"

struct nsm_table {
        char *text;               /* mountinfo as it was read, owned */
        struct libmnt_table *mounts; /* the same, parsed; owned */
};

/* Reads @task/mountinfo ("12", "self") below @proc. */
int nsm_table_read(int proc, const char *task, struct nsm_table *ret, struct nsm_error *err);

/* Parses @text as mountinfo; takes a copy. */
int nsm_table_parse(const char *text, struct nsm_table *ret, struct nsm_error *err);

void nsm_table_clear(struct nsm_table *table);

/* The mount with this id, or NULL. */
struct libmnt_fs *nsm_table_find(const struct nsm_table *table, uint64_t mount_id);

/* A mount on @mount_id, or NULL. */
struct libmnt_fs *nsm_table_find_child(const struct nsm_table *table, uint64_t mount_id);

/* The mount that is the root of whoever's table it is: the topmost at "/". */
struct libmnt_fs *nsm_table_find_root(const struct nsm_table *table);

/* The topmost mount exactly at @path, or NULL. */
struct libmnt_fs *nsm_table_find_at(const struct nsm_table *table, const char *path);

/* Whether @mount is a view: by its type, or because its superblock is @device. */
bool nsm_table_is_view(struct libmnt_fs *mount, dev_t device);

bool nsm_table_is_shared(struct libmnt_fs *mount);

/* Whether the per-mount flag (ro, nosuid, nodev, noexec) is set. */
bool nsm_table_has_flag(struct libmnt_fs *mount, const char *flag);

/* Whether the mount is @ancestor or mounted somewhere below it. */
bool nsm_table_is_below(const struct nsm_table *table, uint64_t mount_id, uint64_t ancestor);

/*
 * A view other than the root that @path is at, under or over: what a new graft
 * there would meet. NULL when there is none.
 */
struct libmnt_fs *nsm_table_find_conflict(const struct nsm_table *table, const char *path,
                                          dev_t device);

/*
 * Whether the two tables name the same mounts, flags and propagation, in any
 * order, except for the mount @but (0: none). Says the first difference.
 */
bool nsm_table_is_equal(const struct nsm_table *a, const struct nsm_table *b, uint64_t but,
                        struct nsm_error *err);

#define cleanup_table __attribute__((cleanup(nsm_table_clear)))

#endif
