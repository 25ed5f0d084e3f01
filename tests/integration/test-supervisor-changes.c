/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which views hear what of changes on the storage: nsmountd and its watchers. */
#include "tests/integration/supervisor-kit.h"

#define LIMIT_MS 20000

static json_int_t heard(struct nsm_world *w, const char *name)
{
        json_t *list = kit_list(w), *view;
        json_int_t n = -1;
        size_t i;

        json_array_foreach(json_object_get(list, "views"), i, view)
                if (strcmp(json_string_value(json_object_get(view, "name")), name) == 0)
                        n = json_integer_value(json_object_get(view, "changesHeard"));
        json_decref(list);
        return n;
}

struct expected {
        struct nsm_world *w;
        const char *view, *changes; /* how it learns; NULL: as many have been heard */
        json_int_t n;
};

static bool is_so(void *arg)
{
        const struct expected *e = arg;

        if (e->changes)
                return strcmp(kit_view_text(e->w, e->view, "changes"), e->changes) == 0;
        return heard(e->w, e->view) >= e->n;
}

static void await_changes(struct nsm_world *w, const char *view, const char *changes)
{
        struct expected e = { w, view, changes, 0 };

        cr_assert(nsm_wait_until(LIMIT_MS, is_so, &e), "%s learns by %s, not %s", view,
                  kit_view_text(w, view, "changes"), changes);
}

/* Waits for them, and that there are no more: they come in order. */
static void await_heard(struct nsm_world *w, const char *view, json_int_t n)
{
        struct expected e = { w, view, NULL, n };

        cr_assert(nsm_wait_until(LIMIT_MS, is_so, &e));
        cr_assert_eq(heard(w, view), n, "%s has heard %d changes, not %d", view,
                     (int)heard(w, view), (int)n);
}

/* A world with tenants "acme" and "beta", each with a view at /mnt of a container. */
struct two {
        struct nsm_world *w;
        struct nsm_fake_tenant *acme, *beta;
        struct nsm_fake_container *a, *b;
};

static void two_free(struct two *t)
{
        nsm_world_free(t->w);
}
#define cleanup_two __attribute__((cleanup(two_free)))

static struct two two_new(void)
{
        struct two t = { .w = nsm_world_new() };

        t.acme = nsm_world_add_empty_tenant(t.w, "acme");
        t.beta = nsm_world_add_empty_tenant(t.w, "beta");
        nsm_world_must(t.w, "echo text >%s/f; mkdir %s/dir; touch %s/dir/x; echo text >%s/f",
                       t.acme->root, t.acme->root, t.acme->root, t.beta->root);
        nsm_world_start_supervisor(t.w);
        t.a = nsm_tenant_add_container(t.acme, NULL);
        t.b = nsm_tenant_add_container(t.beta, NULL);
        nsm_world_must(t.w, "nsmount attach acme --pid %d --at /mnt", t.a->pid);
        nsm_world_must(t.w, "nsmount attach beta --pid %d --at /mnt", t.b->pid);
        await_changes(t.w, "acme/root", "events");
        await_changes(t.w, "beta/root", "events");
        return t;
}

#define TEXT_SEEN "for i in $(seq 20000); do grep -q %s /mnt/f && exit 0; done; exit 1"

Test(changes, are_heard_by_the_view_that_they_concern)
{
        NSM_REQUIRE();
        cleanup_two struct two t = two_new();

        nsm_container_must(t.a, "cat /mnt/f");
        nsm_world_must(t.w, "chmod 640 %s/f", t.acme->root);
        await_heard(t.w, "acme/root", 1);
        cr_assert_str_eq(nsm_container_must(t.a, "stat -c %%a /mnt/f"), "640\n");
        nsm_world_must(t.w, "mkdir %s/d; mv %s/d %s/e; chmod 600 %s/f", t.acme->root, t.acme->root,
                       t.acme->root, t.beta->root);
        await_heard(t.w, "beta/root", 1);
        nsm_container_must(t.a, "test -d /mnt/e && ! test -e /mnt/d");
        nsm_world_must(t.w, "mkdir outside; touch outside/x; mv outside/x outside/y; "
                       "chmod 644 %s/f", t.beta->root);
        await_heard(t.w, "beta/root", 2);
}

