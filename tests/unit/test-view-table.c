/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inode table, names, directory cache, handles, limits. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/view/dircache.h"
#include "fs/view/handles.h"
#include "fs/view/limits.h"
#include "fs/view/table.h"

static struct nsm_identity dir(uint64_t ino)
{
        return (struct nsm_identity){ .ino = ino, .birth = 1, .type = S_IFDIR & S_IFMT };
}

static struct nsm_identity file(uint64_t ino)
{
        return (struct nsm_identity){ .ino = ino, .birth = 1, .type = S_IFREG & S_IFMT };
}

static struct nsm_table new_table(void)
{
        struct nsm_table table = NSM_TABLE_INIT;
        struct nsm_identity root = dir(2);

        cr_assert_eq(nsm_table_init(&table, &root), 0);
        return table;
}

#define cleanup_table __attribute__((cleanup(nsm_table_free)))

static uint32_t add(struct nsm_table *t, struct nsm_identity id, uint32_t parent, const char *name)
{
        uint32_t node = 0;

        cr_assert_eq(nsm_table_remember(t, &id, parent, name, &node), 0);
        return node;
}

Test(view_table, root_is_node_1_and_stays)
{
        cleanup_table struct nsm_table t = new_table();
        struct nsm_identity root = dir(2);

        cr_assert_eq(nsm_table_find(&t, &root), NSM_TABLE_ROOT);
        nsm_table_forget(&t, NSM_TABLE_ROOT, 1000);
        cr_assert(nsm_table_get(&t, NSM_TABLE_ROOT));
        cr_assert_null(nsm_table_get(&t, 0));
        cr_assert_null(nsm_table_get(&t, 2));
        cr_assert_null(nsm_table_get(&t, (uint64_t)1 << 40 | 1));
}

Test(view_table, remembers_and_forgets)
{
        cleanup_table struct nsm_table t = new_table();
        uint32_t d = add(&t, dir(10), NSM_TABLE_ROOT, "d");
        uint32_t f = add(&t, file(11), d, "f");

        cr_assert_eq(add(&t, file(11), d, "f"), f);
        cr_assert_eq(nsm_table_get(&t, f)->nlookup, 2);
        cr_assert_eq(nsm_table_get(&t, f)->n_links, 1);
        nsm_table_forget(&t, d, 1);
        cr_assert(nsm_table_get(&t, d), "its child names it");
        nsm_table_forget(&t, f, 2);
        cr_assert_null(nsm_table_get(&t, f));
        cr_assert_null(nsm_table_get(&t, d), "the last child took it along");
        cr_assert_eq(nsm_table_count(&t), 1);
        nsm_table_forget(&t, f, 1);
        uint32_t g = add(&t, file(12), NSM_TABLE_ROOT, "g");
        cr_assert_gt(nsm_table_get(&t, g)->generation, 3, "the record was used before");
}

Test(view_table, tells_inodes_apart)
{
        cleanup_table struct nsm_table t = new_table();
        struct nsm_identity a = file(10), reborn = file(10), unknown = file(10), fifo = file(10);

        reborn.birth = 2;
        unknown.birth = 0;
        fifo.type = S_IFIFO;
        uint32_t node = add(&t, a, NSM_TABLE_ROOT, "a");
        cr_assert_neq(nsm_table_find(&t, &reborn), node);
        cr_assert_neq(nsm_table_find(&t, &fifo), node);
        cr_assert_eq(nsm_table_find(&t, &unknown), node);
        cr_assert_neq(add(&t, reborn, NSM_TABLE_ROOT, "a"), node);
}

