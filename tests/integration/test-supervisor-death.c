/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What dies, and who goes on: workers, supervisors, helpers. */
#include <fcntl.h>

#include "tests/integration/supervisor-kit.h"

/* ---- workers ---- */

Test(worker, its_death_is_noticed_and_nothing_hangs)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);
        struct nsm_process *reader;
        struct nsm_output *o;
        pid_t worker;

        nsm_world_must(k.w, "nsmount attach acme --pid %d", a->pid);
        worker = kit_view_pid(k.w, "acme/root");
        reader = nsm_container_spawn(a, "while ls / >/dev/null 2>&1; do :; done");
        kill(worker, SIGKILL);
        cr_assert_neq(nsm_process_wait(reader, NSM_HARNESS_LIMIT_MS)->status, -ETIME,
                      "a caller hangs");
        o = nsm_container_run(a, "cat /etc/hostname");
        cr_assert_neq(o->status, 0);
        cr_assert_neq(o->status, -ETIME);
        cr_assert_str_eq(kit_view_text(k.w, "acme/root", "state"), "dead");
        cr_assert_not_null(strstr(nsm_world_read_file(k.w, k.w->log), "acme/root: signal 9"));

        nsm_world_must(k.w, "nsmount attach acme --pid %d", b->pid);
        cr_assert_str_eq(nsm_container_must(b, "cat /etc/hostname"), "acme\n");
        cr_assert_eq(kit_count(k.w, "views"), 2, "the dead one, which has a graft, and the new");
        nsm_container_kill(a);
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
        cr_assert_eq(kit_count(k.w, "views"), 1);
}

/* A supervisor whose nsmountfs is a script. */
static struct kit kit_with_worker(const char *script)
{
        struct kit k = { .w = nsm_world_new() };

        k.t = nsm_world_add_tenant(k.w, "acme");
        nsm_world_must(k.w, "mkdir bin; cp %s/nsmountd bin/; printf '#!/bin/sh\\n%s\\n' "
                       "> bin/nsmountfs; chmod +x bin/nsmountfs", k.w->build_dir, script);
        nsm_world_must(k.w, "bin/nsmountd 2>nsmountd.log");
        return k;
}

Test(worker, one_that_cannot_start_is_a_failed_attach)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_with_worker("echo no such luck >&2; exit 3");
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        const char *before = nsm_container_mountinfo(c);

        kit_refused(nsm_world_run(k.w, "nsmount attach acme --pid %d", c->pid), "exit status 3");
        cr_assert_str_eq(nsm_container_mountinfo(c), before);
        cr_assert_not_null(strstr(nsm_world_read_file(k.w, k.w->log), "no such luck"));
        cr_assert_eq(kit_count(k.w, "views"), 0);
        cr_assert_eq(kit_count(k.w, "grafts"), 0);
        nsm_world_must(k.w, "rm bin/nsmountfs");
        kit_refused(nsm_world_run(k.w, "nsmount attach acme --pid %d", c->pid), "exit status 127");
}

Test(worker, one_that_dies_while_it_starts)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_with_worker("exec sleep 1000");
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        struct nsm_process *p = nsm_world_spawn(k.w, "exec nsmount attach acme --pid %d", c->pid);
        pid_t worker = 0;

        while (worker == 0)
                worker = kit_view_pid(k.w, "acme/root");
        cr_assert_str_eq(kit_view_text(k.w, "acme/root", "state"), "starting");
        kill(worker, SIGKILL);
        kit_refused(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS), "signal 9");
}

Test(worker, without_dev_fuse)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);

        nsm_world_must(w, "unshare -m sh -c 'mkdir d && mount -t tmpfs none d && mkdir d/shm &&"
                       " cp -a /dev/null /dev/zero /dev/urandom d/ && mount --move d /dev &&"
                       " exec nsmountd'");
        kit_refused(nsm_world_run(w, "nsmount attach acme --pid %d", c->pid), "modprobe fuse");
}

/* ---- supervisors ---- */

Test(supervisor, killed_and_started_again_it_adopts)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(1);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);
        pid_t worker;

        nsm_world_must(k.w, "nsmount attach acme --pid %d", a->pid);
        worker = kit_view_pid(k.w, "acme/root");
        cr_assert_eq(nsm_world_end_supervisor(k.w, SIGKILL), 128 + SIGKILL);
        nsm_container_must(a, "echo alone > /x");
        nsm_world_start_supervisor(k.w);
        cr_assert_eq(kit_view_pid(k.w, "acme/root"), worker);
        cr_assert_str_eq(kit_view_text(k.w, "acme/root", "state"), "serving");
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
        kit_refused(nsm_world_run(k.w, "nsmount attach acme --pid %d", a->pid), "already attached");
        nsm_world_must(k.w, "nsmount attach acme --pid %d", b->pid);
        cr_assert_eq(kit_view_pid(k.w, "acme/root"), worker);
        cr_assert_str_eq(nsm_container_must(b, "cat /x"), "alone\n");
        nsm_container_kill(a);
        nsm_container_kill(b);
        cr_assert(nsm_process_wait_gone(worker, NSM_HARNESS_LIMIT_MS),
                  "an adopted view is closed like any other");
}

