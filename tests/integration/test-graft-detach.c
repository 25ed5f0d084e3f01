/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grafts taken back, views at paths of the host, and whether a graft is there still. */
#include <signal.h>

#include "tests/integration/graft-kit.h"

static const struct nsm_container_spec tmpfs_root = { .root = NSM_ROOT_TMPFS };

static struct kit_job kit_detach(struct kit *k, const char *at)
{
        return (struct kit_job){
                .pid = k->c->pid,
                .request = { .job = NSM_JOB_DETACH, .at = at,
                             .place = { .device = k->view.device } },
        };
}

/* What kit_print() says of a graft that was made. */
static struct nsm_place place_of(const char *out)
{
        const char *line = strstr(out, "mount ");
        uintmax_t n[5] = { 0 };

        cr_assert_eq(line ? sscanf(line, "mount %ju unique %ju ns %ju nsid %ju dev %ju", &n[0],
                                   &n[1], &n[2], &n[3], &n[4]) : 0, 5, "%s", out);
        return (struct nsm_place){ .mount_id = n[0], .mount_id_unique = n[1],
                                   .mount_namespace = n[2], .mount_namespace_id = n[3],
                                   .device = n[4] };
}

/* ---- below the root ---- */

Test(graft_detach, leaves_the_table_as_it_was)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *before = nsm_container_mountinfo(k.c);

        kit_must(k.w, kit_attach(k.c, k.view, "/data"));
        kit_must(k.w, kit_detach(&k, "/data"));
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        kit_must_not(k.w, kit_detach(&k, "/data"), 11, "has no graft at /data");
}

Test(graft_detach, finds_the_mount_where_it_went)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        struct kit_job job = kit_detach(&k, NULL);

        job.request.place = place_of(kit_must(k.w, kit_attach(k.c, k.view, "/data")));
        nsm_container_must(k.c, "mkdir /else && mount --move /data /else");
        cr_assert(strstr(kit_must(k.w, job), "path /else\n"));
        kit_must_not(k.w, job, 11, "has no graft any more");
}

/* The process in the container, once its shell has become the program: then it holds. */
static pid_t wait_for_program(struct kit *k, struct nsm_process *p)
{
        return atoi(nsm_world_must(k->w, "until c=$(cat /proc/%d/task/%d/children) && "
                                   "[ -n \"$c\" ] && grep -qE 'sleep|busybox' /proc/${c%% }/comm; "
                                   "do :; done; echo $c", p->pid, p->pid));
}

Test(graft_detach, names_who_uses_it)
{
        KIT_REQUIRE();
        static const struct {
                const char *command, *hold;
        } cases[] = {
                { "cd /data && exec sleep 1000", "working directory" },
                { "exec sleep 1000 < /data/etc/hostname", "descriptor 0" },
                { "exec /data/bin/busybox sleep 1000", "a mapped file" },
        };
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *out, *before;

        kit_must(k.w, kit_attach(k.c, k.view, "/data"));
        before = nsm_container_mountinfo(k.c);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct nsm_process *p = nsm_container_spawn(k.c, "%s", cases[i].command);
                pid_t pid = wait_for_program(&k, p);
                char line[80];

                out = kit_must_not(k.w, kit_detach(&k, "/data"), 13, "is in use by");
                snprintf(line, sizeof line, "holder %d ", pid);
                cr_assert(strstr(out, line), "%s is not in %s", line, out);
                cr_assert(strstr(out, cases[i].hold), "%s is not in %s", cases[i].hold, out);
                cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
                kill(pid, SIGKILL);
                nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
        }
        kit_must(k.w, kit_detach(&k, "/data"));
}

Test(graft_detach, says_what_is_mounted_over_or_below_it)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        struct kit_job job = kit_detach(&k, NULL);

        job.request.place = place_of(kit_must(k.w, kit_attach(k.c, k.view, "/data")));
        nsm_container_must(k.c, "mount -t tmpfs tmpfs /data/mnt");
        kit_must_not(k.w, job, 13, "something is mounted below it at /data/mnt");
        nsm_container_must(k.c, "umount /data/mnt && mount -t tmpfs tmpfs /data");
        kit_must_not(k.w, job, 12, "something else is mounted over /data");
        nsm_container_must(k.c, "umount /data");
        kit_must(k.w, job);
}

Test(graft_detach, faults_leave_it_or_take_it)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        const char *without = nsm_container_mountinfo(k.c);

        for (int step = NSM_STEP_BEGIN; step < NSM_STEP_COUNT; step++)
                for (int fault = 0; fault < 3; fault++) {
                        struct kit_job job = kit_detach(&k, "/data");
                        const char *with;
                        struct nsm_output *o;

                        kit_must(k.w, kit_attach(k.c, k.view, "/data"));
                        with = nsm_container_mountinfo(k.c);
                        if (fault == 0)
                                job.request.fault.fail_at = step;
                        else if (fault == 1)
                                job.request.fault.kill_joiner_at = step;
                        else
                                job.request.fault.kill_helper_at = step;
                        o = kit_run(k.w, job);
                        cr_assert_str_eq(nsm_container_mountinfo(k.c), o->status ? with : without,
                                         "fault %d at step %d: %s", fault, step, o->out);
                        if (o->status)
                                kit_must(k.w, kit_detach(&k, "/data"));
                }
}