Test(view_table, links_have_a_limit)
{
        cleanup_table struct nsm_table t = new_table();
        uint32_t f = add(&t, file(10), NSM_TABLE_ROOT, "0");
        char name[8];

        for (int i = 1; i < 20; i++) {
                snprintf(name, sizeof name, "%d", i);
                cr_assert_eq(nsm_table_add_link(&t, f, NSM_TABLE_ROOT, name), 0);
        }
        cr_assert_eq(nsm_table_get(&t, f)->n_links, NSM_TABLE_LINKS_MAX);
        cr_assert_eq(nsm_table_get(&t, NSM_TABLE_ROOT)->children, NSM_TABLE_LINKS_MAX);
        nsm_table_remove_link(&t, f, NSM_TABLE_ROOT, "0");
        cr_assert_eq(nsm_table_get(&t, f)->n_links, NSM_TABLE_LINKS_MAX, "it was the oldest");
        nsm_table_remove_link(&t, f, NSM_TABLE_ROOT, "19");
        cr_assert_eq(nsm_table_get(&t, f)->n_links, NSM_TABLE_LINKS_MAX - 1);
        char longest[NSM_FILE_NAME_MAX + 2];
        memset(longest, 'x', sizeof longest);
        longest[NSM_FILE_NAME_MAX + 1] = '\0';
        cr_assert_eq(nsm_table_add_link(&t, f, NSM_TABLE_ROOT, longest), -ENAMETOOLONG);
        longest[NSM_FILE_NAME_MAX] = '\0';
        cr_assert_eq(nsm_table_add_link(&t, f, NSM_TABLE_ROOT, longest), 0);
}

Test(view_table, a_directory_is_in_one_place)
{
        cleanup_table struct nsm_table t = new_table();
        uint32_t a = add(&t, dir(10), NSM_TABLE_ROOT, "a"), b = add(&t, dir(11), a, "b");

        cr_assert_eq(nsm_table_get(&t, a)->children, 1);
        cr_assert_eq(nsm_table_add_link(&t, b, NSM_TABLE_ROOT, "b2"), 0);
        cr_assert_eq(nsm_table_get(&t, b)->n_links, 1);
        cr_assert_eq(nsm_table_get(&t, a)->children, 0);
        nsm_table_forget(&t, a, 1);
        cr_assert_null(nsm_table_get(&t, a));
}

Test(view_table, a_chain_of_any_length_goes_at_once)
{
        cleanup_table struct nsm_table t = new_table();
        uint32_t at = NSM_TABLE_ROOT;
        enum { DEPTH = 200000 };

        for (uint32_t i = 0; i < DEPTH; i++) {
                uint32_t below = add(&t, dir(100 + i), at, "d");
                if (at != NSM_TABLE_ROOT)
                        nsm_table_forget(&t, at, 1);
                at = below;
        }
        cr_assert_eq(nsm_table_count(&t), DEPTH + 1);
        nsm_table_forget(&t, at, 1);
        cr_assert_eq(nsm_table_count(&t), 1);
}

Test(view_table, two_hundred_thousand_inodes)
{
        cleanup_table struct nsm_table t = new_table();
        enum { N = 200000 };
        char name[32];

        for (uint32_t i = 0; i < N; i++) {
                snprintf(name, sizeof name, "file-%u.txt", i);
                add(&t, file(1000 + i), NSM_TABLE_ROOT, name);
        }
        for (uint32_t i = 0; i < N; i++) {
                struct nsm_identity id = file(1000 + i);
                uint32_t node = nsm_table_find(&t, &id);
                cr_assert(node && nsm_table_get(&t, node)->ino == 1000 + i);
        }
        cr_assert_lt(nsm_table_bytes(&t) / N, 200, "bytes per inode");
        for (uint32_t i = 0; i < N; i++) {
                struct nsm_identity id = file(1000 + i);
                nsm_table_forget(&t, nsm_table_find(&t, &id), 1);
        }
        cr_assert_eq(nsm_table_count(&t), 1);
        uint64_t bytes = nsm_table_bytes(&t);
        for (uint32_t i = 0; i < N; i++) {
                snprintf(name, sizeof name, "file-%u.txt", i);
                add(&t, file(5000000 + i), NSM_TABLE_ROOT, name);
        }
        cr_assert_eq(nsm_table_bytes(&t), bytes, "memory is used again");
}

