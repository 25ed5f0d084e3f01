/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/idmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"

static uint32_t start_of(const struct nsm_extent *e, enum nsm_id_direction from)
{
        return from == NSM_ID_OUTWARD ? e->inside : e->outside;
}

static const struct nsm_extent *sorted_for(const struct nsm_idmap *map, enum nsm_id_direction from)
{
        return from == NSM_ID_OUTWARD ? map->by_inside : map->by_outside;
}

/* How many extents of the sorted list start at or before @id. */
static size_t count_up_to(const struct nsm_idmap *map, enum nsm_id_direction from, uint32_t id)
{
        const struct nsm_extent *list = sorted_for(map, from);
        size_t low = 0, high = map->n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                if (start_of(&list[mid], from) <= id)
                        low = mid + 1;
                else
                        high = mid;
        }
        return low;
}

/* The extent that holds @id on the side we come from, or NULL. */
static const struct nsm_extent *find(const struct nsm_idmap *map, enum nsm_id_direction from,
                                     uint32_t id)
{
        size_t n = count_up_to(map, from, id);
        const struct nsm_extent *e;

        if (n == 0)
                return NULL;
        e = &sorted_for(map, from)[n - 1];
        return id - start_of(e, from) < e->count ? e : NULL;
}

/* An extent that overlaps [start, start+count) on that side, or NULL. */
static const struct nsm_extent *find_overlap(const struct nsm_idmap *map,
                                             enum nsm_id_direction side, uint32_t start,
                                             uint32_t count)
{
        size_t n = count_up_to(map, side, start + (count - 1));
        const struct nsm_extent *e;

        if (n == 0)
                return NULL;
        e = &sorted_for(map, side)[n - 1];
        return start_of(e, side) + (e->count - 1) >= start ? e : NULL;
}

static void insert(struct nsm_extent *list, size_t n, size_t at, struct nsm_extent extent)
{
        memmove(&list[at + 1], &list[at], (n - at) * sizeof *list);
        list[at] = extent;
}

static int grow(struct nsm_extent **list, size_t n)
{
        struct nsm_extent *bigger = reallocarray(*list, n, sizeof **list);

        if (!bigger)
                return -ENOMEM;
        *list = bigger;
        return 0;
}

static int check_side(const struct nsm_idmap *map, enum nsm_id_direction side, const char *name,
                      uint32_t start, uint32_t count, struct nsm_error *err)
{
        const struct nsm_extent *other;

        if (count > NSM_ID_INVALID - start)
                return nsm_error_set(err, -ERANGE,
                                     "ids %" PRIu32 " with count %" PRIu32
                                     " reach past 4294967294, the last id: use a smaller count",
                                     start, count);
        other = find_overlap(map, side, start, count);
        if (other)
                return nsm_error_set(err, -EEXIST,
                                     "%s ids %" PRIu32 "..%" PRIu32 " overlap %" PRIu32 "..%" PRIu32
                                     " of another extent: give each id once",
                                     name, start, start + (count - 1), start_of(other, side),
                                     start_of(other, side) + (other->count - 1));
        return 0;
}

