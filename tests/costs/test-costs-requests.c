/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many requests the kernel sends for what programs do: a change after which
 * there are more, or fewer, changes this table and that of fs/README.md.
 */
#include <linux/fuse.h>

#include "tests/costs/counts.h"
#include "tests/costs/operations.h"

/*
 * One of so many tries has to be as the table says: what is cached in a shared
 * view expires, and a busy machine may take that long between two calls. What a
 * change adds comes every time.
 */
#define TRIES 5

struct row {
        const char *name;
        struct operation operation;
        const char *exclusive;
        const char *shared; /* NULL: the same */
};

static const struct row rows[] = {
        { "stat of a file, first", { store_file, NULL, look_at_file }, "LOOKUP" },
        { "stat of a file, again", { store_file, look_at_file, look_at_file }, "none" },
        { "stat of a missing name, first", { NULL, NULL, look_at_missing }, "LOOKUP" },
        { "stat of a missing name, again", { NULL, look_at_missing, look_at_missing }, "none" },
        { "stat through the view's root by its owner, again",
          { NULL, look_through_root, look_through_root }, "none" },
        { "stat through the view's root by another, again",
          { NULL, look_through_root, look_through_root, BY_ANOTHER }, "GETXATTR" },
        { "open, read 4 KiB, close", { store_file, look_at_file, open_read_close },
          "OPEN, RELEASE", "OPEN, FLUSH, RELEASE" },
        { "open, write 4 KiB, close, first", { store_file, look_at_file, open_write_close },
          "OPEN, GETXATTR, RELEASE", "OPEN, GETXATTR, FLUSH, RELEASE" },
        { "open, write 4 KiB, close, again", { store_file, open_write_close, open_write_close },
          "OPEN, RELEASE", "OPEN, FLUSH, RELEASE" },
        { "read 4 KiB of an open file", { store_file, open_for_reading, read_page }, "none" },
        { "write 4 KiB to an open file, first", { store_file, open_for_writing, write_page },
          "GETXATTR" },
        { "write 4 KiB to an open file, again", { store_file, open_and_write, write_page },
          "none" },
        { "write 4 KiB with O_DIRECT for writing alone",
          { store_file, open_past_cache, write_page },
          "WRITE" },
        { "read 4 KiB with O_DIRECT", { store_file, open_past_cache_to_read, read_page }, "none" },
        { "chmod", { store_file, look_at_file, change_mode }, "SETATTR" },
        { "readlink, first", { store_file, NULL, read_link }, "LOOKUP, READLINK" },
        { "readlink, again", { store_file, read_link, read_link }, "none" },
        { "20 times: create, write 4 KiB, close", { NULL, NULL, create_files },
          "LOOKUP 20, CREATE 20, GETXATTR 20, RELEASE 20, GETATTR 19",
          "LOOKUP 20, CREATE 20, GETXATTR 20, FLUSH 20, RELEASE 20, GETATTR 19" },
        { "20 times: mkdir", { NULL, NULL, make_dirs }, "LOOKUP 20, MKDIR 20, GETATTR 19" },
        { "20 times: symlink", { NULL, NULL, make_symlinks }, "LOOKUP 20, SYMLINK 20, GETATTR 19" },
        { "20 times: link", { store_file, look_at_file, link_files },
          "LOOKUP 20, LINK 20, GETATTR 19" },
        { "20 times: rename", { store_files, look_at_files, rename_files },
          "LOOKUP 20, RENAME 20, GETATTR 19" },
        { "20 times: unlink", { store_files, look_at_files, unlink_files },
          "UNLINK 20, GETATTR 19" },
        { "20 times: rmdir", { NULL, make_dirs, remove_dirs }, "RMDIR 20, GETATTR 19" },
        { "300 names listed, first", { store_many, NULL, list_names },
          "LOOKUP, READDIRPLUS, READDIR 2",
          "LOOKUP, OPENDIR, READDIRPLUS, READDIR 2, RELEASEDIR" },
        { "300 names listed, again", { store_many, list_names, list_names },
          "GETATTR",
          "OPENDIR, GETATTR, READDIRPLUS, READDIR 2, RELEASEDIR" },
        { "300 files listed with attributes, first", { store_many, NULL, list_and_look },
          "LOOKUP, READDIRPLUS 3, GETATTR",
          "LOOKUP, OPENDIR, READDIRPLUS 3, GETATTR, RELEASEDIR" },
        { "300 files listed with attributes, again", { store_many, list_and_look, list_and_look },
          "GETATTR",
          "OPENDIR, GETATTR 2, READDIRPLUS 3, RELEASEDIR" },
        { "`find -ls` of the tree, first", { store_tree, NULL, walk_tree },
          "LOOKUP, READDIRPLUS 10",
          "LOOKUP, OPENDIR 5, READDIRPLUS 10, RELEASEDIR 5" },
        { "`find -ls` of the tree, again", { store_tree, walk_tree, walk_tree },
          "GETATTR 5",
          "OPENDIR 5, GETATTR, READDIRPLUS 10, RELEASEDIR 5" },
        { "the tree read by `cp -r`, first", { store_tree, NULL, read_tree },
          "LOOKUP, READDIRPLUS 10, OPEN 32, RELEASE 32, READLINK 4",
          "LOOKUP, OPENDIR 5, READDIRPLUS 10, OPEN 32, FLUSH 32, RELEASE 32, READLINK 4, "
          "RELEASEDIR 5" },
        { "the tree read by `cp -r`, again", { store_tree, read_tree, read_tree },
          "GETATTR 41, OPEN 32, RELEASE 32",
          "OPENDIR 5, GETATTR, READDIRPLUS 10, OPEN 32, FLUSH 32, RELEASE 32, RELEASEDIR 5" },
        { "`git status`: lstat of its files, first", { store_tree, NULL, look_at_tree },
          "LOOKUP 37" },
        { "`git status`: lstat of its files, again", { store_tree, look_at_tree, look_at_tree },
          "none" },
        { "`tar -x` of the tree", { NULL, NULL, make_tree },
          "LOOKUP 41, MKDIR 5, GETATTR 41, CREATE 32, GETXATTR 68, SETATTR 119, "
          "RELEASE 32, SYMLINK 4",
          "LOOKUP 41, MKDIR 5, GETATTR 41, CREATE 32, GETXATTR 68, SETATTR 119, "
          "FLUSH 32, RELEASE 32, SYMLINK 4" },
        { "`rm -rf` of the tree", { NULL, make_tree, remove_tree },
          "LOOKUP, READDIRPLUS 10, UNLINK 36, GETATTR 35, RMDIR 5",
          "LOOKUP, OPENDIR 5, READDIRPLUS 10, UNLINK 36, GETATTR 35, RELEASEDIR 5, RMDIR 5" },
};
#define ROWS (sizeof rows / sizeof *rows)
_Static_assert(TIMES == 20 && MANY == 300, "as the table says");

