/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A storage that hangs: an ext4 that is frozen (fsfreeze(8)), on which whoever
 * changes something waits without end, and reading goes on.
 */
#include "tests/integration/supervisor-kit.h"

#define LIMIT_MS 30000
#define FILES 20 /* more than threads serve */

/* Thawed by itself after a while, should the test end otherwise. */
static void freeze(struct nsm_world *w)
{
        nsm_world_spawn(w, "exec sh -c 'sleep 50; fsfreeze -u store'");
        nsm_world_must(w, "fsfreeze -f store");
}

static void thaw(struct nsm_world *w)
{
        nsm_world_must(w, "fsfreeze -u store");
}

static struct nsm_world *world_with_store(void)
{
        struct nsm_world *w = nsm_world_new();

        /* In memory: freezing must not wait for what others write to the disk. */
        nsm_world_must(w, "mkdir -m 700 store disk && mount -t tmpfs -o size=48m tmpfs disk && "
                       "truncate -s 32M disk/image && mkfs.ext4 -q disk/image && "
                       "mount -o loop disk/image store && mkdir -p store/v/sub && "
                       "echo text >store/v/hello && "
                       "for i in $(seq %d); do echo >store/v/$i; done", FILES);
        return w;
}

static bool waits_for_a_view(void *arg)
{
        const struct nsm_process *p = arg;
        const char *wchan = nsm_world_read_file(
                p->world, nsm_world_printf(p->world, "/proc/%d/wchan", p->pid));

        return wchan && strstr(wchan, "request_wait") != NULL;
}

static struct nsm_process *spawn_stuck(struct nsm_world *w, const char *command)
{
        struct nsm_process *p = nsm_world_spawn(w, "exec %s", command);

        cr_assert(nsm_wait_until(LIMIT_MS, waits_for_a_view, p), "%s does not wait", command);
        return p;
}

static void check_usable(struct nsm_world *w)
{
        cr_assert_str_eq(nsm_world_must(w, "timeout 25 cat mnt/hello"), "text\n");
        nsm_world_must(w, "timeout 25 ls mnt/sub && timeout 25 ls mnt | grep -q hello && "
                       "timeout 25 stat mnt/1");
}

Test(view_stuck, callers_are_let_go_and_others_are_served, .timeout = 400)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = world_with_store();
        struct nsm_process *stuck[FILES], *maker;

        nsm_world_must(w, "mkdir mnt && nsmountfs store/v mnt -o idmap=0:0:65536");
        freeze(w);
        maker = spawn_stuck(w, "mkdir mnt/sub/new");
        for (int i = 0; i < FILES; i++)
                stuck[i] = spawn_stuck(w, nsm_world_printf(w, "truncate -c -s 9 mnt/%d", i + 1));
        cr_assert_str_eq(nsm_world_must(w, "timeout 25 cat mnt/hello"), "text\n");
        kill(maker->pid, SIGKILL);
        cr_assert_eq(nsm_process_wait(maker, LIMIT_MS)->status, 128 + SIGKILL);
        check_usable(w);
        kill(stuck[0]->pid, SIGTERM);
        cr_assert_eq(nsm_process_wait(stuck[0], LIMIT_MS)->status, 128 + SIGTERM);
        thaw(w);
        for (int i = 1; i < FILES; i++)
                cr_assert_eq(nsm_process_wait(stuck[i], LIMIT_MS)->status, 0);
        nsm_world_must(w, "test $(stat -c %%s mnt/%d) = 9 && umount mnt && umount store", FILES);
}