Test(view_table, gives_memory_back)
{
        cleanup_table struct nsm_table t = new_table();
        enum { N = 100000 };
        char name[32];
        uint32_t d = add(&t, dir(10), NSM_TABLE_ROOT, "dir");

        for (uint32_t i = 0; i < N; i++) {
                snprintf(name, sizeof name, "file-%u.txt", i);
                add(&t, file(1000 + i), d, name);
        }
        uint64_t full = nsm_table_bytes(&t);
        cr_assert(!nsm_table_shrink(&t), "all of it is in use");
        uint32_t kept[3] = { 0 };
        for (uint32_t i = 0; i < N; i++) {
                struct nsm_identity id = file(1000 + i);
                uint32_t node = nsm_table_find(&t, &id);
                if (i == 5 || i == 500 || i == 5000)
                        kept[i == 5 ? 0 : i == 500 ? 1 : 2] = node;
                else
                        nsm_table_forget(&t, node, 1);
        }
        nsm_table_add_link(&t, kept[1], NSM_TABLE_ROOT, "alias");
        uint32_t generation = nsm_table_get(&t, kept[2])->generation;
        cr_assert(nsm_table_shrink(&t));
        cr_assert_lt(nsm_table_bytes(&t), full / 10);
        for (int i = 0; i < 3; i++) {
                struct nsm_identity id = file(1000 + (i == 0 ? 5 : i == 1 ? 500 : 5000));
                struct nsm_inode *inode = nsm_table_get(&t, kept[i]);
                cr_assert(inode && inode->nlookup == 1 && nsm_table_find(&t, &id) == kept[i]);
                struct nsm_link *link = nsm_names_at(&t.names, inode->links);
                if (i == 1)
                        cr_assert(link->parent == NSM_TABLE_ROOT && link->len == 5 && link->next);
                else
                        cr_assert(link->parent == d && !strncmp(link->name, "file-5", 6));
        }
        cr_assert_eq(nsm_table_get(&t, kept[2])->generation, generation);
        /* It goes on as before, with generations that were never given. */
        for (uint32_t i = 0; i < N; i++) {
                snprintf(name, sizeof name, "file-%u.txt", i);
                uint32_t node = add(&t, file(5000000 + i), d, name);
                cr_assert_gt(nsm_table_get(&t, node)->generation, N);
        }
        cr_assert_eq(nsm_table_count(&t), N + 5);
}

static uint64_t memory_of(const struct nsm_region *region)
{
        struct stat st;

        cr_assert_eq(fstat(region->fd, &st), 0);
        return (uint64_t)st.st_blocks * 512;
}

/* What is in use at the far end keeps its own memory, not that of all before it. */
Test(view_table, gives_memory_back_in_the_middle)
{
        cleanup_table struct nsm_table t = new_table();
        enum { N = 50000, LAST = 10 };
        char name[32];

        for (int round = 0; round < 3; round++) {
                for (uint32_t i = 0; i < N; i++) {
                        snprintf(name, sizeof name, "file-%u.txt", i);
                        add(&t, file(1000 + i), NSM_TABLE_ROOT, name);
                }
                cr_assert_eq(nsm_table_count(&t), N + 1);
                uint64_t full = memory_of(&t.records);
                for (uint32_t i = 0; i < N; i++) {
                        struct nsm_identity id = file(1000 + i);
                        uint32_t node = nsm_table_find(&t, &id);
                        cr_assert(node && nsm_table_get(&t, node)->ino == id.ino);
                        nsm_table_forget(&t, node, i < N - LAST || round == 2 ? (uint64_t)-1 : 0);
                }
                cr_assert(nsm_table_shrink(&t));
                cr_assert_lt(memory_of(&t.records), full / 10);
                cr_assert_lt(memory_of(&t.names.region), full / 10);
                /* Looking at all that is in use brings nothing back. */
                uint32_t n = 0;
                for (uint32_t i = nsm_table_next(&t, 0); i; i = nsm_table_next(&t, i))
                        n++;
                cr_assert_eq(n, nsm_table_count(&t));
                cr_assert_lt(memory_of(&t.records), full / 10);
                cr_assert_lt(nsm_table_bytes(&t), full / 10);
        }
        cr_assert_eq(nsm_table_count(&t), 1);
}

