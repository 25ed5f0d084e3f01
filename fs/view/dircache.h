/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded set of open directories (O_PATH), by record, least recently used
 * out first. An entry in use is never evicted. No locking: the view's lock
 * covers it. Descriptors are closed by the cache.
 */
#ifndef NSM_VIEW_DIRCACHE_H
#define NSM_VIEW_DIRCACHE_H

#include <stdint.h>

struct nsm_dircache_slot {
        int fd;        /* -1: the slot is free */
        uint32_t node; /* whose directory; 0 once its record is gone */
        uint32_t refs; /* operations that use it now */
        uint32_t prev; /* towards the most recently used */
        uint32_t next;
};

struct nsm_dircache {
        struct nsm_dircache_slot *slots; /* owned; slot 0 is the list's anchor */
        uint32_t capacity;
        uint32_t used;
};

/* Room for @capacity directories, at least 1. 0 or -ENOMEM. */
int nsm_dircache_init(struct nsm_dircache *cache, uint32_t capacity);
void nsm_dircache_free(struct nsm_dircache *cache);

/*
 * Puts a directory in and takes a reference. @fd goes to the cache on success.
 * @ret_evicted is the node whose entry made room, or 0. Returns the slot (from
 * 1), or -ENFILE when every entry is in use.
 */
int nsm_dircache_put(struct nsm_dircache *cache, uint32_t node, int fd, uint32_t *ret_evicted);

/* Takes one more reference and marks the entry as used; returns its descriptor. */
int nsm_dircache_ref(struct nsm_dircache *cache, uint32_t slot);

/* Gives a reference back. */
void nsm_dircache_unref(struct nsm_dircache *cache, uint32_t slot);

/* The entry's record is gone: closes it as soon as nobody uses it. */
void nsm_dircache_drop(struct nsm_dircache *cache, uint32_t slot);

#endif