/* ---- a root ---- */

Test(graft_detach, root_names_who_lives_in_it)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        char line[40];
        const char *out, *before;

        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        before = nsm_container_mountinfo(k.c);
        out = kit_must_not(k.w, kit_detach(&k, NULL), 13, "a root ends with its container");
        snprintf(line, sizeof line, "holder %d ", k.c->pid);
        cr_assert(strstr(out, line), "%s", out);
        cr_assert_str_eq(nsm_container_mountinfo(k.c), before);
        cr_assert(nsm_process_lives(k.c->pid));
}

Test(graft_detach, root_by_ending_its_processes)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        struct kit_job job = kit_detach(&k, NULL);
        struct nsm_process *p;

        kit_must(k.w, kit_attach(k.c, k.view, NULL));
        p = nsm_container_spawn(k.c, "exec sleep 1000");
        job.request.kill = true;
        kit_must(k.w, job);
        cr_assert(nsm_process_wait_gone(k.c->pid, NSM_HARNESS_LIMIT_MS));
        cr_assert_neq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);
}

/* ---- at a path of the host ---- */

static struct kit_job kit_mount(struct kit *k, const char *directory)
{
        return (struct kit_job){
                .request = { .job = NSM_JOB_MOUNT, .directory = directory,
                             .view_fd = k->view.fd, .fuse_fd = -1, .device = k->view.device,
                             .group = k->t->first_id, .nosuid = true, .nodev = true },
        };
}

static struct kit_job kit_unmount(struct kit *k, const char *directory)
{
        return (struct kit_job){ .request = { .job = NSM_JOB_UNMOUNT, .directory = directory,
                                              .place = { .device = k->view.device } } };
}

static const char *make_parent(struct kit *k)
{
        const char *parent = nsm_world_printf(k->w, "%s/bundles", k->w->dir);

        nsm_world_must(k->w, "install -d -o root -g %u -m 0710 %s", k->t->first_id, parent);
        return parent;
}

Test(graft_host, mounts_and_unmounts)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *dir = nsm_world_printf(k.w, "%s/root", make_parent(&k));

        kit_must(k.w, kit_mount(&k, dir));
        cr_assert_str_eq(nsm_world_must(k.w, "cat %s/etc/hostname", dir), "acme\n");
        cr_assert_str_eq(nsm_world_must(k.w, "findmnt -no VFS-OPTIONS,PROPAGATION %s", dir),
                         "rw,nosuid,nodev,relatime private\n");
        kit_must_not(k.w, kit_mount(&k, dir), 11, "already mounted");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/home", dir)), 11,
                     "would lead them");
        kit_must(k.w, kit_unmount(&k, dir));
        kit_must_not(k.w, kit_unmount(&k, dir), 11, "no view is mounted");
}

Test(graft_host, names_who_uses_it)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *dir = nsm_world_printf(k.w, "%s/root", make_parent(&k)), *out;
        struct nsm_process *p;
        char line[40];

        kit_must(k.w, kit_mount(&k, dir));
        p = nsm_world_spawn(k.w, "cd %s && exec sleep 1000", dir);
        nsm_world_must(k.w, "until grep -q sleep /proc/%d/comm; do :; done", p->pid);
        out = kit_must_not(k.w, kit_unmount(&k, dir), 13, "is in use by");
        snprintf(line, sizeof line, "holder %d sleep: working directory", p->pid);
        cr_assert(strstr(out, line), "%s", out);
        kill(p->pid, SIGKILL);
        nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
        kit_must(k.w, kit_unmount(&k, dir));
}

