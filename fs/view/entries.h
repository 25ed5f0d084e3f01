/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of a view: finding, making, linking, renaming and removing them. What
 * is made belongs to the caller's storage ids from its first instant. Every
 * function that fills a struct nsm_entry has counted one lookup of the node,
 * which nsm_entry_forget() takes back when the kernel was not told.
 *
 * All return 0 or a negative errno; -EROFS when the view is read-only.
 */
#ifndef NSM_VIEW_ENTRIES_H
#define NSM_VIEW_ENTRIES_H

#include <stdint.h>
#include <sys/stat.h>

#include "fs/view/thread.h"
#include "fs/view/view.h"

struct nsm_entry {
        uint32_t node;
        uint32_t generation;
        struct stat attr; /* as shown to the kernel */
};

/* Who asks, as the kernel says it: host ids. */
struct nsm_caller {
        uid_t uid;
        gid_t gid;
        gid_t group;  /* a supplementary group of the caller; NSM_ID_INVALID: none is known */
        mode_t umask; /* applied by the storage, which knows default ACLs */
};

/* -EINVAL or -ENAMETOOLONG for what cannot be one component of a path. */
int nsm_entry_check_name(const char *name);

/* The thread takes the caller's storage ids, group and umask. 0, -EOVERFLOW or -errno. */
int nsm_caller_become(struct nsm_view *view, struct nsm_thread *thread,
                      const struct nsm_caller *caller);

int nsm_entry_lookup(struct nsm_view *view, uint64_t parent, const char *name,
                     struct nsm_entry *ret);

/*
 * The same for an entry of a listing, in a directory that is open already and
 * whose node is @parent. -ENFILE when room is short: nobody has asked for it.
 */
int nsm_entry_list(struct nsm_view *view, int dir_fd, uint64_t parent, const char *name,
                   struct nsm_entry *ret);

/* Takes @n lookups of a node back. */
void nsm_entry_forget(struct nsm_view *view, uint64_t node, uint64_t n);

/* What to make beside a regular file with content. */
struct nsm_make {
        mode_t mode;        /* with its type */
        dev_t rdev;
        const char *target; /* of a symbolic link */
};

int nsm_entry_make(struct nsm_view *view, uint64_t parent, const char *name,
                   const struct nsm_make *make, const struct nsm_caller *caller,
                   struct nsm_entry *ret);

/*
 * Makes a regular file and opens it, or opens the one that is there unless
 * @flags has O_EXCL. @flags of open(2) are the caller's; see nsm_data_flags().
 */
int nsm_entry_create(struct nsm_view *view, uint64_t parent, const char *name, mode_t mode,
                     int flags, const struct nsm_caller *caller, struct nsm_entry *ret,
                     int *ret_fd);

/* A file without a name in the directory's filesystem (O_TMPFILE). */
int nsm_entry_tmpfile(struct nsm_view *view, uint64_t parent, mode_t mode, int flags,
                      const struct nsm_caller *caller, struct nsm_entry *ret, int *ret_fd);

int nsm_entry_link(struct nsm_view *view, uint64_t node, uint64_t parent, const char *name,
                   struct nsm_entry *ret);

/* @flags: AT_REMOVEDIR or 0. */
int nsm_entry_remove(struct nsm_view *view, uint64_t parent, const char *name, int flags);

/*
 * @flags: RENAME_* of renameat2(2). @ret_moved: which nodes have another name
 * now, of those that are known; 0: none.
 */
int nsm_entry_rename(struct nsm_view *view, uint64_t old_parent, const char *old_name,
                     uint64_t new_parent, const char *new_name, unsigned flags,
                     uint32_t ret_moved[2]);

/* The flags with which the worker opens a file that a caller opens with @flags. */
int nsm_data_flags(int flags);

#endif
