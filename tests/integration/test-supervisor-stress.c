/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several tenants at once, each busy in its containers, while others are
 * attached and detached and one loses its worker: nobody else sees an error,
 * and each storage tree is just what its tenant made.
 */
#include "tests/integration/supervisor-kit.h"

#define TENANTS 4 /* the last one loses its worker */
#define CONTAINERS 2
#define ROUNDS 6

/*
 * What a container does in a directory of its own, $1, and what it leaves there:
 * the same each time. Stops at the first error.
 */
static const char work[] =
        "set -e; umask 022; mkdir -p \"$1\"; cd \"$1\"; i=0\n"
        "while [ $i -lt 20 ]; do\n"
        "        mkdir -p a/$i/b; echo $i >a/$i/f; ln a/$i/f a/$i/b/g; ln -s ../f a/$i/b/s\n"
        "        echo more >>a/$i/b/g; chmod 640 a/$i/f; mv a/$i b$i; mkfifo b$i/p\n"
        "        read x <b$i/b/s; [ $x = $i ]\n"
        "        exec 5<>b$i/open; rm b$i/open; echo kept >&5; exec 5>&-\n"
        "        [ $((i % 3)) -ne 0 ] || { rm b$i/f; rm -r b$i/b/s b$i/p; }\n"
        "        [ $((i % 7)) -ne 0 ] || rm -r b$i\n"
        "        i=$((i + 1))\n"
        "done\n"
        "[ \"$(ls | wc -l)\" = 18 ]; n=$(find . -type f | wc -l); echo $n >count\n";

struct busy {
        struct nsm_fake_tenant *tenant;
        struct nsm_fake_container *containers[CONTAINERS];
        struct nsm_process *processes[CONTAINERS];
};

/* A tenant with a second volume, which is attached to nobody yet. */
static void make_tenant(struct kit *k, struct busy *b, int number, const char *coherence)
{
        const char *lines = nsm_world_printf(k->w, "coherence = %s\n", coherence);

        b->tenant = nsm_world_add_tenant(k->w, nsm_world_printf(k->w, "tenant%d", number));
        nsm_tenant_add_volume(b->tenant, "data");
        nsm_tenant_configure(b->tenant, "root", lines);
        nsm_tenant_configure(b->tenant, "data", lines);
        nsm_world_must(k->w, "cp work %s/work && mkdir %s/data", b->tenant->root, b->tenant->root);
}

/* Attaches two containers and lets them work, once or until something fails. */
static void begin_work(struct kit *k, struct busy *b, bool for_ever)
{
        for (int i = 0; i < CONTAINERS; i++) {
                b->containers[i] = nsm_tenant_add_container(b->tenant, NULL);
                nsm_world_must(k->w, "nsmount attach %s --pid %d", b->tenant->name,
                               b->containers[i]->pid);
                b->processes[i] = nsm_container_spawn(
                        b->containers[i], for_ever ?
                        "while sh /work /c%d && rm -r /c%d; do :; done; exit 9" :
                        "sh -x /work /c%d", i, i);
        }
}

/* One more container of the tenant, and one more volume for one that is at work. */
static void come_and_go(struct kit *k, struct busy *b)
{
        struct nsm_fake_container *c = nsm_tenant_add_container(b->tenant, NULL);
        const char *name = b->tenant->name;

        nsm_world_must(k->w, "nsmount attach %s --pid %d", name, c->pid);
        cr_assert_str_eq(nsm_container_must(c, "cat /etc/hostname"),
                         nsm_world_printf(k->w, "%s\n", name));
        nsm_world_must(k->w, "nsmount attach %s --pid %d --volume data --at /data", name,
                       b->containers[0]->pid);
        nsm_container_must(b->containers[0],
                           "cat /data/hello && echo x >/data/new && rm /data/new");
        nsm_world_must(k->w, "nsmount detach %s --pid %d --at /data", name, b->containers[0]->pid);
        nsm_container_kill(c);
}

/* Everything that is stored below a directory. */
static const char *stored(struct kit *k, const char *dir)
{
        return nsm_world_must(k->w, "cd %s && "
                              "find . -printf '%%P %%y %%m %%U:%%G %%n %%l\\n' | sort && "
                              "find . -type f -exec cksum {} + | sort", dir);
}

static void stress(const char *coherence)
{
        cleanup_kit struct kit k = { .w = nsm_world_new() };
        struct busy busy[TENANTS], *victim = &busy[TENANTS - 1];

        nsm_world_write_file(k.w, nsm_world_printf(k.w, "%s/work", k.w->dir), work);
        nsm_world_must(k.w, "chmod 644 work && busybox sh work reference");
        for (int i = 0; i < TENANTS; i++)
                make_tenant(&k, &busy[i], i, coherence);
        nsm_world_start_supervisor(k.w);
        for (int i = 0; i < TENANTS; i++)
                begin_work(&k, &busy[i], &busy[i] == victim);

        for (int round = 0; round < ROUNDS; round++) {
                come_and_go(&k, &busy[round % (TENANTS - 1)]);
                if (round == ROUNDS / 2)
                        kill(kit_view_pid(k.w, "tenant3/root"), SIGKILL);
        }
        for (int i = 0; i < CONTAINERS; i++)
                cr_assert_neq(nsm_process_wait(victim->processes[i], NSM_HARNESS_LIMIT_MS)->status,
                              -ETIME, "a process whose worker was killed hangs");
        for (int i = 0; i < TENANTS - 1; i++) {
                for (int c = 0; c < CONTAINERS; c++) {
                        struct nsm_output *o = nsm_process_wait(busy[i].processes[c],
                                                                NSM_HARNESS_LIMIT_MS);
                        cr_assert_eq(o->status, 0, "tenant %d, container %d: %s", i, c, o->err);
                        cr_assert_str_eq(stored(&k, nsm_world_printf(k.w, "%s/c%d",
                                                                     busy[i].tenant->root, c)),
                                         stored(&k, "reference"));
                }
                cr_assert_str_eq(nsm_world_must(k.w, "ls %s | grep -v -e ^c -e ^data -e ^work | "
                                                "xargs; ls %s/data", busy[i].tenant->root,
                                                busy[i].tenant->root),
                                 nsm_world_must(k.w, "ls %s | grep -v -e ^c -e ^data -e ^work | "
                                                "xargs", busy[0].tenant->root));
        }
}

Test(stress, of_exclusive_views, .timeout = 240)
{
        NSM_REQUIRE();
        stress("exclusive");
}

Test(stress, of_shared_views, .timeout = 240)
{
        NSM_REQUIRE();
        stress("shared");
}
