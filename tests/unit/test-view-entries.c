/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names that go while they are looked up. Another thread comes just behind a look
 * at the storage: here it is called by statx(2) itself, so that it always does.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/view/entries.h"
#include "fs/view/moved.h"
#include "fs/view/resolve.h"

static struct nsm_view *view;
static int root; /* of the storage */

/* What is done behind the looks at a name that come next, after some that are let pass. */
static struct {
        const char *name;
        int pass, times;
        void (*act)(void);
} behind;

int statx(int dir_fd, const char *restrict name, int flags, unsigned mask,
          struct statx *restrict ret)
{
        int r = (int)syscall(SYS_statx, dir_fd, name, flags, mask, ret);
        int error = errno;

        if (behind.times && strcmp(name, behind.name) == 0 && behind.pass-- <= 0) {
                int times = behind.times;
                behind.times = 0;
                behind.act();
                behind.times = times - 1;
        }
        errno = error;
        return r;
}

static void make_view(void)
{
        static struct nsm_worker_stats stats;
        char path[] = "/tmp/nsm-entries-XXXXXX";
        struct nsm_view_config config = { 0 };
        struct nsm_extent all = { 0, 0, 65536 };

        cr_assert(mkdtemp(path));
        root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert(root >= 0 && mkdirat(root, "d", 0700) == 0 && mkdirat(root, "e", 0700) == 0);
        cr_assert_eq(nsm_idmap_add(&config.ids.uids, all, NULL), 0);
        cr_assert_eq(nsm_idmap_add(&config.ids.gids, all, NULL), 0);
        cr_assert_eq(nsm_view_new(&config, dup(root), open("/proc/self/fd", O_PATH | O_CLOEXEC),
                                  &stats, &view, NULL), 0);
        behind.times = 0;
}

static void free_view(void)
{
        char path[64], link[32];

        nsm_view_free(view);
        snprintf(link, sizeof link, "/proc/self/fd/%d", root);
        ssize_t n = readlink(link, path, sizeof path - 1);
        cr_assert(n > 0);
        path[n] = '\0';
        for (const char *name = "abcdex"; *name; name++) {
                char one[2] = { *name };
                if (unlinkat(root, one, 0) < 0)
                        unlinkat(root, one, AT_REMOVEDIR);
        }
        cr_assert_eq(rmdir(path), 0);
        close(root);
}

TestSuite(view_entries, .init = make_view, .fini = free_view);

static uint64_t look_up(const char *name)
{
        struct nsm_entry entry;

        cr_assert_eq(nsm_entry_lookup(view, NSM_TABLE_ROOT, name, &entry), 0, "%s", name);
        return entry.node;
}

static void make_file(const char *name)
{
        int fd = openat(root, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

        cr_assert(fd >= 0);
        close(fd);
}

/* The node is found, and is what stands at this name of the storage. */
static void check_at(uint64_t node, const char *name)
{
        struct statx stx;
        struct stat st;

        int r = nsm_node_stat(view, node, &stx);
        cr_assert_eq(r, 0, "%s: %s", name, strerror(-r));
        cr_assert_eq(fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW), 0);
        cr_assert_eq(stx.stx_ino, st.st_ino, "%s is another", name);
}

static unsigned links_of(uint64_t node)
{
        return nsm_table_get(&view->table, node)->n_links;
}

static void move(const char *from, const char *to, unsigned flags)
{
        uint32_t moved[2];

        cr_assert_eq(nsm_entry_rename(view, NSM_TABLE_ROOT, from, NSM_TABLE_ROOT, to, flags, moved),
                     0);
}

static void move_away(void)
{
        move("d", "x", 0);
}

static void exchange(void)
{
        move("d", "e", RENAME_EXCHANGE);
}

static void remove_a(void)
{
        cr_assert_eq(nsm_entry_remove(view, NSM_TABLE_ROOT, "a", 0), 0);
}

Test(view_entries, a_directory_that_moves_is_found_where_it_is)
{
        struct nsm_entry entry;
        uint64_t node = look_up("d");

        behind = (typeof(behind)){ .name = "d", .times = 1, .act = move_away };
        cr_assert_eq(nsm_entry_lookup(view, NSM_TABLE_ROOT, "d", &entry), -ENOENT);
        check_at(node, "x");
}

Test(view_entries, what_moves_before_it_is_known_is_not_noted)
{
        struct nsm_entry entry;

        behind = (typeof(behind)){ .name = "d", .times = 1, .act = move_away };
        cr_assert_eq(nsm_entry_lookup(view, NSM_TABLE_ROOT, "d", &entry), -ENOENT);
        cr_assert_eq(nsm_table_count(&view->table), 1);
        check_at(look_up("x"), "x");
}

