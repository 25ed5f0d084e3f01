/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A helper that is stopped or killed at work, with its supervisor or without. */
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include "tests/integration/supervisor-kit.h"

/* A child of @parent named nsm-helper, or 0. */
static pid_t find_helper(pid_t parent)
{
        char path[64], name[32];
        FILE *f;
        int pid, found = 0;

        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
        f = fopen(path, "re");
        while (f && !found && fscanf(f, "%d", &pid) == 1) {
                FILE *comm;

                snprintf(path, sizeof path, "/proc/%d/comm", pid);
                comm = fopen(path, "re");
                if (comm && fgets(name, sizeof name, comm) && strcmp(name, "nsm-helper\n") == 0)
                        found = pid;
                if (comm)
                        fclose(comm);
        }
        if (f)
                fclose(f);
        return found;
}

/* Whether a process that was sent SIGSTOP has stopped, and not ended before. */
static bool has_stopped(pid_t pid)
{
        char path[64], state = '?';

        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        for (int i = 0; i < 10000 && state != 'T' && state != 'Z'; i++) {
                FILE *f;

                usleep(i ? 1000 : 0);
                f = fopen(path, "re");

                if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
                        state = 'Z';
                if (f)
                        fclose(f);
        }
        return state == 'T';
}

/* The view serves already, so that an attach is its helper's work alone. */
static struct kit new_with_view(void)
{
        struct kit k = kit_new(60);
        struct nsm_fake_container *other = nsm_tenant_add_container(k.t, NULL);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", other->pid);
        return k;
}

struct met {
        struct nsm_fake_container *c;
        const char *before;    /* its mounts */
        struct nsm_process *p; /* the attach */
        pid_t helper;
};

/* Attaches, and sends @sig to the helper; once more elsewhere when it was too quick. */
static struct met signal_helper(struct kit *k, int sig)
{
        for (int i = 0; i < 50; i++) {
                struct met met = { .c = nsm_tenant_add_container(k->t, NULL) };

                met.before = nsm_container_mountinfo(met.c);
                met.p = nsm_world_spawn(k->w, "exec nsmount attach acme --pid %d", met.c->pid);
                for (int n = 0; n < 20000 && met.helper == 0; n++)
                        met.helper = find_helper(k->w->supervisor);
                if (met.helper && kill(met.helper, sig) == 0 &&
                    (sig == SIGKILL || has_stopped(met.helper)))
                        return met;
                nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS);
                nsm_container_kill(met.c);
        }
        nsm_harness_die("the helper was never met");
}

Test(helper, killed_it_is_made_up_for)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = new_with_view();
        struct met met = signal_helper(&k, SIGKILL);
        struct nsm_output *o = nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS);

        if (o->status != 0) {
                cr_assert_eq(o->status, 1);
                cr_assert_eq(kit_count(k.w, "grafts"), 1);
                cr_assert_str_eq(nsm_container_mountinfo(met.c), met.before);
                nsm_world_must(k.w, "nsmount attach acme --pid %d", met.c->pid);
        }
        cr_assert_eq(kit_count(k.w, "grafts"), 2);
        cr_assert_str_eq(nsm_container_must(met.c, "cat /etc/hostname"), "acme\n");
}

static bool waits_for_helper(void *world)
{
        return nsm_world_run(world, "grep -q 'waiting for helper' next.log")->status == 0;
}

/* The next supervisor waits for the helper of the one before, and then looks. */
Test(helper, it_outlives_its_supervisor)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = new_with_view();
        struct met met = signal_helper(&k, SIGSTOP);
        struct nsm_process *next, *list;

        nsm_world_end_supervisor(k.w, SIGKILL);
        next = nsm_world_spawn(k.w, "exec nsmountd 2>next.log");
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, waits_for_helper, k.w));
        list = nsm_world_spawn(k.w, "exec nsmount list");
        cr_assert_eq(poll(&(struct pollfd){ .fd = list->status_fd, .events = POLLIN }, 1, 300), 0,
                     "a request waits, too");
        kill(met.helper, SIGCONT);
        cr_assert_eq(nsm_process_wait(list, NSM_HARNESS_LIMIT_MS)->status, 0);
        kit_refused(nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS), "ended before it answered");
        cr_assert_eq(nsm_process_wait(next, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert_not_null(strstr(nsm_world_must(k.w, "cat next.log"), "waiting for helper"));
        if (kit_count(k.w, "grafts") == 1) {
                cr_assert_str_eq(nsm_container_mountinfo(met.c), met.before);
                nsm_world_must(k.w, "nsmount attach acme --pid %d", met.c->pid);
        }
        cr_assert_str_eq(nsm_container_must(met.c, "cat /etc/hostname"), "acme\n");
}

/* One container's helper does not keep others waiting. */
Test(helper, a_slow_one_holds_up_its_own_container_alone)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = new_with_view();
        struct nsm_fake_container *other = nsm_tenant_add_container(k.t, NULL);
        struct met met = signal_helper(&k, SIGSTOP);
        struct nsm_process *second = nsm_world_spawn(k.w, "exec nsmount attach acme --pid %d",
                                                     met.c->pid);

        nsm_world_must(k.w, "nsmount attach acme --pid %d", other->pid);
        nsm_world_must(k.w, "nsmount list");
        kill(met.helper, SIGCONT);
        cr_assert_eq(nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS)->status, 0);
        kit_refused(nsm_process_wait(second, NSM_HARNESS_LIMIT_MS), "already attached");
}

/* A terminal: what is written to *ret_path comes out of the descriptor. */
static int open_terminal(struct nsm_world *w, const char **ret_path)
{
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

        if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0)
                nsm_harness_die("no terminal: %s", strerror(errno));
        *ret_path = nsm_world_printf(w, "%s", ptsname(fd));
        return fd;
}

Test(helper, who_waits_for_it_is_told_on_a_terminal)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = new_with_view();
        struct met met = signal_helper(&k, SIGSTOP);
        const char *path;
        int terminal = open_terminal(k.w, &path);
        struct nsm_process *second = nsm_world_spawn(k.w, "exec nsmount attach acme --pid %d 2>%s",
                                                     met.c->pid, path);
        char text[128] = "";

        cr_assert_gt(read(terminal, text, sizeof text - 1), 0);
        cr_assert_not_null(strstr(text, "waiting for another request"), "%s", text);
        kill(met.helper, SIGCONT);
        cr_assert_eq(nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert_eq(nsm_process_wait(second, NSM_HARNESS_LIMIT_MS)->status, 1);
        close(terminal);
}

/* Asked to end, the supervisor lets its helpers finish, and begins nothing more. */
Test(helper, a_stop_waits_for_it)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = new_with_view();
        struct met met = signal_helper(&k, SIGSTOP);
        struct nsm_process *second = nsm_world_spawn(k.w, "exec nsmount attach acme --pid %d",
                                                     met.c->pid);

        /* It waits for an answer; whoever is answered now came behind it. */
        cr_assert(nsm_process_wait_asleep(second->pid, SYS_recvmsg, NSM_HARNESS_LIMIT_MS));
        nsm_world_must(k.w, "nsmount list && nsmount list");
        kill(k.w->supervisor, SIGTERM);
        kit_refused(nsm_process_wait(second, NSM_HARNESS_LIMIT_MS), "is being stopped");
        kill(met.helper, SIGCONT);
        cr_assert_eq(nsm_process_wait(met.p, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert(nsm_process_wait_gone(k.w->supervisor, NSM_HARNESS_LIMIT_MS));
        cr_assert_str_eq(nsm_container_must(met.c, "cat /etc/hostname"), "acme\n");
}
