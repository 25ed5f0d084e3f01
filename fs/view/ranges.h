/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which bytes of a file one owner has locked, and how: as fcntl_locking(2)
 * has it, where a new lock replaces what the owner held of those bytes. Pure.
 */
#ifndef NSM_VIEW_RANGES_H
#define NSM_VIEW_RANGES_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nsm_range {
        uint64_t first, last; /* bytes, both included */
        short type;           /* F_RDLCK, F_WRLCK; F_UNLCK where something is to be taken out */
};

struct nsm_ranges {
        struct nsm_range *all; /* owned; by position, none touching its like */
        size_t n, room;
        size_t promised; /* of the room, to those who will set later */
};

/* The bytes of a struct flock whose l_whence is SEEK_SET and whose l_len is not negative. */
struct nsm_range nsm_range_of(const struct flock *lock);

/* Makes room for nsm_ranges_set() of the same. 0, -ENOLCK (more than @limit), -ENOMEM. */
int nsm_ranges_reserve(struct nsm_ranges *ranges, const struct nsm_range *range, size_t limit);

/* The same for one range that is not known yet, until nsm_ranges_redeem(). */
int nsm_ranges_promise(struct nsm_ranges *ranges, size_t limit);
void nsm_ranges_redeem(struct nsm_ranges *ranges);

/* What is held of these bytes is now this. Room was reserved, or promised. */
void nsm_ranges_set(struct nsm_ranges *ranges, const struct nsm_range *range);

/* Whether another owner's wish for @range has to wait for what is held here. */
bool nsm_ranges_conflict(const struct nsm_ranges *ranges, const struct nsm_range *range);

/* Nothing is held any more; promises stay. */
void nsm_ranges_empty(struct nsm_ranges *ranges);

void nsm_ranges_clear(struct nsm_ranges *ranges);

#endif
