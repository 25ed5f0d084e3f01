/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many tenants at once, within the descriptors of one process. */
#include "tests/integration/supervisor-kit.h"

#define TENANTS 200

/* Those that the harness makes; the ids of the others are in the upper half of the world's. */
#define TENANTS_OF_HARNESS 100

/* /dev/fuse, the mount and the pidfd of each view; and what nsmountd needs once. */
#define DESCRIPTORS_PER_VIEW 3
#define DESCRIPTORS_ONCE 40

static int count_descriptors(struct nsm_world *w)
{
        return atoi(nsm_world_must(w, "ls /proc/%d/fd | wc -l", w->supervisor));
}

static bool has_no_grafts(void *world)
{
        return kit_count(world, "grafts") == 0;
}

/* Tenant @i, in the configuration of @w, and a container of its own. */
static struct nsm_fake_container *add_tenant(struct nsm_world *w, int i)
{
        static struct nsm_fake_tenant *t[TENANTS_OF_HARNESS];
        uint32_t first = w->first_id + NSM_WORLD_IDS / 2 + (uint32_t)i % 100 * NSM_TENANT_IDS;
        const char *map = nsm_world_printf(w, "0 %u %u", first, NSM_TENANT_IDS);
        const struct nsm_container_spec spec = { .uid_map = map, .gid_map = map };

        if (i < TENANTS_OF_HARNESS) {
                t[i] = nsm_world_add_empty_tenant(w, nsm_world_printf(w, "t%d", i));
                return nsm_tenant_add_container(t[i], NULL);
        }
        nsm_world_must(w, "mkdir -p storage/t%d; printf '[tenant]\nids = %u:%u\n[volume root]\n"
                       "source = %s/t%d\n' > etc/tenants.d/t%d.conf", i, first, NSM_TENANT_IDS,
                       w->storage_dir, i, i);
        return nsm_tenant_add_container(t[i % TENANTS_OF_HARNESS], &spec);
}

Test(many, tenants_at_once, .timeout = 280)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        static struct nsm_fake_container *c[TENANTS];
        static struct nsm_process *p[TENANTS];
        int before;

        kit_configure(w, "[daemon]\nidle-close = 1\n");
        for (int i = 0; i < TENANTS; i++)
                c[i] = add_tenant(w, i);
        nsm_world_start_supervisor(w);
        before = count_descriptors(w);
        for (int i = 0; i < TENANTS; i++)
                p[i] = nsm_world_spawn(w, "exec nsmount attach t%d --no-api --pid %d", i,
                                       c[i]->pid);
        for (int i = 0; i < TENANTS; i++) {
                struct nsm_output *o = nsm_process_wait(p[i], 60000);

                cr_assert_eq(o->status, 0, "tenant %d: %s", i, o->err);
        }
        cr_assert_eq(kit_count(w, "views"), TENANTS);
        cr_assert_eq(kit_count(w, "grafts"), TENANTS);
        cr_assert_leq(count_descriptors(w), before + DESCRIPTORS_PER_VIEW * TENANTS +
                      DESCRIPTORS_ONCE);

        nsm_world_end_supervisor(w, SIGKILL);
        nsm_world_start_supervisor(w);
        cr_assert_eq(kit_count(w, "grafts"), TENANTS, "all are adopted");
        cr_assert_leq(count_descriptors(w), before + DESCRIPTORS_PER_VIEW * TENANTS +
                      DESCRIPTORS_ONCE);
        for (int i = 0; i < TENANTS; i++)
                nsm_container_kill(c[i]);
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_no_grafts, w));
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_no_views, w));
        cr_assert_leq(count_descriptors(w), before + DESCRIPTORS_ONCE);
}
