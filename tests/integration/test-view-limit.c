/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A view that may hold few inodes, of a tree with many. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/integration/view-kit.h"

/* LIMIT comes from the build: the same for everybody's patience, and larger. */
#define DIRECTORIES 40
#define FILES (LIMIT / 4) /* of each directory */
#define HELD (LIMIT * 9 / 10) /* with the directories above them, and what is kept: all */

#define STRING(x) #x
#define TEXT(x) STRING(x)

static int make_tree(void *src)
{
        char path[64];

        CHECK(chdir(src) == 0 && mkdir("copy", 0755) == 0 && mkdir("place", 0755) == 0);
        for (int d = 0; d < DIRECTORIES; d++) {
                snprintf(path, sizeof path, "d%d", d);
                CHECK(mkdir(path, 0755) == 0);
                for (int f = 0; f < FILES; f++) {
                        snprintf(path, sizeof path, "d%d/f%d", d, f);
                        CHECK(write_text(path, "text\n") == 0);
                }
        }
        return 0;
}

static struct view_kit limited_kit(const char *coherence)
{
        struct view_kit k = view_kit_new("");
        struct nsm_output *o = nsm_world_call(k.w, make_tree, (void *)k.src);

        cr_assert_eq(o->status, 0, "%s", o->err);
        nsm_world_must(k.w, "umount -l mnt && nsmountfs src mnt -o idmap=0:%u:1000,coherence=%s,"
                       "max-inodes=" TEXT(LIMIT), k.base, coherence);
        return k;
}

/* The worker's records never filled more memory than those of so many inodes. */
static void expect_few_records(struct view_kit *k)
{
        const char *blocks = nsm_world_must(
                k->w, "p=$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:1000,coherence=\") && "
                "for f in /proc/$p/fd/*; do case $(readlink $f) in *nsm-inodes*) "
                "stat -L -c %%b $f;; esac; done", k->base);

        cr_assert(atoi(blocks) > 0, "%s", blocks);
        cr_assert_leq(atoi(blocks) * 512, LIMIT * 64 + 4096, "%s blocks", blocks);
}

ParameterizedTestParameters(view_limit, a_tree_ten_times_the_limit)
{
        static char coherences[][16] = { "exclusive", "shared" };

        return cr_make_param_array(char[16], coherences, 2);
}

ParameterizedTest(char coherence[16], view_limit, a_tree_ten_times_the_limit, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = limited_kit(coherence);

        cr_assert_eq(atoi(nsm_world_must(k.w, "find mnt -type f -ls | wc -l")),
                     DIRECTORIES * FILES);
        cr_assert_eq(atoi(nsm_world_must(k.w, "cat mnt/*/f* | wc -l")), DIRECTORIES * FILES);
        nsm_world_must(k.w, "setpriv --reuid %u --regid %u --clear-groups sh -ec '"
                       "cp -r mnt/d1 mnt/d2 mnt/copy; tar -C mnt -c d3 | tar -C mnt/copy -x;"
                       "for d in d1 d2 d3; do diff -r mnt/$d mnt/copy/$d; done'", k.base, k.base);
        nsm_world_must(k.w, "rm -r mnt/* && test -z \"$(ls -A src)\"");
        expect_few_records(&k);
}

/* Takes files and keeps them with @flags of open(2) until one cannot be had. */
static int hold(int flags, int fds[], int *ret_n)
{
        char path[64];

        *ret_n = 0;
        for (int d = 0; d < DIRECTORIES; d++) {
                for (int f = 0; f < FILES; f++) {
                        snprintf(path, sizeof path, "d%d/f%d", d, f);
                        int fd = open(path, flags | O_CLOEXEC);
                        if (fd < 0)
                                return 0;
                        fds[(*ret_n)++] = fd;
                }
        }
        return 0;
}

/* All are held: what is new is refused, and what is known goes on. */
static int use_full_view(int flags)
{
        static int fds[DIRECTORIES * FILES];
        char text[8] = "";
        struct stat st;
        int n;

        CHECK(hold(flags, fds, &n) == 0 && errno == ENFILE && n > HELD && n < LIMIT);
        CHECK_ERR(stat("d39/f1", &st), ENFILE);
        CHECK_ERR(open("d0/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), ENFILE);
        CHECK_ERR(mkdir("d0/newdir", 0700), ENFILE);
        CHECK_ERR(symlink("x", "d0/newlink"), ENFILE);
        CHECK(stat("d0/f5", &st) == 0 && st.st_size == 5 && fstat(fds[3], &st) == 0);
        if (!(flags & O_PATH))
                CHECK(read(fds[3], text, 5) == 5 && memcmp(text, "text\n", 5) == 0);
        CHECK(rename("d0/f7", "d0/moved") == 0 && link("d0/f6", "d0/again") == 0);
        CHECK(unlink("d0/again") == 0 && rename("d0/moved", "d0/f7") == 0);
        CHECK_ERR(stat("d0/missing", &st), ENOENT);
        for (int i = 0; i < n; i++)
                CHECK(close(fds[i]) == 0);
        CHECK(stat("d39/f1", &st) == 0);
        CHECK(write_text("d39/new", "new") == 0 && has_text("d39/new", "new"));
        return 0;
}

static int use_full_of_open(struct view_kit *k)
{
        return use_full_view(O_RDONLY);
}

static int use_full_of_paths(struct view_kit *k)
{
        return use_full_view(O_PATH);
}

Test(view_limit, what_is_held_stays, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = limited_kit("exclusive");

        view_do(&k, 0, use_full_of_open);
        view_do(&k, 0, use_full_of_paths);
        nsm_world_must(k.w, "! ls src/*/new?* && test $(ls src/d0 | wc -l) = %d", FILES);
}

/* Working directories, and mounts: in use without a word to the worker. */
Test(view_limit, working_directories_and_mounts_stay, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = limited_kit("exclusive");

        nsm_world_must(k.w, "echo over >over && unshare -m sh -ec '"
                       "mount -t tmpfs tmpfs mnt/place; echo in >mnt/place/in;"
                       "mount --bind over mnt/d5/f5; cd mnt/d7; find .. -xdev -type f -ls | wc -l;"
                       "test \"$(pwd -P)\" = \"$(realpath .)\"; chmod 700 f7;"
                       "cat ../place/in ../d5/f5' | tr '\\n' ' ' >out && grep -qx '%d in over ' out &&"
                       "test -x src/d7/f7", DIRECTORIES * FILES);
}
