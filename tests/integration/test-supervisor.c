/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmountd: how it begins and ends, its configuration, its views. */
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/integration/supervisor-kit.h"

/* ---- beginning ---- */

Test(begin, one_per_runtime_directory)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);

        kit_refused(nsm_world_run(k.w, "nsmountd -f"), "nsmountd runs there already (pid ");
        nsm_world_must(k.w, "nsmountd --runtime-dir \"$PWD/other\"");
        nsm_world_must(k.w, "nsmount --runtime-dir \"$PWD/other\" list");
        nsm_world_must(k.w, "nsmount list");
}

Test(begin, the_runtime_directory_must_be_roots_alone)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "mkdir -m 0755 open; mkdir -m 0700 alien; chown 65534 alien;"
                       "mkdir -m 0700 good; ln -s good link; touch file");
        kit_refused(nsm_world_run(w, "nsmountd -f --runtime-dir open"), "is open to others");
        kit_refused(nsm_world_run(w, "nsmountd -f --runtime-dir alien"), "belongs to user 65534");
        kit_refused(nsm_world_run(w, "nsmountd -f --runtime-dir link"), "link: cannot open");
        kit_refused(nsm_world_run(w, "nsmountd -f --runtime-dir file"), "file: cannot open");
        kit_refused(nsm_world_run(w, "nsmountd -f --runtime-dir no/parent"), "cannot make");
        nsm_world_must(w, "nsmountd --runtime-dir good");
}

Test(begin, an_alien_socket_is_not_replaced)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_must(w, "touch run/control");
        kit_refused(nsm_world_run(w, "nsmountd -f"), "is no socket of root's");
        nsm_world_must(w, "rm run/control");
        nsm_world_start_supervisor(w);
        cr_assert_eq(nsm_world_end_supervisor(w, SIGKILL), 128 + SIGKILL);
        nsm_world_must(w, "test -S run/control");
        nsm_world_start_supervisor(w); /* what a dead nsmountd left is replaced */
        nsm_world_must(w, "nsmount list");
}

Test(begin, who_started_it_may_end)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        /* Neither is waited for: who reads its stderr, nor a shell that collects it. */
        nsm_world_must(w, "nsmountd 2>&1 | true; nsmount reload && nsmount reload");
        nsm_world_must(w, "x=$(nsmountd --runtime-dir \"$PWD/other\" 2>&1)");
        nsm_world_must(w, "nsmount --runtime-dir \"$PWD/other\" reload");
}

Test(begin, what_is_configured_meanwhile_is_known)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        for (int i = 0; i < 12; i++) {
                nsm_world_must(w, "mkdir -p storage/t%d; nsmountd -f 2>>log & daemon=$!;"
                               " until test -e run/lock; do :; done;"
                               " nsmount tenant add t%d --ids %u:10 --volume root=$PWD/storage/t%d &&"
                               " until nsmount list >names 2>/dev/null; do :; done;"
                               " kill $daemon; wait $daemon; rm run/lock; grep -q '^t%d ' names",
                               i, i, w->first_id + 10 * (unsigned)i, i, i);
        }
}

Test(begin, without_privilege)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        kit_refused(nsm_world_run(w, "setpriv --bounding-set=-sys_admin --inh-caps=-all "
                                  "nsmountd -f"), "run it as root");
        kit_refused(nsm_world_run(w, "exec 3<%s/nsmountd; setpriv --reuid=65534 --clear-groups "
                                  "/proc/self/fd/3 -f", w->build_dir), "run it as root");
}

Test(begin, bad_usage)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        cr_assert_eq(nsm_world_run(w, "nsmountd --nothing")->status, 2);
        cr_assert_eq(nsm_world_run(w, "nsmountd argument")->status, 2);
        cr_assert_eq(nsm_world_run(w, "nsmountd --version")->status, 0);
}

Test(begin, nobody_serves_after_sigterm)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);

        cr_assert_eq(nsm_world_end_supervisor(k.w, SIGTERM), 0);
        kit_refused(nsm_world_run(k.w, "nsmount list"), "nsmountd is not running");
}

/* What sd_notify(3) said within 10 s, or "". */
static const char *receive_notice(int fd)
{
        static char text[256];
        struct timeval limit = { .tv_sec = 10 };
        ssize_t n;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        n = recv(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        return text;
}

Test(begin, the_service_manager_is_told)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct nsm_process *p;

        snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", w->dir);
        cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        p = nsm_world_spawn(w, "NOTIFY_SOCKET=\"$PWD/notify\" exec nsmountd -f");
        cr_assert_str_eq(receive_notice(fd), "READY=1");
        nsm_world_must(w, "nsmount list");
        kill(p->pid, SIGHUP);
        cr_assert_eq(strncmp(receive_notice(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
        cr_assert_str_eq(receive_notice(fd), "READY=1");
        kill(p->pid, SIGTERM);
        cr_assert_str_eq(receive_notice(fd), "STOPPING=1");
        cr_assert_eq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);
        close(fd);
}

/* ---- configuration ---- */

Test(configuration, bad_at_the_beginning)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();

        nsm_world_add_tenant(w, "acme");
        nsm_world_must(w, "echo 'colour = red' >> etc/tenants.d/acme.conf");
        kit_refused(nsm_world_run(w, "nsmountd -f"), "acme.conf:");
}

Test(configuration, a_bad_one_does_not_replace_the_running_one)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "cp etc/tenants.d/acme.conf good; "
                       "echo 'colour = red' >> etc/tenants.d/acme.conf");
        kit_refused(nsm_world_run(k.w, "nsmount reload"), "acme.conf:");
        kill(k.w->supervisor, SIGHUP);
        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        cr_assert_not_null(strstr(nsm_world_read_file(k.w, k.w->log), "configuration stays"));
        nsm_world_must(k.w, "cp good etc/tenants.d/acme.conf; nsmount reload");
}

