/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locked ranges, against an array that knows each byte. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "fs/view/ranges.h"

#define BYTES 24

static struct nsm_range make(uint64_t first, uint64_t last, short type)
{
        return (struct nsm_range){ first, last, type };
}

static void set(struct nsm_ranges *r, short *model, uint64_t first, uint64_t last, short type)
{
        struct nsm_range range = make(first, last, type);

        cr_assert_eq(nsm_ranges_reserve(r, &range, 1000), 0);
        nsm_ranges_set(r, &range);
        for (uint64_t i = first; i <= last; i++)
                model[i] = type;
}

static short type_at(const struct nsm_ranges *r, uint64_t byte)
{
        for (size_t i = 0; i < r->n; i++)
                if (r->all[i].first <= byte && byte <= r->all[i].last)
                        return r->all[i].type;
        return F_UNLCK;
}

static void compare(const struct nsm_ranges *r, const short *model, int step)
{
        for (uint64_t i = 0; i < BYTES; i++)
                cr_assert_eq(type_at(r, i), model[i], "step %d, byte %d", step, (int)i);
        for (size_t i = 0; i < r->n; i++) {
                cr_assert_leq(r->all[i].first, r->all[i].last);
                if (i == 0)
                        continue;
                cr_assert_lt(r->all[i - 1].last, r->all[i].first, "step %d: out of order", step);
                cr_assert(r->all[i - 1].last + 1 < r->all[i].first ||
                                  r->all[i - 1].type != r->all[i].type,
                          "step %d: two ranges that are one", step);
        }
}

Test(ranges, agree_with_a_model)
{
        static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
        struct nsm_ranges r = { 0 };
        short model[BYTES];

        for (int i = 0; i < BYTES; i++)
                model[i] = F_UNLCK;
        srandom(7);
        for (int step = 0; step < 20000; step++) {
                uint64_t first = (uint64_t)random() % BYTES;
                uint64_t last = first + (uint64_t)random() % (BYTES - first);

                set(&r, model, first, last, types[random() % 3]);
                compare(&r, model, step);
        }
        nsm_ranges_clear(&r);
}

Test(ranges, end_where_the_file_may_end)
{
        struct flock all = { .l_type = F_WRLCK }, part = { .l_type = F_RDLCK, .l_start = 5,
                                                           .l_len = 3 };

        cr_assert_eq(nsm_range_of(&all).last, INT64_MAX);
        cr_assert_eq(nsm_range_of(&part).first, 5);
        cr_assert_eq(nsm_range_of(&part).last, 7);
}

Test(ranges, conflict_as_locks_do)
{
        struct nsm_ranges r = { 0 };
        short model[BYTES];
        struct nsm_range read = make(0, 5, F_RDLCK), write = make(5, 5, F_WRLCK),
                         beside = make(6, 9, F_WRLCK);

        set(&r, model, 2, 5, F_RDLCK);
        cr_assert_not(nsm_ranges_conflict(&r, &read));
        cr_assert(nsm_ranges_conflict(&r, &write));
        cr_assert_not(nsm_ranges_conflict(&r, &beside));
        set(&r, model, 2, 5, F_WRLCK);
        cr_assert(nsm_ranges_conflict(&r, &read));
        nsm_ranges_clear(&r);
}

Test(ranges, are_bounded_and_can_always_be_given_back)
{
        struct nsm_ranges r = { 0 };
        struct nsm_range one = make(0, 2, F_WRLCK), inside = make(1, 1, F_UNLCK),
                         first = make(0, 2, F_UNLCK);
        int n = 0;

        while (n < 100 && nsm_ranges_reserve(&r, &one, 10) == 0) {
                nsm_ranges_set(&r, &one);
                one.first += 4;
                one.last += 4;
                n++;
        }
        cr_assert_eq(n, 10);
        cr_assert_eq(nsm_ranges_reserve(&r, &one, 10), -ENOLCK);
        cr_assert_eq(nsm_ranges_reserve(&r, &inside, 10), -ENOLCK, "it would make two of one");
        cr_assert_eq(nsm_ranges_reserve(&r, &first, 10), 0);
        nsm_ranges_set(&r, &first);
        cr_assert_eq(nsm_ranges_reserve(&r, &one, 10), 0);
        nsm_ranges_clear(&r);
}

Test(view_ranges, keep_what_they_promise)
{
        struct nsm_ranges r = { 0 };
        struct nsm_range all = make(0, 1000, F_RDLCK), inside = make(100, 100, F_WRLCK);
        struct nsm_range gone = make(0, 0, F_UNLCK);

        cr_assert_eq(nsm_ranges_promise(&r, 4), 0);
        cr_assert_eq(nsm_ranges_promise(&r, 4), 0);
        cr_assert_eq(nsm_ranges_promise(&r, 4), -ENOLCK);
        cr_assert_eq(nsm_ranges_reserve(&r, &all, 4), -ENOLCK, "it is another's room");
        cr_assert_eq(nsm_ranges_reserve(&r, &gone, 4), 0, "giving back takes none");
        nsm_ranges_set(&r, &all);
        nsm_ranges_redeem(&r);
        nsm_ranges_set(&r, &inside);
        nsm_ranges_redeem(&r);
        cr_assert_eq(r.n, 3);
        nsm_ranges_empty(&r);
        cr_assert_eq(r.n, 0);
        cr_assert_eq(nsm_ranges_promise(&r, 2), 0);
        cr_assert_eq(nsm_ranges_promise(&r, 2), -ENOLCK);
        nsm_ranges_clear(&r);
}
