/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tenant's ACLs, file capabilities and synchronous writes come to on the
 * storage: the same as a tool there would have made of them with storage ids.
 */
#include <sys/xattr.h>

#include "tests/integration/view-kit.h"

/* Container ids 0.. of the tenant are storage ids STORED.. */
#define STORED 200000

struct kit {
        struct nsm_world *w;
        struct nsm_fake_tenant *t;
        struct nsm_fake_container *c;
};

static struct kit kit_new(void)
{
        struct kit k = { .w = nsm_world_new() };

        k.t = nsm_world_add_empty_tenant(k.w, "acme");
        nsm_tenant_configure(k.t, "root",
                             nsm_world_printf(k.w, "storage-ids = 0:%d:65536\n", STORED));
        nsm_world_must(k.w, "chown %d:%d %s", STORED, STORED, k.t->root);
        nsm_world_start_supervisor(k.w);
        k.c = nsm_tenant_add_container(k.t, NULL);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --at /mnt", k.c->pid);
        return k;
}

static const char *look_at(struct kit *k, const char *dir)
{
        return nsm_world_must(k->w, "cd %s/%s && "
                              "find . | sort | xargs stat -c '%%n %%a %%u %%g' && "
                              "find . | sort | xargs getfattr -d -m - -e hex", k->t->root, dir);
}

/* The same commands at both places; @base: the id that is 0 there. */
#define TWIN                                                                                   \
        "touch a b c && mkdir d && setfacl -m u:%d:rw,u:%d:x,g:%d:r a && chmod 640 a && "      \
        "setfacl -m u:%d:rwx,d:u:%d:rx,d:g:%d:rwx,d:m::rx d && touch d/f && mkdir d/s && "     \
        "setfacl -b d/s && setcap %s cap_net_raw+ep b && setcap -n %d cap_chown+p c && "       \
        "setfattr -n user.a -v value d"

#define TWIN_IDS(base)                                                                         \
        (base) + 5, (base) + 65535, (base) + 7, (base) + 1000, (base) + 5, (base) + 9

Test(view_stored, acls_and_capabilities_are_what_the_storage_would_have)
{
        NSM_REQUIRE();
        struct kit k = kit_new();

        nsm_container_must(k.c, "umask 022 && mkdir /mnt/seen && cd /mnt/seen && " TWIN,
                           TWIN_IDS(0), "", 3);
        nsm_world_must(k.w, "umask 022 && mkdir %s/twin && cd %s/twin && " TWIN
                       " && chown -hR %d:%d . && setcap -n %d cap_net_raw+ep b && "
                       "setcap -n %d cap_chown+p c", k.t->root, k.t->root, TWIN_IDS(STORED), "",
                       STORED + 3, STORED, STORED, STORED, STORED + 3);
        cr_assert_str_eq(look_at(&k, "seen"), look_at(&k, "twin"));
        cr_assert(strstr(look_at(&k, "seen"), "security.capability"));
        /* And what the storage has is seen with the tenant's ids. */
        cr_assert_str_eq(nsm_container_must(k.c, "cd /mnt/seen && getfacl -Rn . && getcap -n b c"),
                         nsm_container_must(k.c, "cd /mnt/twin && getfacl -Rn . && getcap -n b c"));
        cr_assert_str_eq(nsm_container_must(k.c, "cd /mnt/twin && getcap -n b c"),
                         "b cap_net_raw=ep\nc cap_chown=p [rootid=3]\n");
        nsm_world_free(k.w);
}

/* What capabilities a copy of grep has when user 1001 runs it. */
static const char *effective(struct kit *k, const char *program)
{
        return nsm_container_must(k->c, "setpriv --reuid 1001 --regid 1001 --clear-groups "
                                  "/mnt/%s CapEff /proc/self/status", program);
}

