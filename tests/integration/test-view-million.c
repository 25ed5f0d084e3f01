/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As many inodes as anybody has, by a worker with few descriptors and little memory. */
#include "tests/integration/view-kit.h"

#define FILES_PER_DIRECTORY 1000
#define PARTS 10 /* of making them */
#define DESCRIPTORS 1024
#define NAME_BYTES 16 /* of "f123456", with what a name is rounded up to */
#define HELD_MEMORY 400000 /* around the few that stay, at most */

struct part {
        const char *src;
        int first;
};

static int make_part(void *arg)
{
        const struct part *part = arg;
        char path[64];

        CHECK(chdir(part->src) == 0);
        for (int i = part->first; i < part->first + INODES / PARTS; i++) {
                snprintf(path, sizeof path, "d%d", i / FILES_PER_DIRECTORY);
                CHECK(i % FILES_PER_DIRECTORY || mkdir(path, 0755) == 0);
                snprintf(path, sizeof path, "d%d/f%d", i / FILES_PER_DIRECTORY, i);
                CHECK(mknod(path, S_IFREG | 0644, 0) == 0);
        }
        return 0;
}

/* As nsm_world_must(), for what takes long. */
static const char *must_at_last(struct nsm_world *w, const char *command)
{
        struct nsm_output *o = nsm_process_wait(nsm_world_spawn(w, "%s", command), 1200000);

        cr_assert_eq(o->status, 0, "%s: %d %s", command, o->status, o->err);
        return o->out;
}

/* Bytes of the memory files of that worker whose names have @what in them. */
static long memory(struct view_kit *k, const char *what)
{
        return atol(nsm_world_must(
                k->w, "p=$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:1000,coherence=\") && n=0; "
                "for f in /proc/$p/fd/*; do case $(readlink $f) in *%s*) "
                "n=$((n + $(stat -L -c %%b $f) * 512));; esac; done; echo $n", k->base, what));
}

struct wait {
        struct view_kit *kit;
        long below;
};

static bool has_little_memory(void *arg)
{
        const struct wait *wait = arg;

        return memory(wait->kit, "nsm-") < wait->below;
}

static struct view_kit kit_of_many(void)
{
        struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "umount -l mnt && mount -t tmpfs -o nr_inodes=0 tmpfs src");
        for (int i = 0; i < PARTS; i++) {
                struct part part = { k.src, i * (INODES / PARTS) };
                struct nsm_output *o = nsm_world_call(k.w, make_part, &part);
                cr_assert_eq(o->status, 0, "%s", o->err);
        }
        nsm_world_must(k.w, "ulimit -n %d && nsmountfs src mnt -o idmap=0:%u:1000,"
                       "coherence=exclusive", DESCRIPTORS, k.base);
        return k;
}

Test(view_million, fits_little_memory_and_gives_it_back, .timeout = 3600)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_of_many();

        cr_assert_eq(atoi(must_at_last(k.w, "find mnt -type f -ls | wc -l")), INODES);
        long records = memory(&k, "nsm-inodes"), all = memory(&k, "nsm-");
        cr_assert_geq(records, INODES * 40L, "%ld bytes of records: not all are held", records);
        cr_assert_lt(all, INODES * (200L + NAME_BYTES), "%ld bytes", all);

        /* Two files stay open; the kernel drops what nobody uses (as at any remount). */
        int first = open(nsm_world_printf(k.w, "%s/d0/f0", k.mnt), O_RDONLY | O_CLOEXEC);
        int last = open(nsm_world_printf(k.w, "%s/d%d/f%d", k.mnt,
                                         (INODES - 1) / FILES_PER_DIRECTORY, INODES - 1),
                        O_RDONLY | O_CLOEXEC);
        cr_assert(first >= 0 && last >= 0);
        must_at_last(k.w, "nsmountfs src mnt -o remount,rw");
        struct wait wait = { &k, all / 20 + HELD_MEMORY };
        cr_assert(nsm_wait_until(120000, has_little_memory, &wait), "%ld bytes of %ld",
                  memory(&k, "nsm-"), all);
        cr_assert_eq(atoi(must_at_last(k.w, "ls -f mnt/d7 | wc -l")), FILES_PER_DIRECTORY + 2);
        close(first);
        close(last);
        nsm_world_must(k.w, "umount mnt src");
}
