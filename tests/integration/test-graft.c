/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attach and detach as the tenant sees them. */
#include "tests/integration/graft-kit.h"

static const struct nsm_container_spec tmpfs_root = { .root = NSM_ROOT_TMPFS };

/* ---- as the root ---- */

Test(graft, becomes_the_root)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *out = kit_must(k.w, kit_attach(k.c, k.view, NULL));

        cr_assert(strstr(out, "path /\n"), "%s", out);
        cr_assert(strstr(out, "left out /sys: the container has no network namespace"), "%s", out);
        cr_assert(strstr(out, "left out /dev/mqueue: the container has no ipc namespace"), "%s",
                  out);
        cr_assert_str_eq(nsm_container_must(k.c, "id -u; cat /etc/hostname"), "0\nacme\n");
        cr_assert_eq(nsm_container_run(k.c, "test -e /usr/share")->status, 1, "the host is there");
}

Test(graft, root_has_kernel_interfaces)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .more_namespaces = CLONE_NEWNET | CLONE_NEWIPC };
        cleanup_kit struct kit k = kit_new(&spec);
        const char *out = kit_must(k.w, kit_attach(k.c, k.view, NULL));

        cr_assert(!strstr(out, "warning"), "%s", out);
        nsm_container_must(k.c, "set -e; echo x > /dev/null;"
                           "head -c 4 /dev/zero | wc -c | grep -qx 4;"
                           "head -c 4 /dev/urandom | wc -c | grep -qx 4;"
                           "test -c /dev/pts/ptmx; test -c /dev/tty; test -d /dev/mqueue;"
                           "test -d /sys/class/net/lo;"
                           "echo a > /run/a; echo a > /tmp/a; echo a > /dev/shm/a");
        cr_assert(strstr(nsm_container_mountinfo(k.c), " / /sys ro,nosuid,nodev,noexec,"));
        /* The processes are the container's: its first one is number 1. */
        cr_assert_str_eq(nsm_container_must(k.c, "cat /proc/1/comm"),
                         nsm_world_must(k.w, "cat /proc/%d/comm", k.c->pid));
}

Test(graft, root_works_as_before_linux_6_2)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .more_namespaces = CLONE_NEWNET | CLONE_NEWIPC };
        cleanup_kit struct kit k = kit_new(&spec);
        struct kit_job job = kit_attach(k.c, k.view, NULL);
        const char *out;

        job.request.fault.old_kernel = true;
        out = kit_must(k.w, job);
        cr_assert(!strstr(out, "warning"), "%s", out);
        cr_assert_str_eq(nsm_container_must(k.c, "cat /proc/1/comm"),
                         nsm_world_must(k.w, "cat /proc/%d/comm", k.c->pid));
}

Test(graft, root_without_interfaces)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        struct kit_job job = kit_attach(k.c, k.view, NULL);

        job.request.api = false;
        cr_assert(!strstr(kit_must(k.w, job), "warning"));
        cr_assert_str_eq(nsm_container_must(k.c, "ls /proc /sys /run | grep -v : | grep -c . || :"),
                         "0\n");
}

Test(graft, root_of_a_container_whose_mounts_are_shared)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .shared = true };
        cleanup_kit struct kit k = kit_new(&spec);

        cr_assert(strstr(nsm_container_mountinfo(k.c), "shared:"));
        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        cr_assert_str_eq(nsm_container_must(k.c, "cat /etc/hostname"), "acme\n");
        cr_assert(!strstr(nsm_container_mountinfo(k.c), "shared:"));
        cr_assert(!strstr(nsm_container_mountinfo(k.c), "master:"));
}

Test(graft, second_root_is_refused)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *before;

        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        before = nsm_container_mountinfo(k.c);
        kit_must_not(k.w, kit_attach(k.c, k.view, NULL), 11, "already attached");
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
}

Test(graft, mount_points_that_are_symlinks_are_left_out)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *out;

        nsm_world_must(k.w, "cd /proc/%d/fd/%d && rm -r proc dev run && ln -s /etc proc && "
                       "ln -s ../../../dev dev && echo x > run", getpid(), k.view.fd);
        out = kit_must(k.w, kit_attach(k.c, k.view, NULL));
        cr_assert(strstr(out, "left out /proc: the volume has a symlink there"), "%s", out);
        cr_assert(strstr(out, "left out /dev: the volume has a symlink there"), "%s", out);
        cr_assert(strstr(out, "left out /run: the volume has no directory there"), "%s", out);
        cr_assert(!strstr(out, "/dev/null"), "%s", out);
}

