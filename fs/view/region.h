/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that grows in place: a memfd mapped over its whole possible length
 * from the start, lengthened as it fills. What lies in it is addressed by
 * offsets and indexes, never by pointers, so that another process can map the
 * same memfd and go on. No locking: its user's lock covers it.
 */
#ifndef NSM_VIEW_REGION_H
#define NSM_VIEW_REGION_H

#include <stddef.h>

struct nsm_region {
        int fd;         /* memfd, owned */
        char *base;     /* start of the mapping; never moves */
        size_t reserve; /* address space taken: the named limit of its user */
        size_t size;    /* bytes that the memfd has now */
};

#define NSM_REGION_INIT { .fd = -1 }

/* Takes @reserve bytes of address space and no memory. 0 or -errno. */
int nsm_region_init(struct nsm_region *region, const char *name, size_t reserve);

/* Makes the first @need bytes usable, zeroed when new. -ENFILE past the reserve, or -errno. */
int nsm_region_grow(struct nsm_region *region, size_t need);

/* Gives the memory beyond the first @keep bytes back; it reads as zero from then on. */
void nsm_region_discard(struct nsm_region *region, size_t keep);

/* The same for the whole pages of @size bytes from @from on; its length stays. */
void nsm_region_punch(struct nsm_region *region, size_t from, size_t size);

void nsm_region_free(struct nsm_region *region);

#endif
