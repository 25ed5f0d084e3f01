/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only the host's root may do to files: trusted.* and security.*
 * attributes, device nodes, immutable and append-only files, project ids.
 * Through a view it does them as on the storage; a tenant's root is refused.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/harness/harness.h"

/* Each line is run, and what it prints, and its status, are compared. */
static const char *const as_root[] = {
        "touch f g; mkdir d",
        /* attributes */
        "setfattr -n trusted.t -v one f",
        "setfattr -n trusted.t -v two d",
        "getfattr --only-values -n trusted.t f",
        "getfattr --only-values -n trusted.none f",
        "setfattr -n security.s -v three f",
        "getfattr --only-values -n security.s f",
        "setfattr -n user.u -v four f",
        "getfattr -d -m - f d",
        "setfattr -x trusted.t f",
        "setfattr -x trusted.t f",
        "setfattr -x security.s f",
        "getfattr -d -m - f d",
        /* device nodes */
        "mknod null c 1 3",
        "mknod disk b 259 70000",
        "stat -c '%F %t %T %a' null disk",
        "chmod 600 null; chown 5:6 disk; stat -c '%a %u %g' null disk",
        "mv null other; ln other null; rm other disk",
        /* inode flags */
        "chattr +i f",
        "lsattr f",
        "echo x > f",
        "rm f",
        "mv f h",
        "ln f h",
        "chmod 777 f",
        "touch f",
        "setfattr -n user.v -v x f",
        "chattr +i d; touch d/new; mkdir d/new; rmdir d; chattr -i d",
        "chattr -i f",
        "echo x > f; cat f",
        "chattr +a f",
        "echo y >> f; cat f",
        "echo z > f",
        "truncate -s 0 f",
        "rm f",
        "touch f",
        "chattr -a f; rm f",
        "chattr +dDS g; lsattr g; chattr -dDS g; lsattr g",
        "chattr +j g",
        "chattr +A g; lsattr g; chattr -A g",
        "chattr -p 7 g; lsattr -p g",
        "rm -rf g d null",
};

static const char *run_all(struct nsm_world *w, const char *dir)
{
        const char *all = "";

        for (size_t i = 0; i < sizeof as_root / sizeof as_root[0]; i++) {
                struct nsm_output *o = nsm_world_run(w, "cd %s && { %s; }", dir, as_root[i]);
                all = nsm_world_printf(w, "%s$ %s\n%s%s= %d\n", all, as_root[i], o->out, o->err,
                                       o->status);
        }
        return all;
}

Test(view_admin, root_may_all_that_it_may_on_the_storage)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const char *disk = nsm_world_add_ext4(w, "disk", 32 << 20);

        nsm_world_must(w, "mkdir %s/plain %s/src mnt && nsmountfs %s/src mnt -o "
                       "idmap=0:0:4294967295", disk, disk, disk);
        const char *plain = run_all(w, nsm_world_printf(w, "%s/plain", disk));
        const char *view = run_all(w, "mnt");
        nsm_world_must(w, "umount mnt");
        cr_assert_str_eq(view, plain);
        cr_assert_not_null(strstr(plain, "trusted.t=\"one\""), "%s", plain);
        cr_assert_not_null(strstr(plain, "---i--"), "%s", plain);
}

Test(view_admin, root_of_the_host_in_a_view_of_a_tenant)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        const char *disk = nsm_world_add_ext4(w, "disk", 32 << 20);

        nsm_world_must(w, "mkdir %s/src mnt && echo text > %s/src/f && nsmountfs %s/src mnt -o "
                       "idmap=0:%u:1000", disk, disk, disk, w->first_id);
        nsm_world_must(w, "setfattr -n trusted.t -v one mnt/f && chattr +i mnt/f");
        cr_assert_str_eq(nsm_world_must(w, "getfattr --only-values -n trusted.t %s/src/f", disk),
                         "one");
        cr_assert_str_eq(nsm_world_must(w, "lsattr %s/src/f | cut -c5", disk), "i\n");
        cr_assert_neq(nsm_world_run(w, "echo more >> mnt/f")->status, 0);
        nsm_world_must(w, "chattr -i mnt/f; umount mnt");
}

/* Refused with these words. */
static const struct refusal {
        const char *command, *words;
} to_a_tenant[] = {
        { "setfattr -n trusted.u -v x f", "Operation not permitted" },
        { "setfattr -x trusted.t f", "Operation not permitted" },
        { "getfattr -n trusted.t f", "No such attribute" },
        { "setfattr -n security.s -v x f", "Operation not permitted" },
        { "setfattr -x security.s f", "Operation not permitted" },
        { "mknod null c 1 3", "Operation not permitted" },
        { "mknod disk b 7 0", "Operation not permitted" },
        { "cat stored-null", "Permission denied" },
        { "chattr +i f", "Operation not permitted" },
        { "chattr +a f", "Operation not permitted" },
        { "chattr -i immutable", "Operation not permitted" },
        { "rm immutable", "Operation not permitted" },
        { "chattr -p 7 f", "Invalid argument" },
        { "chattr +P .", "Invalid argument" },
        { "chattr +j f", "Operation not " }, /* permitted, or supported */
};

Test(view_admin, a_tenant_may_not)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_container_spec spec = { .root = NSM_ROOT_TMPFS };

        nsm_world_start_supervisor(w);
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);
        nsm_world_must(w, "cd %s; touch f immutable; mknod -m 666 stored-null c 1 3; "
                       "setfattr -n trusted.t -v secret f; setfattr -n security.s -v x f; "
                       "setfattr -n user.u -v x f; chattr +i immutable", t->root);
        nsm_container_must(c, "mkdir /v");
        nsm_world_must(w, "nsmount attach acme --pid %d --at /v", c->pid);
        for (size_t i = 0; i < sizeof to_a_tenant / sizeof to_a_tenant[0]; i++) {
                const struct refusal *r = &to_a_tenant[i];
                struct nsm_output *o = nsm_container_run(c, "cd /v && %s", r->command);
                cr_expect(o->status != 0 && strstr(o->err, r->words), "%s: %d %s%s", r->command,
                          o->status, o->out, o->err);
        }
        const char *names = nsm_container_must(c, "cd /v; getfattr -m - f");
        cr_expect_null(strstr(names, "trusted"), "%s", names);
        cr_expect_not_null(strstr(names, "security.s"), "%s", names);
        nsm_container_must(c, "cd /v; chattr +d f; mknod whiteout c 0 0; mkfifo p");
        cr_expect_str_eq(nsm_world_must(w, "getfattr -n trusted.t --only-values %s/f", t->root),
                         "secret");
        nsm_world_must(w, "chattr -i %s/immutable", t->root);
}
