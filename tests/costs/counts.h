/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often what happened, as a text; and the tables of fs/README.md. */
#ifndef NSM_TESTS_COUNTS_H
#define NSM_TESTS_COUNTS_H

#include "tests/costs/tracing.h"

#define COUNTS_MAX 32

/* In the order in which they first happened. */
struct counts {
        unsigned n;
        struct {
                const char *name;
                unsigned times;
        } of[COUNTS_MAX];
};

void counts_add(struct counts *counts, const char *name);

/* "OPEN, READ 4, RELEASE", or "none". */
const char *counts_text(struct nsm_world *w, const struct counts *counts);

/* Whether the documentation has a line with these cells. @shared: NULL for the same. */
bool counts_are_documented(struct nsm_world *w, const char *name, const char *exclusive,
                           const char *shared);

/* The directory of a row's try. */
const char *counts_try_name(struct nsm_world *w, size_t row, int try);

/* Skips or fails a test where requests cannot be traced. */
#define TRACING_REQUIRE(w)                                            \
        do {                                                          \
                const char *lacks_ = tracing_missing(w);              \
                if (lacks_ && nsm_harness_must_run())                 \
                        cr_assert_fail("%s", lacks_);                 \
                if (lacks_)                                           \
                        cr_skip_test("%s", lacks_);                   \
        } while (0)

#endif