Test(configuration, a_new_tenant_is_taken_in)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_tenant *new = nsm_world_add_tenant(k.w, "globex");
        struct nsm_fake_container *c = nsm_tenant_add_container(new, NULL);

        kit_refused(nsm_world_run(k.w, "nsmount attach globex --pid %d", c->pid), "globex");
        nsm_world_must(k.w, "nsmount reload");
        nsm_world_must(k.w, "nsmount attach globex --pid %d", c->pid);
        cr_assert_str_eq(nsm_container_must(c, "cat /etc/hostname"), "globex\n");
}

Test(configuration, former_settings_are_not_given_to_new_grafts)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", a->pid);
        nsm_tenant_configure(k.t, "root", "access = ro\n");
        cr_assert_not_null(strstr(nsm_world_must(k.w, "nsmount reload --json"), "acme/root"));
        nsm_container_must(a, "touch /still-writable");
        kit_refused(nsm_world_run(k.w, "nsmount attach acme --pid %d", b->pid),
                    "still served with its former settings");
        nsm_container_kill(a);
        nsm_world_must(k.w, "nsmount attach acme --pid %d", b->pid);
        cr_assert_neq(nsm_container_run(b, "touch /not-writable")->status, 0);
}

/* ---- views ---- */

Test(views, start_on_first_use_and_are_shared)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *a = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *b = nsm_tenant_add_container(k.t, NULL);
        pid_t worker;

        cr_assert_eq(kit_count(k.w, "views"), 0);
        nsm_world_must(k.w, "nsmount attach acme --pid %d", a->pid);
        worker = kit_view_pid(k.w, "acme/root");
        cr_assert_gt(worker, 0);
        nsm_world_must(k.w, "nsmount attach acme --pid %d", b->pid);
        cr_assert_eq(kit_view_pid(k.w, "acme/root"), worker);
        cr_assert_eq(kit_count(k.w, "views"), 1);
        cr_assert_eq(kit_count(k.w, "grafts"), 2);
        cr_assert_eq(kit_count(k.w, "containers"), 2);
        nsm_container_must(a, "echo shared > /x");
        cr_assert_str_eq(nsm_container_must(b, "cat /x"), "shared\n");
}

Test(views, a_read_only_one_is_beside)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --read-only --at /mnt", c->pid);
        cr_assert_neq(kit_view_pid(k.w, "acme/root"), kit_view_pid(k.w, "acme/root:ro"));
        nsm_container_must(c, "echo new > /x");
        cr_assert_str_eq(nsm_container_must(c, "cat /mnt/x"), "new\n");
        nsm_container_must(c, "echo newer > /x");
        cr_assert_str_eq(nsm_container_must(c, "cat /mnt/x"), "newer\n");
        cr_assert_neq(nsm_container_run(c, "touch /mnt/y")->status, 0);
        cr_assert_neq(nsm_container_run(c, "mount -o remount,bind,rw /mnt && touch /mnt/y")->status,
                      0);
}

Test(views, a_read_only_volume_has_one)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);

        nsm_tenant_configure(t, "root", "access = ro\n");
        nsm_world_start_supervisor(w);
        nsm_world_must(w, "nsmount attach acme --pid %d", c->pid);
        nsm_world_must(w, "nsmount attach acme --pid %d --read-only --at /mnt", c->pid);
        cr_assert_eq(kit_count(w, "views"), 1);
        cr_assert_neq(nsm_container_run(c, "touch /x")->status, 0);
}

Test(views, close_when_unused)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(0);
        struct nsm_fake_tenant *beta = nsm_world_add_tenant(k.w, "beta");
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        struct nsm_fake_container *unused = nsm_tenant_add_container(beta, NULL);
        pid_t worker;

        nsm_world_must(k.w, "nsmount reload && nsmount attach acme --pid %d", c->pid);
        worker = kit_view_pid(k.w, "acme/root");
        /* When this one is closed, that could have been, too. */
        nsm_world_must(k.w, "nsmount attach beta --pid %d", unused->pid);
        nsm_container_kill(unused);
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_one_view, k.w));
        cr_assert_eq(kit_view_pid(k.w, "acme/root"), worker, "it is in use");
        nsm_container_kill(c);
        cr_assert(nsm_process_wait_gone(worker, NSM_HARNESS_LIMIT_MS));
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, kit_has_no_views, k.w));
        cr_assert_eq(kit_count(k.w, "grafts"), 0);
        nsm_world_must(k.w, "! ls run/records | grep -e view -e graft");
}