Test(graft_host, bad_directories_are_refused)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *parent = make_parent(&k), *d = k.w->dir;
        struct kit_job job;

        nsm_world_must(k.w, "ln -s bundles %s/link; ln -s / %s/link; echo > %s/file", d, parent,
                       parent);
        kit_must_not(k.w, kit_mount(&k, "relative"), 11, "not absolute");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/../x", parent)), 11,
                     "has . or ..");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/link/x", d)), 11,
                     "has a symlink in it");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/link", parent)), 11,
                     "is a symlink");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/file", parent)), 11,
                     "not a directory");
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/no/x", d)), 11, "install -d");
        nsm_world_must(k.w, "chmod 0711 %s", parent);
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/x", parent)), 11,
                     "lets others in");
        nsm_world_must(k.w, "chmod 0710 %s && chgrp 7 %s", parent, parent);
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/x", parent)), 11,
                     "lets a group in");
        nsm_world_must(k.w, "chown 7 %s", parent);
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/x", parent)), 11,
                     "does not belong to root");
        nsm_world_must(k.w, "chown 0 %s && chmod 0700 %s", parent, parent);
        kit_must(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/x", parent)));
        job = kit_unmount(&k, nsm_world_printf(k.w, "%s/x", parent));
        nsm_world_must(k.w, "mkdir %s/bind && mount -t tmpfs x %s/bind", parent, parent);
        kit_must_not(k.w, kit_mount(&k, nsm_world_printf(k.w, "%s/bind", parent)), 11,
                     "something is mounted");
        kit_must_not(k.w, kit_unmount(&k, nsm_world_printf(k.w, "%s/bind", parent)), 11,
                     "no view is mounted");
        kit_must(k.w, job);
}

Test(graft_host, faults_leave_nothing)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(NULL);
        const char *parent = make_parent(&k);

        for (int step = NSM_STEP_BEGIN; step < NSM_STEP_COUNT; step++)
                for (int fault = 0; fault < 2; fault++) {
                        const char *dir = nsm_world_printf(k.w, "%s/root", parent);
                        struct kit_job job = kit_mount(&k, dir);
                        struct nsm_output *o;

                        if (fault == 0)
                                job.request.fault.fail_at = step;
                        else
                                job.request.fault.kill_helper_at = step;
                        o = kit_run(k.w, job);
                        if (o->status == 0)
                                kit_must(k.w, kit_unmount(&k, dir));
                        else
                                cr_assert_neq(nsm_world_run(k.w, "test -e %s", dir)->status, 0,
                                              "fault %d at step %d: %s", fault, step, o->out);
                        nsm_world_run(k.w, "rmdir %s", dir);
                }
        cr_assert_str_eq(nsm_world_must(k.w, "ls %s", parent), "");
}

/* ---- whether it is there still ---- */

struct presence_check {
        struct nsm_place places[3];
        struct nsm_presence presence[3];
        bool by_scan;
};

static int check_presence(void *arg)
{
        struct presence_check *check = arg;
        struct nsm_error err = { 0 };

        for (int i = 0; check->by_scan && i < 3; i++)
                check->places[i].mount_id_unique = 0;
        if (nsm_place_check(check->places, 3, true, check->presence, &err) < 0)
                return 1;
        for (int i = 0; i < 3; i++)
                printf("%d:%d ", check->presence[i].alive, check->presence[i].pid);
        fflush(stdout);
        return 0;
}

static void presence_is(bool by_scan)
{
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        struct presence_check check = { .by_scan = by_scan };
        struct nsm_fake_container *other = nsm_tenant_add_container(k.t, NULL);
        pid_t a = k.c->pid, b = other->pid;

        check.places[0] = place_of(kit_must(k.w, kit_attach(k.c, k.view, "/a")));
        check.places[1] = place_of(kit_must(k.w, kit_attach(k.c, k.view, "/b")));
        check.places[2] = place_of(kit_must(k.w, kit_attach(other, k.view, NULL)));
        cr_assert_str_eq(nsm_world_call(k.w, check_presence, &check)->out,
                         nsm_world_printf(k.w, "1:%d 1:%d 1:%d ", a, a, b));
        nsm_container_must(k.c, "umount /b");
        cr_assert_str_eq(nsm_world_call(k.w, check_presence, &check)->out,
                         nsm_world_printf(k.w, "1:%d 0:%d 1:%d ", a, a, b));
        nsm_container_kill(other);
        cr_assert_str_eq(nsm_world_call(k.w, check_presence, &check)->out,
                         nsm_world_printf(k.w, "1:%d 0:%d 0:0 ", a, a));
}

/* The kernel gives a dead namespace's inode number to the next one that is made. */
Test(graft_presence, no_stranger_with_its_inode_number)
{
        KIT_REQUIRE();
        cleanup_kit struct kit k = kit_new(&tmpfs_root);
        struct presence_check check = { 0 };
        struct nsm_place *dead = &check.places[1];

        check.places[0] = place_of(kit_must(k.w, kit_attach(k.c, k.view, "/a")));
        *dead = check.places[2] = check.places[0];
        dead->mount_namespace_id ^= UINT64_C(1) << 40;
        check.places[2].mount_id_unique ^= UINT64_C(1) << 40;
        cr_assert_str_eq(nsm_world_call(k.w, check_presence, &check)->out,
                         nsm_world_printf(k.w, "1:%d 0:0 0:%d ", k.c->pid, k.c->pid));
}

Test(graft_presence, by_unique_numbers)
{
        KIT_REQUIRE();
        presence_is(false);
}

Test(graft_presence, by_scan)
{
        KIT_REQUIRE();
        presence_is(true);
}
