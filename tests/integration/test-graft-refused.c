/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers that are not attached: wrong processes, wrong ids. */
#include <pthread.h>
#include <signal.h>

#include "tests/integration/graft-kit.h"

/* ---- processes that are no container ---- */

static const char *must_not_open(struct nsm_world *w, pid_t pid, const char *text)
{
        struct kit_job job = { .pid = pid, .request = { .job = NSM_JOB_ATTACH, .view_fd = -1,
                                               .fuse_fd = -1 } };

        return kit_must_not(w, job, 9, text);
}

Test(graft_target, process_that_is_gone)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_process *p = nsm_world_spawn(w, "true");
        pid_t pid = p->pid;

        nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
        nsm_process_wait_gone(pid, NSM_HARNESS_LIMIT_MS);
        must_not_open(w, pid, "there is no process");
        must_not_open(w, 0x7ffffff0, "there is no process");
}

Test(graft_target, process_of_the_host)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_process *p = nsm_world_spawn(w, "exec unshare --mount sleep 1000");

        must_not_open(w, getpid(), "no user namespace of its own");
        must_not_open(w, p->pid, "no user namespace of its own");
        kill(p->pid, SIGKILL);
}

static bool has_other_user_namespace(void *arg)
{
        char ours[64] = "", theirs[64] = "", path[48];

        snprintf(path, sizeof path, "/proc/%d/ns/user", *(pid_t *)arg);
        return readlink("/proc/self/ns/user", ours, sizeof ours - 1) > 0 &&
               readlink(path, theirs, sizeof theirs - 1) > 0 && strcmp(ours, theirs) != 0;
}

Test(graft_target, process_without_a_mount_namespace)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_process *p = nsm_world_spawn(w, "exec unshare --user sleep 1000");

        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_other_user_namespace, &p->pid));
        must_not_open(w, p->pid, "no mount namespace of its own");
        kill(p->pid, SIGKILL);
        p = nsm_world_spawn(w, "exec unshare --mount unshare --user sleep 1000");
        cr_assert(nsm_wait_until(NSM_HARNESS_LIMIT_MS, has_other_user_namespace, &p->pid));
        must_not_open(w, p->pid, "does not belong to its user namespace");
        kill(p->pid, SIGKILL);
}

static void *tell_tid(void *arg)
{
        pid_t tid = gettid();

        if (write(*(int *)arg, &tid, sizeof tid) == sizeof tid)
                for (;;)
                        pause();
        return NULL;
}

Test(graft_target, thread)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        pthread_t thread;
        int ready[2];
        pid_t tid;

        cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
        cr_assert_eq(pthread_create(&thread, NULL, tell_tid, &ready[1]), 0);
        cr_assert_eq(read(ready[0], &tid, sizeof tid), sizeof tid);
        must_not_open(w, tid, "is a thread of process");
}

/* ---- ids ---- */

struct id_check {
        pid_t pid;
        const char *uids, *gids; /* what the tenant may */
};

static int check_ids(void *arg)
{
        const struct id_check *check = arg;
        cleanup_idmap struct nsm_idmap uids = { 0 }, gids = { 0 };
        cleanup_target struct nsm_target *target = NULL;
        struct nsm_error err = { 0 };
        int pidfd, r = nsm_idmap_parse_proc(check->uids, &uids, &err);

        if (r == 0)
                r = nsm_idmap_parse_proc(check->gids, &gids, &err);
        if (r == 0)
                r = nsm_target_open_pidfd(check->pid, &pidfd, &err);
        if (r == 0)
                r = nsm_target_open(pidfd, &target, &err);
        if (r == 0)
                r = nsm_target_check_ids(target, &uids, &gids, &err);
        printf("%s\n", err.text);
        fflush(stdout);
        return r < 0;
}

/* One extent of a container's map; its outside counts from the tenant's first id. */
struct extent {
        unsigned inside, outside, count;
};

/* Both maps of the container are @uids and @gids; @text is what the refusal says, or NULL. */
static void ids_are(const struct extent *uids, const struct extent *gids, const char *text)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_container_spec spec = { .uid_map = "", .gid_map = "" };
        struct id_check check;
        struct nsm_output *o;

        if (uids)
                spec.uid_map = nsm_world_printf(w, "%u %u %u\n", uids->inside,
                                                t->first_id + uids->outside, uids->count);
        if (gids)
                spec.gid_map = nsm_world_printf(w, "%u %u %u\n", gids->inside,
                                                t->first_id + gids->outside, gids->count);
        check.pid = nsm_tenant_add_container(t, &spec)->pid;
        check.uids = check.gids = nsm_world_printf(w, "0 %u 65536\n", t->first_id);
        o = nsm_world_call(w, check_ids, &check);
        cr_assert_eq(o->status, text ? 1 : 0, "status %d: %s", o->status, o->out);
        if (text)
                cr_assert(strstr(o->out, text), "%s", o->out);
        if (text)
                cr_assert(strstr(o->out, nsm_world_printf(w, ": echo '0 %u 65536' >/proc/",
                                                          t->first_id)), "%s", o->out);
}

#define ID_TEST(name, uids, gids, text)      \
        Test(graft_ids, name)                \
        {                                    \
                KIT_REQUIRE();               \
                ids_are(uids, gids, text);   \
        }

static const struct extent all = { 0, 0, 65536 }, fewer = { 0, 0, 1000 }, part = { 100, 100, 9 },
                           shifted = { 0, 1, 1000 }, beyond = { 0, 0, 65537 },
                           swapped = { 1, 0, 1 };

ID_TEST(all_are_allowed, &all, &all, NULL)
ID_TEST(fewer_are_allowed, &fewer, &all, NULL)
ID_TEST(a_part_is_allowed, &part, &part, NULL)
ID_TEST(shifted_users, &shifted, &all, "users 0..999 to host ids")
ID_TEST(shifted_groups, &all, &shifted, "groups 0..999 to host ids")
ID_TEST(one_too_many, &beyond, &all, "users 0..65536 to host ids")
ID_TEST(other_pairing, &swapped, &all, "users 1..1 to host ids")
ID_TEST(no_users, NULL, &all, "uid_map is empty")
ID_TEST(no_groups, &all, NULL, "gid_map is empty")

/* A container without an id 0: what is made there belongs to its first id. */
Test(graft_ids, no_root)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        const char *map = nsm_world_printf(w, "100 %u 9\n", t->first_id);
        struct nsm_container_spec spec = { .uid_map = map, .gid_map = map };
        struct nsm_fake_container *c = nsm_tenant_add_container(t, &spec);
        struct kit_view view = kit_view_new_root(t);
        const char *out = kit_must(w, kit_attach(c, view, NULL));

        cr_assert(!strstr(out, "left out /dev:") && !strstr(out, "left out /run:"), "%s", out);
}
