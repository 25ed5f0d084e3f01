/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A range inside another one makes three of it. */
#define GROWTH_MAX 2

struct nsm_range nsm_range_of(const struct flock *lock)
{
        struct nsm_range range = { .first = (uint64_t)lock->l_start, .last = INT64_MAX,
                                   .type = lock->l_type };

        if (lock->l_len > 0)
                range.last = range.first + (uint64_t)lock->l_len - 1;
        return range;
}

/* By how many there can be more once @range is set. */
static size_t growth_by(const struct nsm_ranges *ranges, const struct nsm_range *range)
{
        size_t growth = range->type != F_UNLCK;

        for (size_t i = 0; i < ranges->n; i++)
                if (ranges->all[i].first < range->first && ranges->all[i].last > range->last)
                        return growth + 1;
        return growth;
}

static int grow(struct nsm_ranges *ranges, size_t growth, size_t limit)
{
        size_t n = ranges->n + ranges->promised + growth;

        if (growth && n > limit)
                return -ENOLCK;
        if (n <= ranges->room)
                return 0;
        size_t room = ranges->room ? ranges->room * 2 : 4;
        struct nsm_range *grown = reallocarray(ranges->all, room, sizeof *grown);
        if (!grown)
                return -ENOMEM;
        ranges->all = grown;
        ranges->room = room;
        return 0;
}

int nsm_ranges_reserve(struct nsm_ranges *ranges, const struct nsm_range *range, size_t limit)
{
        return grow(ranges, growth_by(ranges, range), limit);
}

int nsm_ranges_promise(struct nsm_ranges *ranges, size_t limit)
{
        int r = grow(ranges, GROWTH_MAX, limit);

        if (r == 0)
                ranges->promised += GROWTH_MAX;
        return r;
}

void nsm_ranges_redeem(struct nsm_ranges *ranges)
{
        ranges->promised -= GROWTH_MAX;
}

static void insert(struct nsm_ranges *ranges, size_t at, struct nsm_range range)
{
        memmove(&ranges->all[at + 1], &ranges->all[at], (ranges->n - at) * sizeof range);
        ranges->all[at] = range;
        ranges->n++;
}

static void take_out(struct nsm_ranges *ranges, size_t at)
{
        ranges->n--;
        memmove(&ranges->all[at], &ranges->all[at + 1], (ranges->n - at) * sizeof *ranges->all);
}

/* Cuts the bytes out of what is held; returns where a range of theirs would stand. */
static size_t cut(struct nsm_ranges *ranges, const struct nsm_range *range)
{
        size_t at = 0;

        while (at < ranges->n && ranges->all[at].last < range->first)
                at++;
        if (at < ranges->n && ranges->all[at].first < range->first) {
                struct nsm_range rest = ranges->all[at];

                ranges->all[at++].last = range->first - 1;
                if (rest.last > range->last) {
                        rest.first = range->last + 1;
                        insert(ranges, at, rest);
                        return at;
                }
        }
        while (at < ranges->n && ranges->all[at].last <= range->last)
                take_out(ranges, at);
        if (at < ranges->n && ranges->all[at].first <= range->last)
                ranges->all[at].first = range->last + 1;
        return at;
}

static bool touches(const struct nsm_range *a, const struct nsm_range *b)
{
        return a->type == b->type && a->last + 1 == b->first;
}

void nsm_ranges_set(struct nsm_ranges *ranges, const struct nsm_range *range)
{
        size_t at = cut(ranges, range);

        if (range->type == F_UNLCK)
                return;
        insert(ranges, at, *range);
        if (at + 1 < ranges->n && touches(&ranges->all[at], &ranges->all[at + 1])) {
                ranges->all[at].last = ranges->all[at + 1].last;
                take_out(ranges, at + 1);
        }
        if (at > 0 && touches(&ranges->all[at - 1], &ranges->all[at])) {
                ranges->all[at - 1].last = ranges->all[at].last;
                take_out(ranges, at);
        }
}

bool nsm_ranges_conflict(const struct nsm_ranges *ranges, const struct nsm_range *range)
{
        for (size_t i = 0; i < ranges->n && ranges->all[i].first <= range->last; i++)
                if (ranges->all[i].last >= range->first &&
                    (ranges->all[i].type == F_WRLCK || range->type == F_WRLCK))
                        return true;
        return false;
}

void nsm_ranges_empty(struct nsm_ranges *ranges)
{
        ranges->n = 0;
}

void nsm_ranges_clear(struct nsm_ranges *ranges)
{
        free(ranges->all);
        *ranges = (struct nsm_ranges){ 0 };
}