#define NAME(opcode) [FUSE_##opcode] = #opcode
static const char *const opcodes[] = {
        NAME(LOOKUP), NAME(GETATTR), NAME(SETATTR), NAME(READLINK), NAME(SYMLINK), NAME(MKNOD),
        NAME(MKDIR), NAME(UNLINK), NAME(RMDIR), NAME(RENAME), NAME(LINK), NAME(OPEN), NAME(READ),
        NAME(WRITE), NAME(STATFS), NAME(RELEASE), NAME(FSYNC), NAME(SETXATTR), NAME(GETXATTR),
        NAME(LISTXATTR), NAME(REMOVEXATTR), NAME(FLUSH), NAME(OPENDIR), NAME(READDIR),
        NAME(RELEASEDIR), NAME(GETLK), NAME(SETLK), NAME(ACCESS), NAME(CREATE), NAME(IOCTL),
        NAME(FALLOCATE), NAME(READDIRPLUS), NAME(RENAME2), NAME(LSEEK), NAME(COPY_FILE_RANGE),
};

static const char *opcode_name(struct nsm_world *w, long opcode)
{
        size_t n = sizeof opcodes / sizeof *opcodes;

        return opcode >= 0 && (size_t)opcode < n && opcodes[opcode]
                       ? opcodes[opcode] : nsm_world_printf(w, "opcode-%ld", opcode);
}

static const char *requests_in(struct nsm_world *w, const struct traced_all *all,
                               const struct operation_time *time)
{
        struct counts counts = { 0 };

        for (size_t i = 0; i < all->n; i++) {
                const struct traced *e = &all->of[i];
                if (e->kind == TRACED_SENT && e->at_ns >= time->begin && e->at_ns <= time->end)
                        counts_add(&counts, opcode_name(w, e->number));
        }
        return counts_text(w, &counts);
}

/* Whether a row is as expected in one of its tries; if not, says what the last one was. */
static bool check_row(struct view_kit *k, struct tracing *tracing, size_t row,
                      const char *expected)
{
        const char *found = NULL;

        for (int try = 0; try < TRIES; try++) {
                tracing_clear(tracing);
                struct operation_time time = operation_do(k, counts_try_name(k->w, row, try),
                                                          &rows[row].operation);
                struct traced_all all = tracing_read(tracing);
                found = all.lost ? "more than can be traced" : requests_in(k->w, &all, &time);
                if (strcmp(found, expected) == 0)
                        return true;
        }
        fprintf(stderr, "%s:\n    expected: %s\n    found:    %s\n", rows[row].name, expected,
                found);
        return false;
}

static void check_rows(bool exclusive)
{
        cleanup_view_kit struct view_kit k = operation_place_new();
        unsigned wrong = 0;

        TRACING_REQUIRE(k.w);
        for (size_t i = 0; i < ROWS; i++)
                for (int try = 0; try < TRIES; try++)
                        operation_store(&k, counts_try_name(k.w, i, try), &rows[i].operation);
        operation_place_show(&k, exclusive ? "exclusive" : "shared");
        struct tracing *tracing = tracing_new(k.w, k.mnt, NULL);
        for (size_t i = 0; i < ROWS; i++)
                wrong += !check_row(&k, tracing, i, exclusive || !rows[i].shared
                                    ? rows[i].exclusive : rows[i].shared);
        tracing_free(tracing);
        cr_assert_eq(wrong, 0, "%u operations cost other requests than they should", wrong);
}

Test(costs_requests, where_nobody_else_writes)
{
        NSM_REQUIRE();
        check_rows(true);
}

Test(costs_requests, where_others_write)
{
        NSM_REQUIRE();
        check_rows(false);
}

Test(costs_requests, are_documented)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        unsigned missing = 0;

        for (size_t i = 0; i < ROWS; i++)
                missing += !counts_are_documented(w, rows[i].name, rows[i].exclusive,
                                                  rows[i].shared);
        cr_assert_eq(missing, 0, "fs/README.md, \"What an operation costs\", is not true");
}