Test(views, warn_of_mounts_below_the_source)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        struct nsm_output *o;

        nsm_world_must(k.w, "cd %s && mkdir other 'one more' && mount -t tmpfs none other && "
                       "mount -t tmpfs none 'one more' && touch other/x", k.t->root);
        o = nsm_world_run(k.w, "nsmount attach acme --pid %d", c->pid);
        cr_assert_eq(o->status, 0, "%s", o->err);
        cr_assert_not_null(strstr(o->err, "/other is a mount of its own"), "%s", o->err);
        cr_assert_not_null(strstr(o->err, "/one more is a mount of its own"), "%s", o->err);
        cr_assert_str_eq(nsm_container_must(c, "ls /other"), "");
        nsm_world_must(k.w, "cd %s && umount other 'one more'", k.t->root);
}

/* As systemd leaves it: all mounts of the host shared. */
Test(views, of_a_shared_source)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);
        struct nsm_output *o;

        nsm_world_must(w, "unshare -m --propagation shared nsmountd");
        o = nsm_world_run(w, "nsmount attach acme --pid %d", c->pid);
        cr_assert_eq(o->status, 0, "%s", o->err);
        cr_assert_str_eq(nsm_container_must(c, "cat /etc/hostname"), "acme\n");
        cr_assert_null(strstr(nsm_container_mountinfo(c), "shared:"));
}

/* ---- requests ---- */

Test(requests, unknown_names)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);

        kit_refused(nsm_world_run(k.w, "nsmount attach nobody --pid %d", c->pid), "nobody");
        kit_refused(nsm_world_run(k.w, "nsmount attach acme --volume none --pid %d", c->pid),
                    "none");
        kit_refused(nsm_world_run(k.w, "nsmount detach g7"), "there is no graft g7");
        kit_refused(nsm_world_run(k.w, "nsmount detach acme --pid %d", c->pid),
                    "has no graft at /");
        kit_refused(nsm_world_run(k.w, "nsmount unmount /nowhere"), "no view is mounted at");
        cr_assert_eq(kit_count(k.w, "views"), 0, "nothing was started for a refused request");
}

Test(requests, another_tenants_container_is_refused)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *a = nsm_world_add_tenant(w, "acme");
        struct nsm_fake_tenant *b = nsm_world_add_tenant(w, "globex");
        struct nsm_fake_container *ca = nsm_tenant_add_container(a, NULL);
        struct nsm_fake_container *cb = nsm_tenant_add_container(b, NULL);
        const char *before;

        nsm_world_start_supervisor(w);
        nsm_world_must(w, "nsmount attach globex --pid %d", cb->pid);
        before = nsm_container_mountinfo(cb);
        kit_refused(nsm_world_run(w, "nsmount attach acme --pid %d --at /mnt", cb->pid), "acme");
        kit_refused(nsm_world_run(w, "nsmount attach acme --pid %d", cb->pid), "acme");
        kit_refused(nsm_world_run(w, "nsmount detach acme --pid %d", cb->pid), "globex");
        kit_refused(nsm_world_run(w, "nsmount attach acme --pid %d", getpid()), "namespace");
        cr_assert_str_eq(nsm_container_mountinfo(cb), before);
        cr_assert_eq(kit_count(w, "views"), 1);
        nsm_world_must(w, "nsmount attach acme --pid %d", ca->pid);
}

Test(requests, of_one_container_are_served_one_by_one)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        struct nsm_process *p[8];
        int done = 0;

        for (int i = 0; i < 8; i++)
                p[i] = nsm_world_spawn(k.w, "exec nsmount attach acme --pid %d", c->pid);
        for (int i = 0; i < 8; i++) {
                struct nsm_output *o = nsm_process_wait(p[i], NSM_HARNESS_LIMIT_MS);

                if (o->status == 0)
                        done++;
                else
                        kit_refused(o, "already attached");
        }
        cr_assert_eq(done, 1);
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
}

Test(requests, detach_at_the_same_time)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = kit_new(60);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        struct nsm_process *p[4];
        int done = 0;

        nsm_world_must(k.w, "nsmount attach acme --pid %d", c->pid);
        nsm_tenant_add_volume(k.t, "data");
        nsm_world_must(k.w, "nsmount reload");
        nsm_world_must(k.w, "nsmount attach acme --volume data --pid %d --at /mnt", c->pid);
        for (int i = 0; i < 4; i++)
                p[i] = nsm_world_spawn(k.w, "exec nsmount detach acme --pid %d --at /mnt/", c->pid);
        for (int i = 0; i < 4; i++)
                done += nsm_process_wait(p[i], NSM_HARNESS_LIMIT_MS)->status == 0;
        cr_assert_eq(done, 1);
        cr_assert_eq(kit_count(k.w, "grafts"), 1);
}