Test(view_entries, what_a_listing_tells_may_move)
{
        struct nsm_entry entry;
        uint64_t node = look_up("d");

        behind = (typeof(behind)){ .name = "d", .times = 1, .act = move_away };
        cr_assert_eq(nsm_entry_list(view, root, NSM_TABLE_ROOT, "d", &entry), -ENOENT);
        check_at(node, "x");
}

Test(view_entries, what_took_the_name_is_found)
{
        uint64_t d = look_up("d"), e = look_up("e");

        behind = (typeof(behind)){ .name = "d", .times = 1, .act = exchange };
        cr_assert_eq(look_up("d"), e);
        check_at(d, "e");
        check_at(e, "d");
}

Test(view_entries, whoever_is_overtaken_again_and_again_has_changes_wait)
{
        uint64_t d = look_up("d"), e = look_up("e");

        /* No more: the last look is one that no rename comes behind. */
        behind = (typeof(behind)){ .name = "d", .times = 4, .act = exchange };
        cr_assert_eq(look_up("d"), d);
        cr_assert_eq(behind.times, 0);
        check_at(d, "d");
        check_at(e, "e");
}

Test(view_entries, a_removed_name_is_not_noted_again)
{
        struct nsm_entry entry;

        make_file("a");
        uint64_t node = look_up("a");
        behind = (typeof(behind)){ .name = "a", .times = 1, .act = remove_a };
        cr_assert_eq(nsm_entry_lookup(view, NSM_TABLE_ROOT, "a", &entry), -ENOENT);
        cr_assert_eq(links_of(node), 0);
        cr_assert(nsm_table_get(&view->table, node)->nameless);
}

static void move_by_others(void)
{
        struct nsm_identity identity;
        struct statx stx;

        cr_assert_eq(renameat(root, "d", root, "x"), 0);
        cr_assert_eq(nsm_statx(root, "x", &stx), 0);
        nsm_view_identify(view, &stx, &identity);
        nsm_moved_note(view, nsm_table_find(&view->table, &identity), NSM_TABLE_ROOT, "x");
}

Test(view_entries, others_may_move_it_too)
{
        struct nsm_entry entry;
        uint64_t node = look_up("d");

        behind = (typeof(behind)){ .name = "d", .times = 1, .act = move_by_others };
        cr_assert_eq(nsm_entry_lookup(view, NSM_TABLE_ROOT, "d", &entry), -ENOENT);
        check_at(node, "x");
}

static void come_back(void)
{
        cr_assert_eq(renameat(root, "x", root, "d"), 0);
        look_up("d");
}

/* Somebody finds it at the very name where another one has just not found it. */
Test(view_entries, a_place_that_was_noted_meanwhile_is_kept)
{
        uint64_t node = look_up("d");

        cr_assert_eq(renameat(root, "d", root, "x"), 0);
        behind = (typeof(behind)){ .name = "d", .pass = 1, .times = 1, .act = come_back };
        check_at(node, "d");
        check_at(node, "d");
}

/* A place where it is not is forgotten, and with it what it keeps of the table. */
Test(view_entries, a_place_where_it_is_not_is_forgotten)
{
        struct statx stx;

        make_file("a");
        uint64_t node = look_up("a");
        cr_assert_eq(renameat(root, "a", root, "b"), 0);
        cr_assert_eq(nsm_node_stat(view, node, &stx), -ESTALE);
        cr_assert_eq(links_of(node), 0);
        cr_assert_eq(look_up("b"), node);
        check_at(node, "b");
}

static void move_a(void)
{
        move("a", "b", 0);
}

static uint64_t create(const char *name)
{
        struct nsm_caller caller = { .group = NSM_ID_INVALID, .umask = 022 };
        struct nsm_entry entry;
        int fd;

        cr_assert_eq(nsm_entry_create(view, NSM_TABLE_ROOT, name, S_IFREG | 0600, O_RDWR, &caller,
                                      &entry, &fd), 0);
        close(fd);
        return entry.node;
}

Test(view_entries, a_file_that_moves_while_it_is_made_is_not_noted_there)
{
        if (geteuid() != 0)
                cr_skip_test("needs root: what is made has an owner");
        behind = (typeof(behind)){ .name = "", .times = 1, .act = move_a };
        uint64_t node = create("a");
        cr_assert_eq(links_of(node), 0);
        cr_assert(nsm_table_get(&view->table, node)->nameless);
        cr_assert_eq(look_up("b"), node);
        cr_assert(!nsm_table_get(&view->table, node)->nameless);
        check_at(node, "b");
}

static void move_there_and_back(void)
{
        move("a", "b", 0);
        move("b", "a", 0);
}

Test(view_entries, a_file_that_comes_back_while_it_is_made_is_noted)
{
        if (geteuid() != 0)
                cr_skip_test("needs root: what is made has an owner");
        behind = (typeof(behind)){ .name = "", .times = 1, .act = move_there_and_back };
        uint64_t node = create("a");
        cr_assert_eq(links_of(node), 1);
        check_at(node, "a");
}
