/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a view has of an ext4: inode numbers that stay, its limits, its borders. */
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "tests/integration/view-kit.h"

/* A view with an identity map at mnt, of the directory disk/src of an ext4. */
static struct nsm_world *ext4_view_new(void)
{
        struct nsm_world *w = nsm_world_new();

        nsm_world_add_ext4(w, "disk", (uint64_t)256 << 20);
        nsm_world_must(w, "mkdir disk/src disk/beside mnt other && "
                       "nsmountfs disk/src mnt -o idmap=0:0:65536");
        return w;
}

#define NUMBERS "cd mnt && find . -printf '%%p %%i %%y %%n\\n' | sort"

Test(view_storage, inode_numbers_outlive_a_worker)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = ext4_view_new();

        nsm_world_must(w, "cd mnt; mkdir -p a/b c; echo x > a/f; ln a/f c/g; ln -s f a/l; "
                       "mkfifo a/p; "
                       "for i in $(seq 300); do : > a/b/$i; done");
        const char *before = nsm_world_must(w, NUMBERS);
        cr_assert_str_eq(before, nsm_world_must(w, "cd disk/src && find . -printf "
                                                "'%%p %%i %%y %%n\\n' | sort"));
        cr_assert_str_eq(nsm_world_must(w, "find mnt -printf '%%D\\n' | sort -u | wc -l"), "1\n");
        nsm_world_must(w, "umount mnt && nsmountfs disk/src mnt -o idmap=0:0:65536");
        cr_assert_str_eq(nsm_world_must(w, NUMBERS), before);
        nsm_world_must(w, "mv mnt/a mnt/d && mv mnt/d mnt/a");
        cr_assert_str_eq(nsm_world_must(w, NUMBERS), before);
}

/* A source whose own path is long takes nothing from the paths in a view of it. */
Test(view_storage, paths_are_as_long_below_a_long_path)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = ext4_view_new();
        const char *deep = "", *path = "", *name;

        name = nsm_world_printf(w, "%0200d", 0);
        for (int i = 0; i < 18; i++)
                deep = nsm_world_printf(w, "%s/%s", deep, name);
        nsm_world_must(w, "mkdir -p disk/beside%s && nsmountfs disk/beside%s other "
                       "-o idmap=0:0:65536", deep, deep);
        for (int i = 0; i < 20; i++)
                path = nsm_world_printf(w, "%s%s/", path, name);
        /* 20 * 201 bytes and 75 more are PATH_MAX without its NUL. */
        path = nsm_world_printf(w, "%s%075d", path, 7);
        nsm_world_must(w, "cd other && mkdir -p $(dirname %s) && echo text > %s && cat %s && "
                       "mv %s %s && test -s %s", path, path, path, path, name, name);
}

struct call {
        struct nsm_world *w;
        int (*fn)(void);
};

static int run_in_view(void *arg)
{
        const struct call *c = arg;

        CHECK(chdir(c->w->dir) == 0 && chdir("mnt") == 0);
        return c->fn();
}

static void in_view(struct nsm_world *w, int (*fn)(void))
{
        struct call c = { w, fn };
        struct nsm_output *o = nsm_world_call(w, run_in_view, &c);

        cr_assert_eq(o->status, 0, "%s%s", o->out, o->err);
}

static int link_once_more(void)
{
        struct stat st;

        CHECK(stat("f", &st) == 0 && st.st_nlink == 64999);
        CHECK(link("f", "last") == 0);
        CHECK_ERR(link("f", "more"), EMLINK);
        CHECK_ERR(link("last", "more"), EMLINK);
        CHECK(stat("f", &st) == 0 && st.st_nlink == 65000);
        CHECK(unlink("n1") == 0 && link("f", "more") == 0);
        CHECK_ERR(link("f", "another"), EMLINK);
        return 0;
}

/* ext4 has 65,000 names for a file, and takes any number of directories. */
static int make_names(void *arg)
{
        struct nsm_world *w = arg;

        CHECK(chdir(w->dir) == 0 && chdir("disk/src") == 0 && write_text("f", "text") == 0);
        for (int i = 1; i < 64999; i++) {
                char name[16];

                snprintf(name, sizeof name, "n%d", i);
                CHECK(link("f", name) == 0);
        }
        return 0;
}

Test(view_storage, as_many_names_as_ext4_has)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = ext4_view_new();
        struct nsm_output *o = nsm_world_call(w, make_names, w);

        cr_assert_eq(o->status, 0, "%s", o->err);
        in_view(w, link_once_more);
}

static int cross_borders(void)
{
        CHECK(mkdir("d", 0755) == 0 && write_text("f", "text") == 0 && mkdir("on", 0755) == 0);
        CHECK_ERR(rename("f", "../disk/beside/f"), EXDEV);
        CHECK_ERR(link("f", "../disk/beside/f"), EXDEV);
        CHECK_ERR(rename("../other", "d/x"), EXDEV);
        CHECK_ERR(rename("f", "../disk/src/g"), EXDEV);
        CHECK(mount("tmpfs", "on", "tmpfs", 0, NULL) == 0);
        CHECK_ERR(rmdir("on"), EBUSY);
        CHECK_ERR(rename("on", "off"), EBUSY);
        CHECK_ERR(rename("d", "on"), EBUSY);
        CHECK_ERR(renameat2(AT_FDCWD, "d", AT_FDCWD, "on", RENAME_EXCHANGE), EBUSY);
        CHECK_ERR(rename("f", "on/f"), EXDEV);
        CHECK_ERR(link("f", "on/f"), EXDEV);
        CHECK(umount("on") == 0 && rename("on", "off") == 0 && rmdir("off") == 0);
        CHECK_ERR(rmdir("."), EINVAL);
        CHECK_ERR(rmdir("../mnt"), EBUSY);
        CHECK_ERR(rename("../mnt", "../moved"), EBUSY);
        return 0;
}

Test(view_storage, nothing_crosses_its_borders)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = ext4_view_new();

        in_view(w, cross_borders);
}

static int fill_up(void)
{
        char block[65536];
        ssize_t n = 1;
        int fd = open("big", O_WRONLY | O_CREAT, 0600);

        memset(block, 'x', sizeof block);
        while (n > 0)
                n = write(fd, block, sizeof block);
        CHECK(n < 0 && errno == ENOSPC);
        CHECK_ERR(fallocate(fd, 0, 0, (off_t)1 << 30), ENOSPC);
        CHECK(unlink("big") == 0 && close(fd) == 0);
        return 0;
}

Test(view_storage, a_full_disk_is_told)
{
        NSM_REQUIRE();
        cleanup_world struct nsm_world *w = ext4_view_new();

        in_view(w, fill_up);
        /* The last close does not wait for the room: the kernel releases the file by itself. */
        nsm_world_must(w, "until echo again > mnt/f; do sleep 0.01; done; "
                       "grep -q again disk/src/f");
}