/* A handler is no reason to give up what the storage will do yet. */
Test(view_stuck, a_signal_that_ends_nobody_ends_no_request, .timeout = 400)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = world_with_store();
        struct nsm_process *caught, *killed;

        nsm_world_must(w, "mkdir mnt && nsmountfs store/v mnt -o idmap=0:0:65536");
        freeze(w);
        caught = spawn_stuck(w, "perl -e '$SIG{USR1} = sub { print \"caught\\n\" }; "
                                "truncate(\"mnt/1\", 9) or die $!'");
        killed = spawn_stuck(w, "truncate -c -s 9 mnt/2");
        kill(caught->pid, SIGUSR1);
        kill(killed->pid, SIGKILL);
        /* Looked at together, so by then the other one has been let wait. */
        cr_assert_eq(nsm_process_wait(killed, LIMIT_MS)->status, 128 + SIGKILL);
        cr_assert(waits_for_a_view(caught));
        thaw(w);
        struct nsm_output *o = nsm_process_wait(caught, LIMIT_MS);
        cr_assert_eq(o->status, 0, "%s", o->err);
        cr_assert_str_eq(o->out, "caught\n");
        nsm_world_must(w, "test $(stat -c %%s mnt/1) = 9 && umount mnt && umount store");
}

/* Nobody has to wait for the storage to get rid of a view of it. */
Test(view_stuck, is_unmounted, .timeout = 400)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = world_with_store();
        struct nsm_process *stuck;

        nsm_world_must(w, "mkdir mnt && nsmountfs store/v mnt -o idmap=0:0:65536");
        freeze(w);
        stuck = spawn_stuck(w, "truncate -s 9 mnt/1");
        nsm_world_run(w, "timeout 25 umount -f mnt"); /* busy, and its users get errors */
        cr_assert_neq(nsm_process_wait(stuck, LIMIT_MS)->status, 0);
        nsm_world_must(w, "timeout 25 umount -l mnt && ! mountpoint -q mnt");
        thaw(w);
        nsm_world_must(w, "for i in $(seq 200); do umount store 2>/dev/null && exit; sleep 0.1; "
                       "done; exit 1");
}

/* A process of a container that waits for a view: found by what it does. */
struct inside {
        struct nsm_fake_container *c;
        const char *command;
        pid_t pid;
};

static bool waits_inside(void *arg)
{
        struct inside *p = arg;

        p->pid = atoi(nsm_world_run(p->c->world, "for p in $(pgrep -x -f '%s'); do "
                                    "grep -q request_wait /proc/$p/wchan && echo $p; done",
                                    p->command)->out);
        return p->pid > 0;
}

Test(view_stuck, does_not_hold_up_the_supervisor, .timeout = 400)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = world_with_store();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c;
        struct nsm_process *stuck;

        kit_configure(w, "[daemon]\nidle-close = 0\n");
        nsm_world_must(w, "sed -i 's|^source = .*|source = %s/store/v|' etc/tenants.d/acme.conf",
                       w->dir);
        nsm_world_start_supervisor(w);
        c = nsm_tenant_add_container(t, NULL);
        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt", c->pid);
        freeze(w);
        struct inside p = { c, nsm_world_printf(w, "truncate -c -s 9 /mnt/../mnt/1 %s/no", w->dir),
                            0 };
        stuck = nsm_container_spawn(c, "exec %s", p.command);
        cr_assert(nsm_wait_until(LIMIT_MS, waits_inside, &p));
        cr_assert_str_eq(kit_view_text(w, "acme/root", "state"), "serving");
        kill(p.pid, SIGKILL);
        cr_assert_eq(nsm_process_wait(stuck, LIMIT_MS)->status, 128 + SIGKILL);
        nsm_world_must(w, "timeout 25 nsmount detach acme --pid %d --at /mnt", c->pid);
        nsm_world_must(w, "timeout 25 nsmount list >list && timeout 25 nsmount reload");
        thaw(w);
        cr_assert(nsm_wait_until(LIMIT_MS, kit_has_no_views, w), "%s",
                  nsm_world_must(w, "nsmount list --json"));
        nsm_world_must(w, "for i in $(seq 200); do umount store 2>/dev/null && exit; sleep 0.1; "
                       "done; exit 1");
}
