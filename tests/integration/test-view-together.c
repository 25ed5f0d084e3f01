/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several do in one view, or in two, at the same time. */
#include <signal.h>

#include "tests/integration/view-kit.h"

#define LIMIT_MS 30000
#define RECORDS 2000 /* of each writer */
#define RECORD 64    /* bytes */

static bool waits_for_a_view(void *arg)
{
        const struct nsm_process *p = arg;
        const char *wchan = nsm_world_read_file(
                p->world, nsm_world_printf(p->world, "/proc/%d/wchan", p->pid));

        return wchan && strstr(wchan, "request_wait") != NULL;
}

static bool is_ready(void *arg)
{
        return access(arg, F_OK) == 0;
}

#define WORKER "$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:1000,\")"

static bool is_stopped(void *arg)
{
        const struct view_kit *k = arg;

        return nsm_world_run(k->w, "for p in " WORKER "; do grep -h ^State: /proc/$p/task/*/status; "
                             "done | grep -qv stopped", k->base)->status == 1;
}

/* All its threads: the signal alone is only told to one, which may not run for a moment. */
static void stop_worker(struct view_kit *k)
{
        nsm_world_must(k->w, "kill -STOP " WORKER, k->base);
        cr_assert(nsm_wait_until(LIMIT_MS, is_stopped, k));
}

/*
 * Two processes whose worker has been stopped: both have sent their request,
 * neither waits in the kernel for the other one's answer.
 */
static void check_both_ask(struct view_kit *k, struct nsm_process *one, struct nsm_process *other)
{
        bool both = nsm_wait_until(LIMIT_MS, waits_for_a_view, one) &&
                    nsm_wait_until(LIMIT_MS, waits_for_a_view, other);

        nsm_world_must(k->w, "kill -CONT " WORKER, k->base);
        cr_assert_eq(nsm_process_wait(one, LIMIT_MS)->status, 0);
        cr_assert_eq(nsm_process_wait(other, LIMIT_MS)->status, 0);
        cr_assert(both, "one waits for the other");
}

/* Both are below the view's root by then: its ACL would be asked for with each path. */
static struct nsm_process *spawn_waiter(struct view_kit *k, const char *name, const char *first,
                                        const char *then)
{
        const char *dir = k->w->dir;
        struct nsm_process *p = nsm_world_spawn(
                k->w, "exec perl -e 'chdir(\"mnt/d\") or die; lstat(\"none\") and die; %s; "
                "open(F, \">\", \"%s/ready-%s\") or die; "
                "select(undef, undef, undef, 0.01) until -e \"%s/go\"; %s or die'", first, dir,
                name, dir, then);

        cr_assert(nsm_wait_until(LIMIT_MS, is_ready,
                                 nsm_world_printf(k->w, "%s/ready-%s", dir, name)));
        return p;
}

Test(view_together, names_of_one_directory_are_looked_up)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");
        struct nsm_process *one, *other;

        nsm_world_must(k.w, "mkdir src/d && touch src/d/a src/d/b");
        one = spawn_waiter(&k, "one", "1", "lstat(\"a\")");
        other = spawn_waiter(&k, "other", "1", "lstat(\"b\")");
        stop_worker(&k);
        nsm_world_must(k.w, "touch go");
        check_both_ask(&k, one, other);
}

Test(view_together, one_directory_is_read)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");
        const char *open = "opendir(D, \".\") or die", *read = "4 == (() = readdir(D))";
        struct nsm_process *one, *other;

        nsm_world_must(k.w, "mkdir src/d && touch src/d/a src/d/b");
        one = spawn_waiter(&k, "one", open, read);
        other = spawn_waiter(&k, "other", open, read);
        stop_worker(&k);
        nsm_world_must(k.w, "touch go");
        check_both_ask(&k, one, other);
}