Test(graft, missing_mount_points_are_made)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        struct kit_job job = kit_attach(k.c, k.view, NULL);
        struct nsm_fake_container *other = nsm_tenant_add_container(k.t, NULL);
        const char *out;

        nsm_world_must(k.w, "cd /proc/%d/fd/%d && rmdir proc tmp", getpid(), k.view.fd);
        job.request.read_only = true;
        out = kit_must(k.w, job);
        cr_assert(strstr(out, "left out /proc: the volume has no such directory, and the graft is "
                         "read-only"), "%s", out);
        out = kit_must(k.w, kit_attach(other, k.view, NULL));
        cr_assert(!strstr(out, "/proc"), "%s", out);
        cr_assert_str_eq(nsm_container_must(other, "stat -c %%u /tmp/. ; ls /proc/1/comm"),
                         "0\n/proc/1/comm\n");
}

/* ---- the flags are locked ---- */

static void assert_locked(struct kit *k, const char *path)
{
        cr_assert_neq(nsm_container_run(k->c, "mount -o remount,bind,rw,nosuid,nodev %s",
                                        path)->status, 0, "ro cleared");
        cr_assert_neq(nsm_container_run(k->c, "mount -o remount,bind,ro,suid,nodev %s",
                                        path)->status, 0, "nosuid cleared");
        cr_assert_neq(nsm_container_run(k->c, "mount -o remount,bind,ro,nosuid,dev %s",
                                        path)->status, 0, "nodev cleared");
        cr_assert_neq(nsm_container_run(k->c, "mount -o remount,rw %s", path)->status, 0,
                      "superblock remounted");
        cr_assert_neq(nsm_container_run(k->c, "echo x > %s/created", path)->status, 0, "written");
        cr_assert_neq(nsm_container_run(k->c, "cat %s/disk", path)->status, 0, "device opened");
        /* Elsewhere it is no other. */
        nsm_container_must(k->c, "mkdir -p /tmp/m && mount --bind %s /tmp/m", path);
        cr_assert_neq(nsm_container_run(k->c, "mount -o remount,bind,ro,nosuid,dev /tmp/m")->status,
                      0, "nodev cleared on a copy");
        cr_assert_neq(nsm_container_run(k->c, "cat /tmp/m/disk")->status, 0, "device opened");
}

static struct kit_job attach_locked(struct kit *k, const char *at)
{
        struct kit_job job = kit_attach(k->c, k->view, at);

        nsm_world_must(k->w, "mknod -m 666 /proc/%d/fd/%d/disk c 1 5", getpid(), k->view.fd);
        job.request.read_only = job.request.nosuid = true;
        return job;
}

Test(graft, flags_of_a_root_are_locked)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);

        kit_must(k.w, attach_locked(&k, NULL));
        cr_assert(strstr(nsm_container_mountinfo(k.c), " / / ro,nosuid,nodev,"));
        assert_locked(&k, "/");
}

Test(graft, flags_below_the_root_are_locked)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);

        kit_must(k.w, attach_locked(&k, "/data"));
        cr_assert(strstr(nsm_container_mountinfo(k.c), " / /data ro,nosuid,nodev,"));
        assert_locked(&k, "/data");
        cr_assert_str_eq(nsm_container_must(k.c, "cat /data/etc/hostname"), "acme\n");
}

Test(graft, device_files_cannot_be_changed)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *before = nsm_world_must(k.w, "stat -c '%%a %%u %%g %%Y' /dev/null");

        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        cr_assert_neq(nsm_container_run(k.c, "chmod 600 /dev/null")->status, 0);
        cr_assert_neq(nsm_container_run(k.c, "chown 1 /dev/null")->status, 0);
        cr_assert_neq(nsm_container_run(k.c, "touch /dev/null")->status, 0);
        nsm_container_run(k.c, "mount -o remount,bind,rw /dev/null; chmod 600 /dev/null");
        cr_assert_str_eq(nsm_world_must(k.w, "stat -c '%%a %%u %%g %%Y' /dev/null"), before);
}

/* ---- below the root ---- */

Test(graft, goes_below_the_root)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *out;

        nsm_container_must(k.c, "mkdir -p /srv/here && ln -s srv/here /link");
        out = kit_must(k.w, kit_attach(k.c, k.view, "/link"));
        cr_assert(strstr(out, "path /srv/here\n"), "%s", out);
        cr_assert_str_eq(nsm_container_must(k.c, "cat /srv/here/etc/hostname"), "acme\n");
        nsm_container_must(k.c, "echo x > /srv/here/x && test $(stat -c %%u /srv/here/x) = 0");
}

Test(graft, missing_directory_is_made)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);

        nsm_container_must(k.c, "mkdir /srv");
        kit_must(k.w, kit_attach(k.c, k.view, "/srv/new"));
        nsm_container_must(k.c, "umount /srv/new && test $(stat -c %%u-%%a /srv/new) = 0-755");
}