static void note_drop(struct nsm_inode *inode, void *arg)
{
        *(uint64_t *)arg += inode->ino;
}

Test(view_table, says_what_it_drops)
{
        cleanup_table struct nsm_table t = new_table();
        uint64_t sum = 0;

        t.on_drop = note_drop;
        t.on_drop_arg = &sum;
        uint32_t d = add(&t, dir(100), NSM_TABLE_ROOT, "d"), f = add(&t, file(7), d, "f");
        nsm_table_forget(&t, d, 1);
        cr_assert_eq(sum, 0);
        nsm_table_forget(&t, f, 1);
        cr_assert_eq(sum, 107);
}

Test(view_dircache, evicts_the_oldest_but_none_in_use)
{
        struct nsm_dircache c;
        uint32_t evicted;

        cr_assert_eq(nsm_dircache_init(&c, 2), 0);
        int a = nsm_dircache_put(&c, 10, dup(0), &evicted);
        int b = nsm_dircache_put(&c, 11, dup(0), &evicted);
        cr_assert(a > 0 && b > 0 && evicted == 0 && c.used == 2);
        cr_assert_eq(nsm_dircache_put(&c, 12, -1, &evicted), -ENFILE);
        nsm_dircache_unref(&c, (uint32_t)b);
        nsm_dircache_unref(&c, (uint32_t)a);
        nsm_dircache_ref(&c, (uint32_t)a);
        nsm_dircache_unref(&c, (uint32_t)a);
        int d = nsm_dircache_put(&c, 12, dup(0), &evicted);
        cr_assert(d == b && evicted == 11, "the least recently used");
        /* Its record went while it is used: closed by the last user. */
        int fd = c.slots[d].fd;
        nsm_dircache_drop(&c, (uint32_t)d);
        cr_assert_neq(fcntl(fd, F_GETFD), -1);
        nsm_dircache_unref(&c, (uint32_t)d);
        cr_assert_eq(fcntl(fd, F_GETFD), -1);
        cr_assert_eq(c.used, 1);
        nsm_dircache_free(&c);
}

Test(view_handles, numbers_are_used_again_within_the_limit)
{
        struct nsm_handles h;
        uint64_t n[600], more = 77;

        cr_assert_eq(nsm_handles_init(&h, 600), 0);
        for (int i = 0; i < 600; i++)
                cr_assert_eq(nsm_handles_add(&h, -1, 5, &n[i]), 0);
        cr_assert_eq(nsm_handles_add(&h, -1, 5, &more), -ENFILE);
        cr_assert_eq(more, 77);
        struct nsm_handle *kept = nsm_handles_get(&h, n[3]);
        nsm_handles_remove(&h, n[4]);
        cr_assert_null(nsm_handles_get(&h, n[4]));
        cr_assert_eq(nsm_handles_remove(&h, n[4]), -1);
        cr_assert_eq(nsm_handles_add(&h, -1, 6, &more), 0);
        cr_assert_eq(more, n[4]);
        cr_assert_eq(nsm_handles_get(&h, n[3]), kept);
        cr_assert_null(nsm_handles_get(&h, UINT64_MAX));
        nsm_handles_free(&h);
}

