/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/costs/operations.h"

#include <inttypes.h>
#include <time.h>

#define DISK_BYTES ((uint64_t)64 << 20)

struct doing {
        struct view_kit *kit;
        const char *name;
        const struct operation *operation;
};

static struct nsm_output *call(int (*fn)(void *), struct doing *d)
{
        struct nsm_output *o = nsm_world_call(d->kit->w, fn, d);

        cr_assert_eq(o->status, 0, "%s: %s%s", d->name, o->out, o->err);
        return o;
}

struct view_kit operation_place_new(void)
{
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.src = nsm_world_add_ext4(k.w, "src", DISK_BYTES);
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        return k;
}

static int store_there(void *arg)
{
        const struct doing *d = arg;

        CHECK(chdir(d->kit->src) == 0 && mkdir(d->name, 0755) == 0 && chdir(d->name) == 0);
        return d->operation->store ? d->operation->store() : 0;
}

void operation_store(struct view_kit *k, const char *name, const struct operation *operation)
{
        call(store_there, &(struct doing){ k, name, operation });
}

const char *operation_place_show(struct view_kit *k, const char *coherence)
{
        const char *name = nsm_world_printf(k->w, "view-%u", k->base);

        nsm_world_must(k->w, "chmod 711 . && mkdir -m 755 mnt && "
                       "ln -s \"$(command -v nsmountfs)\" %s && "
                       "./%s src mnt -o idmap=0:%u:1000,coherence=%s",
                       name, name, k->base, coherence);
        return name;
}

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int operate_there(void *arg)
{
        const struct doing *d = arg;
        const struct operation *operation = d->operation;
        struct operating o = { .fd = -1 };
        struct operation_time time;
        struct stat st;

        CHECK(chdir(d->kit->mnt) == 0 && chdir(d->name) == 0);
        if (operation->by != BY_HOST_ROOT) {
                uint32_t id = host_id(d->kit, operation->by == BY_ANOTHER);
                CHECK(setgroups(0, NULL) == 0);
                CHECK(setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
        }
        CHECK(!operation->prepare || operation->prepare(&o) == 0);
        /* That what was prepared has changed the directory is not counted. */
        CHECK(stat(".", &st) == 0);
        time.begin = now_ns();
        CHECK(operation->act(&o) == 0);
        time.end = now_ns();
        printf("%" PRIu64 " %" PRIu64 "\n", time.begin, time.end);
        fflush(stdout);
        return 0;
}

struct operation_time operation_do(struct view_kit *k, const char *name,
                                   const struct operation *operation)
{
        struct nsm_output *o = call(operate_there, &(struct doing){ k, name, operation });
        struct operation_time time;

        if (sscanf(o->out, "%" SCNu64 " %" SCNu64, &time.begin, &time.end) != 2)
                nsm_harness_die("%s does not say when it was done: %s", name, o->out);
        return time;
}