Test(graft, is_private_on_a_shared_mount)
{
        KIT_REQUIRE();
        const struct nsm_container_spec spec = { .shared = true, .root = NSM_ROOT_TMPFS };
        cleanup_kit struct kit k = kit_new(&spec);

        kit_must(k.w, kit_attach(k.c, k.view, "/data"));
        cr_assert(strstr(nsm_container_mountinfo(k.c), " / /data rw,nodev,relatime - "), "%s",
                  nsm_container_mountinfo(k.c));
}

Test(graft, bad_places_are_refused)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *before;
        static const struct {
                const char *at, *text;
        } cases[] = {
                { "data", "not absolute" },
                { "/", "root itself" },
                { "/srv/../etc", "has . or .." },
                { "/..", "has . or .." },
                { "/srv/./x", "has . or .." },
                { "/srv//x", "empty component" },
                { "/srv/", "empty component" },
                { "/file", "not a directory" },
                { "/file/x", "not a directory" },
                { "/missing/x", "does not exist" },
                { "/out", "out of the container's root" },
                { "/out/x", "out of the container's root" },
                { "/srv/up", "out of the container's root" },
                { "/dangling", "symlink to nothing" },
                { "/dangling/x", "does not exist" },
                { "/absolute/x/y", "does not exist" },
                { "/absolute-file", "not a directory" },
                { "/loop", "too many symlinks" },
                { "/self", "root itself" },
        };

        nsm_container_must(k.c, "mkdir /srv && echo > /file && ln -s ../../.. /out && "
                           "ln -s /srv /absolute && ln -s nothing /dangling && ln -s loop /loop && "
                           "ln -s . /self && ln -s ../srv/../.. /srv/up && ln -s /file /absolute-file");
        before = nsm_container_mountinfo(k.c);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
                kit_must_not(k.w, kit_attach(k.c, k.view, cases[i].at), 11, cases[i].text);
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
}

Test(graft, links_of_proc_are_not_followed)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);

        nsm_container_must(k.c, "mount -t tmpfs t /mnt && ln -s /proc/1/cwd /mnt/magic");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/mnt/magic/x"), 11, "or one of /proc");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/proc/self"), 11, "or one of /proc");
}

/* As a process of the container would follow them. */
Test(graft, symlinks_in_the_root_are_followed)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        static const struct {
                const char *at, *path;
        } cases[] = {
                { "/absolute/new", "/srv/new" },
                { "/absolute/deep", "/srv/deep" },
                { "/chain", "/srv/end" },
                { "/srv/back/other", "/other" },
        };

        nsm_container_must(k.c, "mkdir -p /srv/deep /srv/end /other && ln -s /srv /absolute && "
                           "ln -s absolute/link /chain && ln -s deep/../../absolute/end /srv/link "
                           "&& ln -s .. /srv/back");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                const char *out = kit_must(k.w, kit_attach(k.c, k.view, cases[i].at));
                const char *line = nsm_world_printf(k.w, "path %s\n", cases[i].path);

                cr_assert(strstr(out, line), "%s leads to %s", cases[i].at, out);
                nsm_container_must(k.c, "mountpoint -q %s && test ! -L %s", cases[i].path,
                                   cases[i].path);
        }
}

Test(graft, grafts_do_not_overlap)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *before;

        nsm_container_must(k.c, "mkdir -p /srv/deep && ln -s srv/deep /link");
        kit_must(k.w, kit_attach(k.c, k.view, "/srv/deep"));
        before = nsm_container_mountinfo(k.c);
        kit_must_not(k.w, kit_attach(k.c, k.view, "/srv/deep"), 11, "already attached");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/link"), 11, "already attached");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/srv/deep/etc"), 11, "already attached");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/link/new"), 11, "already attached");
        kit_must_not(k.w, kit_attach(k.c, k.view, "/srv"), 11, "already attached");
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        kit_must(k.w, kit_attach(k.c, k.view, "/srv2"));
}

Test(graft, second_volume_below_an_attached_root)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        struct kit_view data = kit_view_new(k.t);

        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        kit_must(k.w, kit_attach(k.c, data, "/mnt"));
        nsm_container_must(k.c, "echo x > /mnt/x");
        cr_assert_eq(faccessat(data.fd, "x", F_OK, 0), 0);
        close(data.fd);
}

Test(graft, another_view_is_not_taken_for_it)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        struct kit_job job = kit_attach(k.c, k.view, NULL);

        job.request.device++;
        kit_must_not(k.w, job, 12, "not the one that was meant");
}

Test(graft, hanging_job_is_ended)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *before = nsm_container_mountinfo(k.c);
        struct kit_job job = kit_attach(k.c, k.view, NULL);

        job.request.fault.hang_at = NSM_STEP_PIVOT;
        job.timeout_ms = 200;
        kit_must_not(k.w, job, 12, "too long");
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
}