int nsm_idmap_add(struct nsm_idmap *map, struct nsm_extent extent, struct nsm_error *err)
{
        int r;

        if (extent.count == 0)
                return nsm_error_set(err, -EINVAL,
                                     "an extent with count 0 maps nothing: give at least 1");
        r = check_side(map, NSM_ID_OUTWARD, "inside", extent.inside, extent.count, err);
        if (r == 0)
                r = check_side(map, NSM_ID_INWARD, "outside", extent.outside, extent.count, err);
        if (r < 0)
                return r;
        if (map->n >= NSM_IDMAP_EXTENTS_MAX)
                return nsm_error_set(err, -E2BIG,
                                     "more than %d extents, the kernel's limit: join some",
                                     NSM_IDMAP_EXTENTS_MAX);
        if (grow(&map->by_inside, map->n + 1) < 0 || grow(&map->by_outside, map->n + 1) < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory for an id map");
        insert(map->by_inside, map->n, count_up_to(map, NSM_ID_OUTWARD, extent.inside), extent);
        insert(map->by_outside, map->n, count_up_to(map, NSM_ID_INWARD, extent.outside), extent);
        map->n++;
        return 0;
}

void nsm_idmap_clear(struct nsm_idmap *map)
{
        int saved = errno;

        free(map->by_inside);
        free(map->by_outside);
        *map = (struct nsm_idmap){ 0 };
        errno = saved;
}

int nsm_idmap_copy(const struct nsm_idmap *map, struct nsm_idmap *ret)
{
        cleanup_idmap struct nsm_idmap copy = { 0 };

        if (map->n > 0) {
                if (grow(&copy.by_inside, map->n) < 0 || grow(&copy.by_outside, map->n) < 0)
                        return -ENOMEM;
                memcpy(copy.by_inside, map->by_inside, map->n * sizeof *map->by_inside);
                memcpy(copy.by_outside, map->by_outside, map->n * sizeof *map->by_outside);
                copy.n = map->n;
        }
        *ret = copy;
        copy = (struct nsm_idmap){ 0 };
        return 0;
}

int nsm_idmap_shift(const struct nsm_idmap *map, enum nsm_id_direction direction, uint32_t id,
                    uint32_t *ret)
{
        const struct nsm_extent *e = find(map, direction, id);

        if (!e)
                return -EOVERFLOW;
        *ret = direction == NSM_ID_OUTWARD ? e->outside + (id - e->inside)
                                           : e->inside + (id - e->outside);
        return 0;
}

bool nsm_idmap_contains(const struct nsm_idmap *whole, const struct nsm_idmap *part,
                        struct nsm_extent *ret_bad)
{
        for (size_t i = 0; i < part->n; i++) {
                struct nsm_extent left = part->by_inside[i];

                /* One extent of the part may lie across several of the whole that touch. */
                while (left.count > 0) {
                        const struct nsm_extent *e = find(whole, NSM_ID_OUTWARD, left.inside);
                        uint32_t offset, room;

                        if (!e || e->outside + (left.inside - e->inside) != left.outside) {
                                if (ret_bad)
                                        *ret_bad = part->by_inside[i];
                                return false;
                        }
                        offset = left.inside - e->inside;
                        room = e->count - offset;
                        if (room > left.count)
                                room = left.count;
                        left.inside += room;
                        left.outside += room;
                        left.count -= room;
                }
        }
        return true;
}

int nsm_idmap_compose(const struct nsm_idmap *inner, const struct nsm_idmap *outer,
                      struct nsm_idmap *ret, struct nsm_error *err)
{
        cleanup_idmap struct nsm_idmap map = { 0 };
        size_t i = 0, j = 0;

        while (i < inner->n && j < outer->n) {
                const struct nsm_extent *a = &inner->by_inside[i], *b = &outer->by_inside[j];
                uint32_t first = a->inside > b->inside ? a->inside : b->inside;
                uint32_t a_last = a->inside + (a->count - 1), b_last = b->inside + (b->count - 1);
                uint32_t last = a_last < b_last ? a_last : b_last;

                if (first <= last) {
                        struct nsm_extent both = {
                                .inside = a->outside + (first - a->inside),
                                .outside = b->outside + (first - b->inside),
                                .count = last - first + 1,
                        };
                        int r = nsm_idmap_add(&map, both, err);
                        if (r < 0)
                                return r;
                }
                if (a_last < b_last)
                        i++;
                else
                        j++;
        }
        *ret = map;
        map = (struct nsm_idmap){ 0 };
        return 0;
}

const struct nsm_extent *nsm_idmap_find_overlap(const struct nsm_idmap *a,
                                                const struct nsm_idmap *b)
{
        for (size_t i = 0; i < a->n; i++) {
                const struct nsm_extent *e = &a->by_outside[i];
                if (find_overlap(b, NSM_ID_INWARD, e->outside, e->count))
                        return e;
        }
        return NULL;
}

int nsm_idmap_parse_proc(const char *text, struct nsm_idmap *ret, struct nsm_error *err)
{
        cleanup_idmap struct nsm_idmap map = { 0 };

        while (*text) {
                size_t length = strcspn(text, "\n");
                char line[64];
                uint32_t v[3];
                int r;

                if (length >= sizeof line)
                        return nsm_error_set(err, -EINVAL, "an id map's line is too long");
                memcpy(line, text, length);
                line[length] = '\0';
                if (nsm_parse_u32_list(line, ' ', v, 3) < 0)
                        return nsm_error_set(err, -EINVAL, "'%s' is no line of an id map", line);
                r = nsm_idmap_add(&map, (struct nsm_extent){ v[0], v[1], v[2] }, err);
                if (r < 0)
                        return r;
                text += length + (text[length] == '\n');
        }
        *ret = map;
        map = (struct nsm_idmap){ 0 };
        return 0;
}
