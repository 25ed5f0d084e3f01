/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs do to files, to be counted. Each is done in a directory of its
 * own; what it wants to find there is stored before the view begins, so that the
 * kernel knows nothing of it.
 */
#ifndef NSM_TESTS_OPERATIONS_H
#define NSM_TESTS_OPERATIONS_H

#include <stdint.h>

#include "tests/integration/view-kit.h"

#define PAGE 4096
#define TIMES 20 /* of what is done to that many files: n0, n1, ... */
#define MANY 300 /* files of a long directory */
/* A tree: so many directories, with so many files and a symbolic link in each. */
#define TREE_DIRS 4
#define TREE_FILES 8

/* From the preparation of an operation to its end. */
struct operating {
        int fd;
        unsigned turn;
        char page[PAGE] __attribute__((aligned(PAGE)));
};

/* 0, or they say on stderr what failed. */
typedef int (*store_fn)(void);
typedef int (*operate_fn)(struct operating *o);

enum operator {
        BY_OWNER,     /* of all that is stored: the tenant's root */
        BY_ANOTHER,   /* of the tenant's users */
        BY_HOST_ROOT, /* who can be others */
};

struct operation {
        store_fn store;     /* on the storage; or NULL */
        operate_fn prepare; /* in the view, not counted; or NULL */
        operate_fn act;     /* in the view, counted */
        enum operator by;
};

/* ---- the place: a view of an ext4 ---- */

struct view_kit operation_place_new(void);

/* Makes the directory @name on the storage, with what the operation wants to find. */
void operation_store(struct view_kit *k, const char *name, const struct operation *operation);

/* Serves it. Returns the name that its processes have, and no others. */
const char *operation_place_show(struct view_kit *k, const char *coherence);

/* When something was done: nanoseconds of CLOCK_MONOTONIC. */
struct operation_time {
        uint64_t begin, end;
};

/* Does it in the directory @name of the view, in a process of its own. */
struct operation_time operation_do(struct view_kit *k, const char *name,
                                   const struct operation *operation);

/* ---- store ---- */

int store_open(void);  /* nothing, where every user may make something */
int store_file(void);  /* f, a page; and l, a symbolic link */
int store_files(void); /* n0 ..., a page each */
int store_dirs(void);  /* d0 ..., of four files each */
int store_many(void);  /* many, of MANY files */
int store_tree(void);  /* tree */

/* ---- prepare and act ---- */

/* f, l, or a name that is not there */
int look_at_file(struct operating *o);
int look_at_missing(struct operating *o);
int look_through_root(struct operating *o); /* of the view */
int open_for_writing(struct operating *o);
int open_for_reading(struct operating *o);
int open_past_cache(struct operating *o); /* to write */
int open_past_cache_to_read(struct operating *o);
int open_and_write(struct operating *o);
int read_page(struct operating *o);
int write_page(struct operating *o);
int open_read_close(struct operating *o);
int open_write_close(struct operating *o);
int change_mode(struct operating *o);
int read_link(struct operating *o);

/* n0 ..., one after another */
int look_at_files(struct operating *o);
int look_at_missing_files(struct operating *o);
int open_files(struct operating *o);  /* for reading; and closes them, as the next */
int write_files(struct operating *o);
int create_files(struct operating *o); /* with a page each */
int change_modes(struct operating *o);
int change_owners(struct operating *o);
int change_times(struct operating *o);
int truncate_files(struct operating *o);
int link_files(struct operating *o); /* f, by these names */
int rename_files(struct operating *o);
int unlink_files(struct operating *o);
int make_dirs(struct operating *o);
int make_dirs_in_turn(struct operating *o); /* two users do; by root of the host */
int remove_dirs(struct operating *o);
int make_symlinks(struct operating *o);
int read_symlinks(struct operating *o);
int list_dirs(struct operating *o); /* of store_dirs() */
/* the open file */
int write_pages(struct operating *o);
int sync_again(struct operating *o);

/* many files */
int list_names(struct operating *o);    /* as `ls -f` */
int list_and_look(struct operating *o); /* as `ls -l` */
int walk_tree(struct operating *o);     /* as `find -ls` */
int read_tree(struct operating *o);     /* as `cp -r` reads it */
int look_at_tree(struct operating *o);  /* at each file, by its path, as `git status` */
int make_tree(struct operating *o);     /* as tar(1) does */
int remove_tree(struct operating *o);   /* as `rm -rf` */

#endif