/* What a view does itself it knows already; what the kernel writes past it, it does not. */
Test(changes, of_its_own_are_not_told)
{
        NSM_REQUIRE();
        cleanup_two struct two t = two_new();

        nsm_container_must(t.a, "cd /mnt; for i in 1 2 3 4 5 6 7 8 9; do mkfifo $i; chmod 600 $i; "
                           "mv $i n$i; mkdir d; mv n$i d/; rm -r d; done");
        nsm_world_must(t.w, "chmod 640 %s/f", t.acme->root);
        await_heard(t.w, "acme/root", 1);
}

/* A directory that leaves a volume takes what is known of its place along. */
Test(changes, follow_a_directory_to_its_new_volume)
{
        NSM_REQUIRE();
        cleanup_two struct two t = two_new();

        nsm_world_must(t.w, "mv %s/dir %s/d; chmod 600 %s/d/x", t.acme->root, t.beta->root,
                       t.beta->root);
        await_heard(t.w, "beta/root", 2);
        json_int_t n = heard(t.w, "acme/root");
        nsm_world_must(t.w, "chmod 644 %s/d/x; chmod 600 %s/f", t.beta->root, t.acme->root);
        await_heard(t.w, "acme/root", n + 1);
        await_heard(t.w, "beta/root", 3);
}

Test(changes, are_heard_again_after_a_supervisor_was_killed)
{
        NSM_REQUIRE();
        cleanup_two struct two t = two_new();

        nsm_world_end_supervisor(t.w, SIGKILL);
        nsm_world_must(t.w, "echo other >%s/f", t.acme->root);
        nsm_container_must(t.a, TEXT_SEEN, "other");
        nsm_world_start_supervisor(t.w);
        await_changes(t.w, "acme/root", "events");
        await_changes(t.w, "beta/root", "events");
        json_int_t n = heard(t.w, "acme/root");
        nsm_world_must(t.w, "chmod 640 %s/f", t.acme->root);
        await_heard(t.w, "acme/root", n + 1);
}

struct watcher {
        struct nsm_world *w;
        pid_t pid, but;
};

static bool is_watched(void *arg)
{
        struct watcher *p = arg;

        p->pid = atoi(nsm_world_run(p->w, "pgrep -P %d -f '^nsmountfs --watch$'",
                                    p->w->supervisor)->out);
        return p->pid > 0 && p->pid != p->but;
}

/* Kills the watcher, which is not @but. */
static pid_t kill_watcher(struct nsm_world *w, pid_t but)
{
        struct watcher p = { .w = w, .but = but };

        cr_assert(nsm_wait_until(LIMIT_MS, is_watched, &p));
        kill(p.pid, SIGKILL);
        cr_assert(nsm_process_wait_gone(p.pid, LIMIT_MS));
        return p.pid;
}

Test(changes, are_seen_by_timeouts_when_nobody_watches)
{
        NSM_REQUIRE();
        cleanup_two struct two t = two_new();

        pid_t first = kill_watcher(t.w, 0);
        await_changes(t.w, "acme/root", "events");
        await_changes(t.w, "beta/root", "events");
        kill_watcher(t.w, first);
        await_changes(t.w, "acme/root", "timeouts");
        nsm_world_must(t.w, "echo other >%s/f", t.acme->root);
        nsm_container_must(t.a, TEXT_SEEN, "other");
        nsm_container_must(t.b, "cat /mnt/f");
}

Test(changes, are_none_or_asked_for_in_other_views)
{
        NSM_REQUIRE();
        cleanup_kit struct kit k = { .w = nsm_world_new() };

        k.t = nsm_world_add_empty_tenant(k.w, "acme");
        nsm_tenant_configure(k.t, "root", "coherence = exclusive\n");
        nsm_world_start_supervisor(k.w);
        struct nsm_fake_container *c = nsm_tenant_add_container(k.t, NULL);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --at /mnt", c->pid);
        nsm_world_must(k.w, "nsmount attach acme --pid %d --at /media --read-only", c->pid);
        cr_assert_str_eq(kit_view_text(k.w, "acme/root", "changes"), "none");
        cr_assert_str_eq(kit_view_text(k.w, "acme/root:ro", "changes"), "asked");
        for (int i = 0; i < 20; i++) {
                nsm_container_must(c, "test -e /media/%d && exit 1; echo %d >/mnt/%d; "
                                   "test \"$(cat /media/%d)\" = %d && rm /mnt/%d", i, i, i, i, i, i);
                nsm_container_must(c, "test ! -e /media/%d", i);
        }
}
