/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "fs/nsmountfs-options.h"

static int parse(struct nsm_options *o, struct nsm_error *err, const char *list)
{
        char *argv[] = { (char *)"nsmountfs", (char *)"src", (char *)"mnt", (char *)"-o",
                         (char *)list, NULL };

        return nsm_options_parse(5, argv, o, err);
}

Test(view_options, extents_of_both_kinds)
{
        struct nsm_options o;
        struct nsm_error err = { 0 };

        cr_assert_eq(parse(&o, &err, "idmap=0:100000:10,uidmap=20:500:5,gidmap=20:600:5,ro,"
                           "max-inodes=256"), 0,
                     "%s", err.text);
        cr_assert_eq(o.view.ids.uids.n, 2);
        cr_assert_eq(nsm_ids_show(&o.view.ids.uids, 21), 501);
        cr_assert_eq(nsm_ids_show(&o.view.ids.gids, 21), 601);
        cr_assert(o.view.read_only && o.view.coherence == NSM_COHERENCE_SHARED && !o.view.devices);
        cr_assert_eq(o.mount_attr, MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
        cr_assert_eq(o.view.inodes, 256);
        cr_assert_str_eq(o.source, "src");
        nsm_options_clear(&o);
}

Test(view_options, what_fstab_has)
{
        struct nsm_options o;
        struct nsm_error err = { 0 };

        cr_assert_eq(parse(&o, &err, "rw,suid,dev,exec,auto,nouser,async,_netdev,x-a.b=c,nofail,"
                           "defaults,comment=x,relatime,devices=allow,idmap=0:1:1"), 0, "%s",
                     err.text);
        cr_assert_eq(o.mount_attr, 0);
        nsm_options_clear(&o);
        cr_assert_eq(parse(&o, &err, "noexec,nosuid,noatime,exec,idmap=0:1:1"), 0);
        cr_assert_eq(o.mount_attr, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODEV);
        nsm_options_clear(&o);
}

static int parse_switches(struct nsm_options *o, struct nsm_error *err, const char *first,
                          const char *second)
{
        char *argv[] = { (char *)"nsmountfs", (char *)"src", (char *)"mnt", (char *)"-oidmap=0:1:1",
                         (char *)first, (char *)second, NULL };

        return nsm_options_parse(second ? 6 : 5, argv, o, err);
}

Test(view_options, directories_of_the_other_programs_are_taken)
{
        struct nsm_options o;
        struct nsm_error err = { 0 };

        cr_assert_eq(parse_switches(&o, &err, "--config", "/c"), 0, "%s", err.text);
        cr_assert_str_eq(o.mountpoint, "mnt");
        nsm_options_clear(&o);
        cr_assert_eq(parse_switches(&o, &err, "--runtime-dir", "/r"), 0, "%s", err.text);
        nsm_options_clear(&o);
        cr_assert_eq(parse_switches(&o, &err, "--config=/c", "--runtime-dir=/r"), 0, "%s",
                     err.text);
        nsm_options_clear(&o);
        cr_assert_eq(parse_switches(&o, &err, "--config", NULL), -EINVAL);
        cr_assert_eq(parse_switches(&o, &err, "--configs", "/c"), -EINVAL);
}

ParameterizedTestParameters(view_options, refused)
{
        static char lists[][64] = {
                "", "idmap", "idmap=", "idmap=1", "idmap=1:2", "idmap=1:2:3:4", "idmap=1:2:0",
                "idmap=+1:2:3", "idmap= 1:2:3", "idmap=1:2:3 ", "idmap=1:2:0x3", "idmap=a:b:c",
                "idmap=1:2:4294967296", "idmap=4294967295:0:1", "idmap=0:4294967295:1",
                "idmap=0:1:4294967295", "idmap=0:1:9,uidmap=8:100:1", "idmap=0:1:9,gidmap=100:9:1",
                "uidmap=0:1:1", "gidmap=0:1:1", "ro=1,idmap=0:1:1", "coherence,idmap=0:1:1",
                "coherence=,idmap=0:1:1", "devices=maybe,idmap=0:1:1", "beside,idmap=0:1:1",
                "idmapx=0:1:1,idmap=0:1:1", "id=0:1:1,idmap=0:1:1", "RO,idmap=0:1:1",
                "max-inodes=255,idmap=0:1:1", "max-inodes=16777216,idmap=0:1:1",
                "max-inodes=,idmap=0:1:1", "max-inodes=1e6,idmap=0:1:1",
        };

        return cr_make_param_array(char[64], lists, sizeof lists / sizeof *lists);
}

ParameterizedTest(char list[64], view_options, refused)
{
        struct nsm_options o;
        struct nsm_error err = { 0 };

        cr_assert_lt(parse(&o, &err, list), 0, "%s", list);
        cr_assert(*err.text && !strchr(err.text, '\n'), "%s", list);
}