Test(supervisor, stopped_in_good_order_it_leaves_all)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        pid_t worker;

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        worker = kit_view_pid(k.w, "acme/root");
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(nsm_world_end_supervisor(k.w, SIGTERM), 0);
                cr_assert_str_eq(nsm_container_must(c, "cat /etc/hostname"), "acme\n");
                nsm_world_start_supervisor(k.w);
                cr_assert_eq(kit_view_pid(k.w, "acme/root"), worker);
        }
}

Test(supervisor, what_died_without_it_is_seen)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);
        pid_t worker;

        nsm_tenant_add_volume(k.t, "data");
        nsm_world_must(k.w, "nsmount reload; nsmount attach acme --pid %d", a->pid);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --volume data --at /mnt", b->pid);
        worker = kit_view_pid(k.w, "acme/data");
        nsm_world_end_supervisor(k.w, SIGKILL);
        kill(worker, SIGKILL);
        nsm_container_kill(a);
        nsm_world_start_supervisor(k.w);
        cr_assert_str_eq(kit_view_text(k.w, "acme/data", "state"), "dead");
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
        cr_assert_neq(nsm_container_run(b, "ls /mnt")->status, 0);
}

Test(supervisor, a_record_that_is_no_record_is_set_aside)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        nsm_world_end_supervisor(k.w, SIGKILL);
        nsm_world_must(k.w, "echo '{' > run/records/view-77.json; echo x > run/records/a.part;"
                       "echo '{\"boot\":\"other\"}' > run/records/graft-77.json;"
                       "sed 's/\"pid\":[0-9]*/\"pid\":1/' run/records/view-1.json "
                       "> run/records/view-78.json");
        nsm_world_start_supervisor(k.w);
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
        cr_assert_eq(kit_count(k.w, "views"), 1);
        nsm_world_must(k.w, "ls run/records; test -e run/records/view-77.json.bad &&"
                       " ! test -e run/records/a.part && ! test -e run/records/graft-77.json");
        nsm_world_must(k.w, "kill -0 1");
}

/* ---- killed at any instant ---- */

/* Processes of nsmountfs whose supervisor has our runtime directory: by their parent's tree. */
static int count_workers(struct nsm_world *w)
{
        return atoi(nsm_world_must(w, "n=0; for p in /proc/[0-9]*; do "
                                   "[ \"$(readlink $p/exe)\" = '%s/nsmountfs' ] || continue; "
                                   "readlink $p/fd/2 | grep -q \"^$PWD/\" && n=$((n+1)); done; "
                                   "echo $n", w->build_dir));
}

static bool has_view_at_root(struct nsm_fake_container *c)
{
        return strstr(nsm_container_mountinfo(c), " / / ") != NULL &&
               strstr(nsm_container_mountinfo(c), "fuse.nsmountfs") != NULL;
}

/* Attaches, kills the supervisor after @delay_us, starts it again, and looks. */
static void attach_and_kill(struct kit *k, useconds_t delay_us)
{
        struct nsm_fake_container *c = nsm_tenant_add_container(k->t, NULL);
        const char *before = nsm_container_mountinfo(c);
        struct nsm_process *p = nsm_world_spawn(k->w, "exec nsmount attach acme --pid %d", c->pid);
        size_t grafts;

        usleep(delay_us);
        nsm_world_end_supervisor(k->w, SIGKILL);
        nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
        nsm_world_start_supervisor(k->w);
        grafts = kit_count(k->w, "grafts");
        if (grafts == 0)
                cr_assert_str_eq(nsm_container_mountinfo(c), before, "after %u us: %s",
                                 (unsigned)delay_us, nsm_container_mountinfo(c));
        else
                cr_assert(has_view_at_root(c), "after %u us: %s", (unsigned)delay_us,
                          nsm_container_mountinfo(c));
        if (grafts == 0)
                nsm_world_must(k->w, "nsmount attach acme --pid %d", c->pid);
        cr_assert_str_eq(nsm_container_must(c, "cat /etc/hostname"), "acme\n");
        cr_assert_eq((size_t)count_workers(k->w), kit_count(k->w, "views"), "a worker has leaked");
        nsm_container_kill(c);
        cr_assert_eq(kit_count(k->w, "grafts"), 0);
}

Test(supervisor, killed_during_an_attach, .timeout = 280)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(0);

        srandom(20);
        for (int i = 0; i < 30; i++)
                attach_and_kill(&k, (useconds_t)(random() % 25000));
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_no_views, k.w));
        cr_assert_eq(count_workers(k.w), 0);
}