/* Two records of one bucket: each is found as long as it has a handle, whichever go first. */
Test(view_handles, are_found_by_record)
{
        struct nsm_handles h;
        uint64_t n[12], other;

        for (int step = 1; step < 12; step += step % 6 == 1 ? 4 : 2) { /* prime to 12 */
                cr_assert_eq(nsm_handles_init(&h, 64), 0);
                for (int i = 0; i < 12; i++)
                        cr_assert_eq(nsm_handles_add(&h, -1, 5 + (uint32_t)(i % 2) * h.n_buckets,
                                                     &n[i]), 0);
                cr_assert_eq(nsm_handles_add(&h, -1, 6, &other), 0);
                cr_assert(nsm_handles_is_last(&h, other));
                int left[2] = { 6, 6 };
                for (int i = 0, at = 0; i < 12; i++, at = (at + step) % 12) {
                        uint32_t node = 5 + (uint32_t)(at % 2) * h.n_buckets;
                        cr_assert_eq(nsm_handles_is_last(&h, n[at]), left[at % 2] == 1);
                        nsm_handles_remove(&h, n[at]);
                        struct nsm_handle *found = nsm_handles_of(&h, node);
                        cr_assert_eq(found != NULL, --left[at % 2] > 0);
                        cr_assert(!found || found->node == node);
                }
                cr_assert_eq(nsm_handles_of(&h, 6)->node, 6);
                cr_assert_null(nsm_handles_of(&h, 7));
                cr_assert_null(nsm_handles_of(&h, 0));
                nsm_handles_free(&h);
        }
}

Test(view_limits, are_shares_of_what_there_is)
{
        for (uint64_t files = 0; files < 100000; files += 37) {
                struct nsm_limits l = nsm_limits_divide(files, files % 2);
                cr_assert(l.directories && l.pins && l.file_handles);
                cr_assert_eq(!l.lock_owners, files % 2 == 0);
                cr_assert_lt(l.file_handles, l.handles + (files < 256));
                if (files >= 20000)
                        cr_assert_geq(l.file_handles, 10000);
                if (files >= 256)
                        cr_assert_lt(l.directories + l.pins + l.handles + l.lock_owners, files);
        }
}

Test(view_table, has_a_limit_that_spares_what_is_known)
{
        struct nsm_table t = NSM_TABLE_INIT;
        struct nsm_identity root = { .ino = 2, .type = S_IFDIR };
        uint32_t node;

        cr_assert_eq(nsm_table_init(&t, &root), 0);
        t.limit = 300;
        for (unsigned i = 1; i < 300; i++)
                cr_assert_eq(nsm_table_remember(&t, &(struct nsm_identity){ 100 + i, 0, S_IFREG, 0 },
                                                NSM_TABLE_ROOT, "x", &node), 0, "%u", i);
        cr_assert_eq(nsm_table_remember(&t, &(struct nsm_identity){ 99, 0, S_IFREG, 0 },
                                        NSM_TABLE_ROOT, "x", &node), -ENFILE);
        cr_assert_eq(nsm_table_remember(&t, &(struct nsm_identity){ 101, 0, S_IFREG, 0 },
                                        NSM_TABLE_ROOT, "y", &node), 0);
        nsm_table_forget(&t, node, 2);
        cr_assert_eq(nsm_table_remember(&t, &(struct nsm_identity){ 99, 0, S_IFREG, 0 },
                                        NSM_TABLE_ROOT, "x", &node), 0);
        nsm_table_free(&t);
}

/* Whoever asked may be killed, and the kernel forgets the directory before the answer comes. */
Test(view_table, has_no_links_to_a_parent_that_is_gone)
{
        cleanup_table struct nsm_table t = new_table();
        struct nsm_identity in = file(11), beside = file(12);
        uint32_t node = 0;
        uint32_t d = add(&t, dir(10), NSM_TABLE_ROOT, "d");
        uint32_t f = add(&t, beside, NSM_TABLE_ROOT, "f");

        nsm_table_forget(&t, d, 1);
        cr_assert_eq(nsm_table_remember(&t, &in, d, "in", &node), -ESTALE);
        cr_assert_eq(nsm_table_add_link(&t, f, d, "in"), -ESTALE);
        cr_assert_eq(nsm_table_remember(&t, &in, f, "in", &node), -ESTALE); /* no directory */
        cr_assert_eq(nsm_table_remember(&t, &in, 1000, "in", &node), -ESTALE);
        cr_assert_eq(node, 0);
        cr_assert_eq(nsm_table_find(&t, &in), 0);
        cr_assert_eq(nsm_table_get(&t, f)->n_links, 1);
        cr_assert_eq(nsm_table_count(&t), 2);
        nsm_table_forget(&t, f, 1);
        cr_assert_eq(nsm_table_count(&t), 1);
}
