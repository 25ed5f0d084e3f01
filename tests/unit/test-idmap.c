/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs/base/idmap: edges by hand, everything else against a table of all ids. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/idmap.h"

static int add(struct nsm_idmap *map, uint32_t inside, uint32_t outside, uint32_t count)
{
        return nsm_idmap_add(map, (struct nsm_extent){ inside, outside, count }, NULL);
}

static void expect_shift(const struct nsm_idmap *map, enum nsm_id_direction d, uint32_t id,
                         int result, uint32_t value)
{
        uint32_t got = 4242;

        cr_expect_eq(nsm_idmap_shift(map, d, id, &got), result, "id %" PRIu32, id);
        cr_expect_eq(got, result == 0 ? value : 4242, "id %" PRIu32 " became %" PRIu32, id, got);
}

Test(idmap, empty_maps_nothing)
{
        struct nsm_idmap map = { 0 };

        expect_shift(&map, NSM_ID_OUTWARD, 0, -EOVERFLOW, 0);
        expect_shift(&map, NSM_ID_INWARD, NSM_ID_INVALID, -EOVERFLOW, 0);
        nsm_idmap_clear(&map);
}

Test(idmap, edges_of_one_extent)
{
        cleanup_idmap struct nsm_idmap map = { 0 };

        cr_assert_eq(add(&map, 10, 100000, 5), 0);
        expect_shift(&map, NSM_ID_OUTWARD, 9, -EOVERFLOW, 0);
        expect_shift(&map, NSM_ID_OUTWARD, 10, 0, 100000);
        expect_shift(&map, NSM_ID_OUTWARD, 14, 0, 100004);
        expect_shift(&map, NSM_ID_OUTWARD, 15, -EOVERFLOW, 0);
        expect_shift(&map, NSM_ID_INWARD, 99999, -EOVERFLOW, 0);
        expect_shift(&map, NSM_ID_INWARD, 100000, 0, 10);
        expect_shift(&map, NSM_ID_INWARD, 100004, 0, 14);
        expect_shift(&map, NSM_ID_INWARD, 100005, -EOVERFLOW, 0);
}

Test(idmap, last_id_is_never_mapped)
{
        cleanup_idmap struct nsm_idmap map = { 0 };

        cr_expect_eq(add(&map, 0, NSM_ID_INVALID, 1), -ERANGE);
        cr_expect_eq(add(&map, NSM_ID_INVALID, 0, 1), -ERANGE);
        cr_expect_eq(add(&map, 0, 1, NSM_ID_INVALID), -ERANGE);
        cr_expect_eq(add(&map, 4294967290u, 0, 6), -ERANGE);
        cr_expect_eq(map.n, 0);
        cr_expect_eq(add(&map, 0, 0, NSM_ID_INVALID), 0, "all ids but the invalid one");
        expect_shift(&map, NSM_ID_OUTWARD, NSM_ID_INVALID - 1, 0, NSM_ID_INVALID - 1);
        expect_shift(&map, NSM_ID_OUTWARD, NSM_ID_INVALID, -EOVERFLOW, 0);
        expect_shift(&map, NSM_ID_INWARD, NSM_ID_INVALID, -EOVERFLOW, 0);
}

Test(idmap, refuses_overlaps_on_either_side)
{
        cleanup_idmap struct nsm_idmap map = { 0 };
        struct nsm_error err = { 0 };

        cr_assert_eq(add(&map, 100, 1000, 100), 0);
        cr_expect_eq(add(&map, 199, 5000, 1), -EEXIST);
        cr_expect_eq(add(&map, 50, 5000, 51), -EEXIST);
        cr_expect_eq(add(&map, 0, 5000, 4000), -EEXIST, "swallows the other");
        cr_expect_eq(add(&map, 150, 5000, 1), -EEXIST, "swallowed by the other");
        cr_expect_eq(add(&map, 5000, 1099, 1), -EEXIST);
        cr_expect_eq(add(&map, 5000, 900, 101), -EEXIST);
        cr_expect_eq(map.n, 1);
        cr_expect_eq(add(&map, 200, 1100, 1), 0, "touching is allowed");
        cr_expect_eq(add(&map, 99, 999, 1), 0, "touching is allowed");
        cr_expect_eq(nsm_idmap_add(&map, (struct nsm_extent){ 1, 1, 0 }, &err), -EINVAL);
        cr_expect(strstr(err.text, "count 0"));
        cr_expect_eq(map.n, 3);
}

Test(idmap, as_many_extents_as_the_kernel_takes)
{
        cleanup_idmap struct nsm_idmap map = { 0 };

        for (uint32_t i = 0; i < NSM_IDMAP_EXTENTS_MAX; i++)
                cr_assert_eq(add(&map, 10 * i, 1000000 - 10 * i, 5), 0);
        cr_expect_eq(add(&map, 900000, 2000000, 1), -E2BIG);
        for (uint32_t i = 0; i < NSM_IDMAP_EXTENTS_MAX; i++) {
                expect_shift(&map, NSM_ID_OUTWARD, 10 * i + 4, 0, 1000000 - 10 * i + 4);
                expect_shift(&map, NSM_ID_OUTWARD, 10 * i + 5, -EOVERFLOW, 0);
        }
}

