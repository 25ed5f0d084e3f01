/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same on an ext4 and on a view of it: a function that is told on which it runs. */
#ifndef NSM_TESTS_SIDES_KIT_H
#define NSM_TESTS_SIDES_KIT_H

#include "tests/integration/view-kit.h"

#define SIDES_DISK_BYTES ((uint64_t)64 << 20)

/* Root of both sides is the host's. */
static inline struct view_kit kit_on_ext4(const char *coherence)
{
        struct view_kit k = { .w = nsm_world_new() };

        k.src = nsm_world_add_ext4(k.w, "src", SIDES_DISK_BYTES);
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "mkdir mnt && nsmountfs src mnt -o idmap=0:0:65536,coherence=%s",
                       coherence);
        return k;
}

struct side {
        struct view_kit *kit;
        bool view;
        int (*fn)(bool view);
};

static inline int do_there(void *arg)
{
        const struct side *s = arg;

        CHECK(chdir(s->view ? s->kit->mnt : s->kit->src) == 0);
        return s->fn(s->view);
}

static inline void do_on_sides(struct view_kit *k, const char *what, int (*fn)(bool view))
{
        for (int view = 0; view < 2; view++) {
                struct side s = { k, view, fn };
                struct nsm_output *o = nsm_world_call(k->w, do_there, &s);
                cr_assert_eq(o->status, 0, "%s, %s: %s%s", what, view ? "view" : "storage",
                             o->out, o->err);
        }
}

static inline void do_with(const char *coherence, int (*fn)(bool view))
{
        cleanup_view_kit struct view_kit k = kit_on_ext4(coherence);

        do_on_sides(&k, coherence, fn);
}

#endif
