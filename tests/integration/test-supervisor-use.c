/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmountd: what it serves to whom, and until when. */
#include "tests/integration/supervisor-kit.h"

Test(use, one_directory_is_not_served_to_two_tenants)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_tenant *beta = nsm_world_add_empty_tenant(w, "beta");
        struct nsm_fake_container *a, *b;

        nsm_world_must(w, "sed -i 's|^source = .*|source = %s|' etc/tenants.d/beta.conf", acme->root);
        nsm_world_start_supervisor(w); /* storage may come and go: it starts, and warns */
        a = nsm_tenant_add_container(acme, NULL);
        b = nsm_tenant_add_container(beta, NULL);
        kit_refused(nsm_world_run(w, "nsmount attach beta --pid %d --at /mnt", b->pid),
                    "is the same as");
        kit_refused(nsm_world_run(w, "nsmount attach acme --pid %d --at /mnt", a->pid),
                    "is the same as");
        nsm_world_must(w, "sed -i 's|^source = .*|source = %s|' etc/tenants.d/beta.conf;"
                       "nsmount reload", beta->root);
        nsm_world_must(w, "nsmount attach beta --pid %d --at /mnt", b->pid);
        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt", a->pid);
}

Test(use, storage_that_is_away_stops_its_own_tenant_alone)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *acme = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_tenant *beta = nsm_world_add_empty_tenant(w, "beta");

        nsm_world_start_supervisor(w);
        nsm_world_must(w, "mv %s %s.away && nsmount reload", beta->root, beta->root);
        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt",
                       nsm_tenant_add_container(acme, NULL)->pid);
        kit_refused(nsm_world_run(w, "nsmount attach beta --pid %d --at /mnt",
                                  nsm_tenant_add_container(beta, NULL)->pid),
                    "there is no such directory");
}

/* The name of a source may come to mean another directory: nobody is given the former one. */
Test(use, a_source_that_was_replaced_is_not_served_any_more)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d --at /mnt", a->pid);
        nsm_world_must(k.w, "mv %s old; mkdir %s; echo new >%s/which", k.t->root, k.t->root,
                       k.t->root);
        nsm_world_must(k.w, "nsmount reload --json | grep -q acme/root");
        kit_refused(nsm_world_run(k.w, "nsmount attach acme --pid %d --at /mnt", b->pid),
                    "former settings or source directory");
        nsm_world_must(k.w, "nsmount detach acme --pid %d --at /mnt", a->pid);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --at /mnt", b->pid);
        cr_assert_str_eq(nsm_container_must(b, "cat /mnt/which"), "new\n");
}

static bool has_own_mounts(void *arg)
{
        struct nsm_process *p = arg;

        return strcmp(nsm_world_must(p->world, "readlink /proc/self/ns/mnt"),
                      nsm_world_must(p->world, "readlink /proc/%d/ns/mnt", p->pid)) != 0;
}

/* A launcher that copies its mounts takes a view along that is mounted on the host. */
Test(use, a_copy_of_a_mount_keeps_its_view)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(0);
        struct nsm_fake_tenant *beta = nsm_world_add_tenant(k.w, "beta");
        struct nsm_process *p;

        nsm_world_must(k.w, "install -d -m 0710 -g %u pub; nsmount mount acme $PWD/pub/x",
                       k.t->first_id);
        nsm_world_must(k.w, "install -d -m 0710 -g %u more; nsmount reload; "
                       "nsmount mount beta $PWD/more/x", beta->first_id);
        p = nsm_world_spawn(k.w, "exec unshare --mount sleep 1000");
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_own_mounts, p));
        nsm_world_must(k.w, "nsenter -t %d -m umount $PWD/more/x", p->pid);
        nsm_world_must(k.w, "nsmount unmount $PWD/pub/x && nsmount unmount $PWD/more/x");
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_one_view, k.w));
        cr_assert_str_eq(nsm_world_must(k.w, "nsenter -t %d -m cat $PWD/pub/x/etc/hostname",
                                        p->pid), "acme\n");
        kill(p->pid, SIGKILL);
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_no_views, k.w));
}