Test(idmap, contains_asks_for_the_same_pairing)
{
        cleanup_idmap struct nsm_idmap whole = { 0 }, part = { 0 };
        struct nsm_extent bad = { 0 };

        cr_assert_eq(add(&whole, 0, 100000, 1000), 0);
        cr_assert_eq(add(&whole, 1000, 101000, 64536), 0);
        cr_expect(nsm_idmap_contains(&whole, &part, NULL), "fewer ids are allowed, none too");

        cr_assert_eq(add(&part, 500, 100500, 1000), 0);
        cr_expect(nsm_idmap_contains(&whole, &part, NULL), "across two extents that touch");

        cr_assert_eq(add(&part, 0, 100001, 1), 0);
        cr_expect_not(nsm_idmap_contains(&whole, &part, &bad), "an id of ours with another number");
        cr_expect_eq(bad.inside, 0);
        cr_expect_eq(bad.outside, 100001);

        nsm_idmap_clear(&part);
        cr_assert_eq(add(&part, 65000, 165000, 537), 0);
        cr_expect_not(nsm_idmap_contains(&whole, &part, NULL), "one id past the end");

        nsm_idmap_clear(&part);
        cr_assert_eq(add(&part, 0, 0, 1), 0);
        cr_expect_not(nsm_idmap_contains(&whole, &part, NULL), "the host's root");
}

Test(idmap, reads_what_proc_shows)
{
        cleanup_idmap struct nsm_idmap map = { 0 }, all = { 0 };

        cr_assert_eq(nsm_idmap_parse_proc("         0     100000      65536\n"
                                          "     70000     200000          1\n",
                                          &map, NULL),
                     0);
        cr_expect_eq(map.n, 2);
        expect_shift(&map, NSM_ID_OUTWARD, 70000, 0, 200000);
        cr_assert_eq(nsm_idmap_parse_proc("         0          0 4294967295\n", &all, NULL), 0);
        expect_shift(&all, NSM_ID_INWARD, 4294967294u, 0, 4294967294u);

        struct nsm_idmap none = { 0 };
        static const char *const bad[] = { "0 1\n", "x\n", "0 1 2 3\n", "0 1 -2\n", "\n", "0 1 0\n",
                                           "0 0 10\n5 100 1\n" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                cr_expect_lt(nsm_idmap_parse_proc(bad[i], &none, NULL), 0, "'%s'", bad[i]);
                cr_expect_eq(none.n, 0);
        }
}

/* The model: one array per direction over a small space of ids. */
enum { IDS = 256, ROUNDS = 400 };

struct model {
        int out[IDS], in[IDS];
};

static bool model_add(struct model *m, struct nsm_extent e)
{
        for (uint32_t i = 0; i < e.count; i++) {
                if (m->out[e.inside + i] >= 0 || m->in[e.outside + i] >= 0)
                        return false;
        }
        for (uint32_t i = 0; i < e.count; i++) {
                m->out[e.inside + i] = (int)(e.outside + i);
                m->in[e.outside + i] = (int)(e.inside + i);
        }
        return true;
}

static struct nsm_extent random_extent(unsigned *seed)
{
        uint32_t count = 1 + (uint32_t)rand_r(seed) % 24;

        return (struct nsm_extent){ (uint32_t)rand_r(seed) % (IDS - count),
                                    (uint32_t)rand_r(seed) % (IDS - count), count };
}

static void fill(struct nsm_idmap *map, struct model *m, unsigned *seed)
{
        memset(m, 0xff, sizeof *m);
        for (int i = 0; i < 12; i++) {
                struct nsm_extent e = random_extent(seed);
                bool taken = model_add(m, e);

                cr_assert_eq(nsm_idmap_add(map, e, NULL) == 0, taken,
                             "%" PRIu32 " %" PRIu32 " %" PRIu32,
                             e.inside, e.outside, e.count);
        }
}

static void expect_like_model(const struct nsm_idmap *map, enum nsm_id_direction d,
                              const int *model)
{
        for (uint32_t id = 0; id < IDS; id++) {
                uint32_t got = 0;
                int r = nsm_idmap_shift(map, d, id, &got);

                cr_assert_eq(r, model[id] < 0 ? -EOVERFLOW : 0, "id %" PRIu32, id);
                cr_assert(r < 0 || got == (uint32_t)model[id], "id %" PRIu32, id);
        }
}

Test(idmap, agrees_with_a_table_of_all_ids)
{
        for (unsigned round = 0; round < ROUNDS; round++) {
                cleanup_idmap struct nsm_idmap a = { 0 }, b = { 0 }, both = { 0 }, copy = { 0 };
                struct model ma, mb;
                unsigned seed = round;

                fill(&a, &ma, &seed);
                fill(&b, &mb, &seed);
                expect_like_model(&a, NSM_ID_OUTWARD, ma.out);
                expect_like_model(&a, NSM_ID_INWARD, ma.in);

                cr_assert_eq(nsm_idmap_copy(&a, &copy), 0);
                expect_like_model(&copy, NSM_ID_INWARD, ma.in);
                cr_assert(nsm_idmap_contains(&a, &copy, NULL));

                cr_assert_eq(nsm_idmap_compose(&a, &b, &both, NULL), 0);
                bool within = true, overlap = false;
                for (uint32_t id = 0; id < IDS; id++) {
                        int inside = ma.in[id];
                        int want = inside < 0 ? -1 : mb.out[inside];
                        uint32_t got;
                        int r = nsm_idmap_shift(&both, NSM_ID_OUTWARD, id, &got);

                        cr_assert_eq(r == 0 ? (int)got : -1, want,
                                     "round %u id %" PRIu32, round, id);
                        if (mb.out[id] >= 0 && mb.out[id] != ma.out[id])
                                within = false;
                        if (ma.in[id] >= 0 && mb.in[id] >= 0)
                                overlap = true;
                }
                cr_assert_eq(nsm_idmap_contains(&a, &b, NULL), within);
                cr_assert_eq(nsm_idmap_find_overlap(&a, &b) != NULL, overlap);
        }
}