static int copy_across(void *arg)
{
        struct view_kit *k = arg;
        off_t from = 1, to = 0;
        int in, out;

        CHECK(chdir(k->w->dir) == 0);
        in = open("mnt/f", O_RDONLY | O_CLOEXEC);
        out = open("other/f", O_RDWR | O_CLOEXEC);
        CHECK(in >= 0 && out >= 0);
        CHECK(copy_file_range(in, &from, out, &to, 3, 0) == 3);
        CHECK(from == 4 && to == 3);
        CHECK(close(in) == 0 && close(out) == 0 && has_text("other/f", "ext"));
        return 0;
}

Test(view_together, ranges_are_copied_from_one_view_to_another)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        nsm_world_must(k.w, "mkdir src2 other && printf text >src/f && "
                       "touch src/again src2/f src2/large && "
                       "nsmountfs src2 other -o idmap=0:%u:1000", k.base);
        struct nsm_output *o = nsm_world_call(k.w, copy_across, &k);
        cr_assert_eq(o->status, 0, "%s", o->err);
        nsm_world_must(k.w, "head -c 3000000 /dev/urandom >src/large && "
                       "cp mnt/large other/large && cmp src/large src2/large && "
                       "cp --sparse=always --reflink=auto other/large mnt/again && "
                       "cmp src/again src2/large && umount other");
}

/* The same record, again and again, each by one write(2). */
#define WRITER                                                                                 \
        "exec perl -e 'open(F, \">>\", \"%s\") or die; $r = \"%s\" x (%d - 1) . \"\\n\"; "     \
        "for (1 .. %d) { syswrite(F, $r) == %d or die }'"
#define WRITER_OF(path, letter) path, letter, RECORD, RECORDS, RECORD

/* All records are there, and whole. */
static void check_records(struct nsm_world *w, const char *path)
{
        nsm_world_must(w, "test $(stat -c %%s %s) = %d && "
                       "for l in a b; do grep -cxE \"$l{%d}\" %s | grep -qx %d || exit 1; done",
                       path, 2 * RECORDS * RECORD, RECORD - 1, path, RECORDS);
}

Test(view_together, containers_append_to_one_file)
{
        NSM_REQUIRE();
        static const char *const settings[] = { "coherence = exclusive\n", "coherence = shared\n" };

        for (size_t i = 0; i < 2; i++) {
                cleanup_world struct nsm_world *w = nsm_world_new();
                struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
                struct nsm_fake_container *c[2];
                struct nsm_process *p[2];

                nsm_tenant_configure(t, "root", settings[i]);
                nsm_world_start_supervisor(w);
                for (int n = 0; n < 2; n++) {
                        c[n] = nsm_tenant_add_container(t, NULL);
                        nsm_world_must(w, "nsmount attach acme --pid %d --at /mnt", c[n]->pid);
                }
                for (int n = 0; n < 2; n++)
                        p[n] = nsm_container_spawn(c[n], WRITER,
                                                   WRITER_OF("/mnt/log", n ? "b" : "a"));
                for (int n = 0; n < 2; n++) {
                        struct nsm_output *o = nsm_process_wait(p[n], LIMIT_MS);
                        cr_assert_eq(o->status, 0, "%s", o->err);
                }
                check_records(w, nsm_world_printf(w, "%s/log", t->root));
        }
}

/* Two kernels' worth of caches, as two hosts would have: the storage alone knows the end. */
Test(view_together, two_views_append_to_one_file)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=shared");
        struct nsm_process *p[2];

        nsm_world_must(k.w, "touch src/log && mkdir other && "
                       "nsmountfs src other -o idmap=0:%u:1000,coherence=shared", k.base);
        p[0] = nsm_world_spawn(k.w, WRITER, WRITER_OF("mnt/log", "a"));
        p[1] = nsm_world_spawn(k.w, WRITER, WRITER_OF("other/log", "b"));
        for (int n = 0; n < 2; n++) {
                struct nsm_output *o = nsm_process_wait(p[n], LIMIT_MS);
                cr_assert_eq(o->status, 0, "%s", o->err);
        }
        check_records(k.w, "src/log");
        nsm_world_must(k.w, "umount other");
}