Test(view_stored, capabilities_work_where_they_are_given)
{
        NSM_REQUIRE();
        struct kit k = kit_new();

        nsm_container_must(k.c, "cp /bin/grep /mnt/outer; cp /bin/grep /mnt/inner; "
                           "chown 1000:1000 /mnt/inner; cp /bin/grep /mnt/plain");
        cr_assert_str_eq(effective(&k, "plain"), "CapEff:\t0000000000000000\n");
        nsm_container_must(k.c, "setcap cap_net_raw+ep /mnt/outer");
        cr_assert_str_eq(effective(&k, "outer"), "CapEff:\t0000000000002000\n");
        cr_assert_str_eq(nsm_container_must(k.c, "getcap /mnt/outer"),
                         "/mnt/outer cap_net_raw=ep\n");
        /* Given by root of a user namespace within the tenant's: for that one alone. */
        nsm_container_must(k.c, "setpriv --reuid 1000 --regid 1000 --clear-groups "
                           "unshare -Ur setcap cap_net_raw+ep /mnt/inner");
        cr_assert_str_eq(effective(&k, "inner"), "CapEff:\t0000000000000000\n");
        cr_assert_str_eq(nsm_container_must(k.c, "getcap -n /mnt/inner"),
                         "/mnt/inner cap_net_raw=ep [rootid=1000]\n");
        cr_assert_str_eq(nsm_world_must(k.w, "cd %s && getcap -n inner outer", k.t->root),
                         nsm_world_printf(k.w, "inner cap_net_raw=ep [rootid=%d]\n"
                                          "outer cap_net_raw=ep [rootid=%d]\n", STORED + 1000,
                                          STORED));
        /* A write takes them away. */
        nsm_container_must(k.c, "printf '' >> /mnt/outer; getcap /mnt/outer | grep -q raw; "
                           "printf x >> /mnt/outer");
        cr_assert_str_eq(nsm_container_must(k.c, "getcap /mnt/outer"), "");
        nsm_world_free(k.w);
}

struct synchronous {
        const char *view, *storage;
        int flags;
};

/* Whether the worker has the file open as it was opened through the view. */
static int open_synchronously(void *arg)
{
        const struct synchronous *s = arg;
        char command[1024];
        int fd;

        CHECK(chdir(s->view) == 0);
        fd = open("f", O_WRONLY | s->flags);
        CHECK(fd >= 0);
        CHECK(write(fd, "x", 1) == 1);
        snprintf(command, sizeof command,
                 "dir=$(stat -c %%d:%%i %s) file=$(stat -c %%d:%%i %s/f); "
                 "for p in $(pgrep -x nsmountfs); do "
                 "test \"$(stat -Lc %%d:%%i /proc/$p/root/.)\" = $dir || continue; "
                 "for f in /proc/$p/fd/*; do test \"$(stat -Lc %%d:%%i $f)\" = $file || continue; "
                 "flags=$(sed -n 's/^flags:[^0]*//p' /proc/$p/fdinfo/${f##*/}); "
                 "test $((flags & %d)) = %d && echo found; "
                 "done; done 2>/dev/null | grep -q found", s->storage, s->storage, O_SYNC | O_PATH,
                 s->flags);
        CHECK(system(command) == 0);
        return 0;
}

Test(view_stored, synchronous_writes_are_the_storages)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");
        static const int flags[] = { O_SYNC, O_DSYNC, 0 };

        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
                struct synchronous s = { k.mnt, k.src, flags[i] };

                nsm_world_must(k.w, "touch src/f");
                struct nsm_output *o = nsm_world_call(k.w, open_synchronously, &s);
                cr_assert_eq(o->status, 0, "%s%s", o->out, o->err);
        }
}

static int long_attributes(struct view_kit *k)
{
        static char value[65537], got[65536];

        memset(value, 'v', sizeof value);
        CHECK(setxattr("f", "user.long", value, 65536, 0) == 0);
        CHECK(getxattr("f", "user.long", NULL, 0) == 65536);
        CHECK(getxattr("f", "user.long", got, sizeof got) == 65536);
        CHECK(memcmp(got, value, sizeof got) == 0);
        CHECK_ERR(getxattr("f", "user.long", got, 65535), ERANGE);
        CHECK_ERR(setxattr("f", "user.long", value, 65537, 0), E2BIG);
        CHECK(listxattr("f", got, sizeof got) == sizeof "user.long");
        return 0;
}

/* ext4 has room for them where it was made for that. */
Test(view_stored, attributes_of_64_kib_where_the_storage_takes_them)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 . && mkdir src mnt && truncate -s 32M disk && "
                       "mkfs.ext4 -q -O ea_inode disk && mount -o loop disk src && "
                       "chmod 755 src && touch src/f && nsmountfs src mnt -o idmap=0:%u:1000",
                       k.base);
        view_do(&k, 0, long_attributes);
}
