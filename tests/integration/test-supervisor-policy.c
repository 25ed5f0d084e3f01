/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a volume's `devices` and `suid` do in a container: each allowed, and each refused. */
#include "tests/integration/supervisor-kit.h"

/* A supervisor, and the volume `root` of "acme" at /mnt of a container whose root is the host's. */
static struct nsm_fake_container *attach(struct kit *k, const char *lines, const char *prepare)
{
        struct nsm_fake_container *c;

        k->w = nsm_world_new();
        k->t = nsm_world_add_tenant(k->w, "acme");
        nsm_tenant_configure(k->t, "root", lines);
        nsm_world_must(k->w, "cd %s && %s", k->t->root, prepare);
        nsm_world_start_supervisor(k->w);
        c = nsm_tenant_add_container(k->t, NULL);
        nsm_world_must(k->w, "nsmount attach acme --pid %d --at /mnt", c->pid);
        return c;
}

/* A copy of /dev/null, which everybody may write. */
#define MAKE_DEVICE "mknod -m 666 device c 1 3"

Test(policy, devices_open_where_they_are_allowed)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = { 0 };
        struct nsm_fake_container *c = attach(&k, "devices = allow\n", MAKE_DEVICE);

        nsm_container_must(c, "echo x >/mnt/device && test -z \"$(cat /mnt/device)\"");
        nsm_container_must(c, "mknod /mnt/pipe p");
}

Test(policy, devices_do_not_open_where_they_are_denied)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = { 0 };
        struct nsm_fake_container *c = attach(&k, "devices = deny\n", MAKE_DEVICE);
        struct nsm_output *o = nsm_container_run(c, "echo x >/mnt/device");

        cr_assert_neq(o->status, 0);
        cr_assert(strstr(o->err, "Permission denied"), "%s", o->err);
        cr_assert_str_eq(nsm_container_must(c, "stat -c %%t:%%T /mnt/device"), "1:3\n");
        cr_assert_neq(nsm_container_run(c, "mount -o remount,bind,dev /mnt")->status, 0);
        cr_assert_neq(nsm_container_run(c, "cat /mnt/device")->status, 0);
}

/* A set-id program of the container's root that prints as whom it acts. */
#define MAKE_SET_ID "cp \"$(command -v id)\" who && chown 0:0 who && chmod 6755 who"
#define AS_USER "setpriv --reuid 1000 --regid 1000 --clear-groups "

Test(policy, set_id_programs_give_the_tenants_ids)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = { 0 };
        struct nsm_fake_container *c = attach(&k, "suid = allow\n", MAKE_SET_ID);

        cr_assert_str_eq(nsm_container_must(c, AS_USER "/mnt/who -u; " AS_USER "/mnt/who -g"),
                         "0\n0\n");
}

Test(policy, set_id_programs_give_nothing_where_they_are_denied)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = { 0 };
        struct nsm_fake_container *c = attach(&k, "suid = deny\n", MAKE_SET_ID);

        cr_assert_str_eq(nsm_container_must(c, AS_USER "/mnt/who -u; " AS_USER "/mnt/who -g"),
                         "1000\n1000\n");
        cr_assert_neq(nsm_container_run(c, "mount -o remount,bind,suid,nodev /mnt")->status, 0);
        cr_assert_str_eq(nsm_container_must(c, AS_USER "/mnt/who -u"), "1000\n");
        nsm_container_must(c, "grep ' /mnt ' /proc/self/mountinfo | grep -q nosuid,nodev");
}
