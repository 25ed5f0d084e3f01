/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open files and directories, by number: what a FUSE file handle names; and by
 * record. No locking but by the view's lock; a handle's own fields are the
 * kernel's to serialise (it sends RELEASE last).
 */
#ifndef NSM_VIEW_HANDLES_H
#define NSM_VIEW_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

struct nsm_handle {
        int fd;        /* owned; -1 for a foreign directory, which is empty */
        uint32_t node; /* record; 0: the handle is free */
        uint32_t prev;  /* ring of all handles of its record, by number */
        uint32_t next;
        uint32_t chain; /* 1 + number of the next: free one, or first of a ring in its bucket */
        int backing;    /* the kernel's number of the registered file, one for all; or 0 */
        bool root;       /* the root directory, whose '..' is itself */
        bool pages;      /* the kernel has pages that were read or written through it */
        int64_t dir_pos; /* where a directory's next entry comes from; -1 unknown */
};

struct nsm_handles {
        struct nsm_handle **chunks; /* owned, each of NSM_HANDLES_CHUNK; never move */
        uint32_t *buckets;           /* owned; each 1 + number of the first of a ring, or 0 */
        uint32_t n_buckets;          /* a power of two */
        uint32_t n_chunks;
        uint32_t limit;
        uint32_t used;
        uint32_t free; /* 1 + number of a free handle, or 0 */
        uint32_t top;  /* first number never used */
};

#define NSM_HANDLES_CHUNK 256u

int nsm_handles_init(struct nsm_handles *handles, uint32_t limit);
void nsm_handles_free(struct nsm_handles *handles);

/* A new handle for @fd, which goes to it. 0, -ENFILE or -ENOMEM. */
int nsm_handles_add(struct nsm_handles *handles, int fd, uint32_t node, uint64_t *ret);

/* The handle of a number that is in use, or NULL. Valid until it is removed. */
struct nsm_handle *nsm_handles_get(const struct nsm_handles *handles, uint64_t number);

/* A handle of a record, or NULL. Takes no longer when there are many. */
struct nsm_handle *nsm_handles_of(const struct nsm_handles *handles, uint32_t node);

/* Whether its record has no other handle than this. */
bool nsm_handles_is_last(const struct nsm_handles *handles, uint64_t number);

/* Takes a handle out; its descriptor goes to the caller. -1 when there is none. */
int nsm_handles_remove(struct nsm_handles *handles, uint64_t number);

#endif
