/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names in a view: made, found, moved, removed, by the view and behind its back. */
#include <dirent.h>
#include <sys/sysmacros.h>

#include "tests/integration/view-kit.h"

static int make_all_kinds(struct view_kit *k)
{
        char buf[16];
        struct stat st;

        CHECK(write_text("file", "one") == 0 && has_text("file", "one"));
        CHECK(mkdir("dir", 0750) == 0 && stat("dir", &st) == 0 && S_ISDIR(st.st_mode));
        CHECK(symlink("target", "link") == 0 && readlink("link", buf, sizeof buf) == 6);
        CHECK(mkfifo("fifo", 0600) == 0 && lstat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
        CHECK(mknod("sock", S_IFSOCK | 0600, 0) == 0);
        CHECK(mknod("plain", S_IFREG | 0640, 0) == 0);
        CHECK(mknod("whiteout", S_IFCHR, 0) == 0);
        CHECK(link("file", "dir/again") == 0 && stat("dir/again", &st) == 0 && st.st_nlink == 2);
        CHECK_ERR(mkdir("file", 0700), EEXIST);
        CHECK_ERR(link("dir", "dir2"), EPERM);
        CHECK_ERR(open("missing", O_RDONLY), ENOENT);
        CHECK_ERR(open("file", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
        return 0;
}

Test(view_names, every_kind_can_be_made)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, make_all_kinds);
        cr_assert_str_eq(stored(&k, "dir"), "750 0 0");
        cr_assert_str_eq(stored(&k, "plain"), "640 0 0");
        cr_assert_str_eq(stored(&k, "fifo"), "600 0 0");
        cr_assert_str_eq(nsm_world_must(k.w, "cat src/dir/again; readlink src/link"),
                         "onetarget\n");
}

static int make_device(struct view_kit *k)
{
        CHECK_ERR(mknod("null", S_IFCHR | 0666, makedev(1, 3)), EPERM);
        CHECK_ERR(mknod("disk", S_IFBLK | 0666, makedev(7, 0)), EPERM);
        return 0;
}

static int look_at_device(struct view_kit *k)
{
        struct stat st;

        CHECK(stat("stored-null", &st) == 0 && S_ISCHR(st.st_mode));
        CHECK(st.st_rdev == makedev(1, 3));
        CHECK_ERR(open("stored-null", O_RDONLY), EACCES);
        return 0;
}

Test(view_names, devices_are_shown_and_stay_shut)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, make_device);
        nsm_world_must(k.w, "mknod -m 666 src/stored-null c 1 3");
        view_do(&k, 0, look_at_device);
        view_do(&k, UINT32_MAX, look_at_device);
}

static int rename_all_ways(struct view_kit *k)
{
        struct stat a, b, now;

        CHECK(write_text("a", "a") == 0 && write_text("b", "b") == 0);
        CHECK(stat("a", &a) == 0 && stat("b", &b) == 0);
        CHECK_ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
        CHECK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) == 0);
        CHECK(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE) == 0);
        CHECK(has_text("b", "a") && has_text("c", "b"));
        CHECK(stat("b", &now) == 0 && now.st_ino == a.st_ino);
        CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
        CHECK(rename("b", "d/e/b") == 0 && rename("d/e", "f") == 0 && has_text("f/b", "a"));
        CHECK(rename("c", "f/b") == 0 && has_text("f/b", "b"));
        CHECK(renameat2(AT_FDCWD, "f/b", AT_FDCWD, "f/w", RENAME_WHITEOUT) == 0);
        CHECK(lstat("f/b", &now) == 0 && S_ISCHR(now.st_mode) && now.st_rdev == 0);
        CHECK_ERR(rename("missing", "x"), ENOENT);
        CHECK_ERR(rename("f", "f/w/x"), ENOTDIR);
        CHECK_ERR(rename("f", "f/below"), EINVAL);
        /* Exchange a directory and a file, across directories. */
        CHECK(renameat2(AT_FDCWD, "f/w", AT_FDCWD, "d", RENAME_EXCHANGE) == 0);
        CHECK(has_text("d", "b") && stat("f/w", &now) == 0 && S_ISDIR(now.st_mode));
        CHECK(write_text("f/w/in", "in") == 0 && has_text("f/w/in", "in"));
        return 0;
}

Test(view_names, rename_knows_its_flags)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, rename_all_ways);
}

/* Each name of a file works after each other one is gone. */
static int juggle_links(struct view_kit *k)
{
        char name[32], next[32];
        struct stat st;

        CHECK(mkdir("x", 0700) == 0 && mkdir("y", 0700) == 0 && write_text("x/0", "same") == 0);
        for (int i = 1; i < 40; i++) {
                snprintf(name, sizeof name, "%c/%d", i % 2 ? 'y' : 'x', i);
                CHECK(link("x/0", name) == 0);
        }
        CHECK(stat("x/0", &st) == 0 && st.st_nlink == 40);
        for (int i = 0; i < 39; i++) {
                snprintf(name, sizeof name, "%c/%d", i % 2 ? 'y' : 'x', i);
                snprintf(next, sizeof next, "%c/%d", i % 2 ? 'x' : 'y', i + 1);
                CHECK(unlink(name) == 0 && has_text(next, "same") && chmod(next, 0600 + i % 8) == 0);
                CHECK(stat(next, &st) == 0 && st.st_nlink == (nlink_t)(39 - i));
        }
        /* rename(2) of one name over another of the same file leaves both. */
        CHECK(link("y/39", "y/twin") == 0 && rename("y/39", "y/twin") == 0);
        CHECK(has_text("y/39", "same") && has_text("y/twin", "same"));
        return 0;
}

Test(view_names, hard_links_across_directories)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, juggle_links);
}

static int use_removed(struct view_kit *k)
{
        char buf[8] = "";
        struct stat st;

        CHECK(write_text("gone", "still") == 0 && mkdir("cwd", 0700) == 0);
        int fd = open("gone", O_RDWR);
        int path = open("gone", O_PATH);
        CHECK(fd >= 0 && path >= 0 && unlink("gone") == 0);
        CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 5);
        CHECK(fchmod(fd, 0604) == 0 && ftruncate(fd, 3) == 0 && fstat(path, &st) == 0);
        CHECK((st.st_mode & 0777) == 0604 && st.st_size == 3);
        CHECK(pread(fd, buf, 7, 0) == 3 && strcmp(buf, "sti") == 0);
        /* Opened once more, by the way that /proc has. */
        char again[64];
        snprintf(again, sizeof again, "/proc/self/fd/%d", path);
        int third = open(again, O_RDONLY);
        CHECK(third >= 0 && read(third, buf, 7) == 3);

        CHECK(chdir("cwd") == 0 && rmdir("../cwd") == 0);
        CHECK_ERR(mkdir("below", 0700), ENOENT);
        CHECK(stat(".", &st) == 0 && st.st_nlink < 2);
        return 0;
}

Test(view_names, what_is_removed_can_be_used_while_open)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, use_removed);
}

static int replace_open_directory(struct view_kit *k)
{
        struct stat st, was;

        CHECK(mkdir("old", 0700) == 0 && mkdir("new", 0711) == 0 && write_text("new/f", "f") == 0);
        int fd = open("old", O_RDONLY | O_DIRECTORY);
        CHECK(fd >= 0 && fstat(fd, &was) == 0);
        CHECK(rename("new", "old") == 0 && has_text("old/f", "f"));
        CHECK(fstat(fd, &st) == 0 && st.st_ino == was.st_ino && st.st_nlink == 0);
        CHECK(fchmod(fd, 0500) == 0);
        CHECK_ERR(openat(fd, "f", O_RDONLY), ENOENT);
        CHECK(stat("old", &st) == 0 && (st.st_mode & 0777) == 0711);
        return 0;
}

Test(view_names, rename_over_an_open_directory)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        view_do(&k, 0, replace_open_directory);
}

static int use_tmpfile(struct view_kit *k)
{
        struct stat st;
        char path[64];

        CHECK(mkdir("t", 0700) == 0);
        int fd = open("t", O_TMPFILE | O_RDWR, 0640);
        if (fd < 0 && errno == EOPNOTSUPP)
                return 0; /* a kernel that does not ask FUSE for it */
        CHECK(fd >= 0 && write(fd, "tmp", 3) == 3 && fstat(fd, &st) == 0 && st.st_nlink == 0);
        CHECK(fchmod(fd, 0600) == 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "t/named", AT_SYMLINK_FOLLOW) == 0);
        CHECK(has_text("t/named", "tmp") && fstat(fd, &st) == 0 && st.st_nlink == 1);
        CHECK(st.st_uid == getuid());
        return 0;
}

Test(view_names, a_file_without_a_name)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, use_tmpfile);
        nsm_world_must(k.w, "test ! -e src/t/named || test \"$(stat -c %%u src/t/named)\" = 0");
}

/* 600 directories of 20 bytes: no single path reaches the last one. */
#define DEEP 600

static int go_deep(struct view_kit *k)
{
        for (int i = 0; i < DEEP; i++)
                CHECK(mkdir("a-directory-that-is-l", 0700) == 0 &&
                      chdir("a-directory-that-is-l") == 0);
        CHECK(write_text("bottom", "deep") == 0 && has_text("bottom", "deep"));
        CHECK(chmod("bottom", 0600) == 0 && rename("bottom", "b") == 0 && mkdir("d", 0700) == 0);
        return 0;
}

static int climb_back(struct view_kit *k)
{
        for (int i = 0; i < DEEP; i++)
                CHECK(chdir("a-directory-that-is-l") == 0);
        CHECK(has_text("b", "deep"));
        for (int i = 0; i < DEEP; i++)
                CHECK(chdir("..") == 0);
        CHECK(access("a-directory-that-is-l", F_OK) == 0);
        return 0;
}

Test(view_names, deeper_than_any_path)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        view_do(&k, 0, go_deep);
        nsm_world_must(k.w, "echo 2 > /proc/sys/vm/drop_caches");
        view_do(&k, 0, climb_back);
        nsm_world_must(k.w, "rm -rf mnt/a-directory-that-is-l; test ! -e src/a-directory-that-is-l");
}

/* Asked by names that were known before: the former ones go after a while, and do not return. */
static bool sees_swapped(void *unused)
{
        struct stat link, dir;

        return has_text("d/f", "new") && lstat("became-link", &link) == 0 &&
               S_ISLNK(link.st_mode) && lstat("became-dir", &dir) == 0 && S_ISDIR(dir.st_mode) &&
               access("gone", F_OK) < 0 && has_text("came", "came");
}

static int see_swapped(struct view_kit *k)
{
        CHECK(nsm_wait_until(NSM_HARNESS_LIMIT_MS, sees_swapped, NULL));
        CHECK(sees_swapped(NULL));
        CHECK_ERR(open("became-link", O_RDONLY), ENOENT);
        CHECK(write_text("became-dir/x", "x") == 0);
        CHECK_ERR(open("gone", O_RDONLY), ENOENT);
        return 0;
}

static int see_before(struct view_kit *k)
{
        CHECK(has_text("d/f", "old") && has_text("became-link", "x") && has_text("gone", "gone"));
        CHECK(has_text("became-dir", "y"));
        CHECK_ERR(open("came", O_RDONLY), ENOENT);
        return 0;
}

Test(view_names, changes_below_are_seen_within_a_second)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "cd src; mkdir d e; printf old > d/f; printf new > e/f; printf x > "
                       "became-link; printf y > became-dir; printf gone > gone");
        view_do(&k, 0, see_before);
        nsm_world_must(k.w, "cd src; mv d d2; mv e d; rm became-link became-dir gone; "
                       "ln -s /nowhere became-link; mkdir became-dir; printf came > came");
        view_do(&k, 0, see_swapped);
}

/*
 * A directory that turns into a symbolic link while it is used. Its target is
 * there for the worker, whose root is the volume, and not for the caller, who
 * alone may follow links.
 */
static int never_through_a_link(struct view_kit *k)
{
        for (int i = 0; i < 3000; i++) {
                int fd = open("swap/secret", O_RDONLY);
                char buf[8] = "";
                if (fd >= 0 && read(fd, buf, 7) >= 0)
                        CHECK(strcmp(buf, "inside") == 0);
                if (fd >= 0)
                        close(fd);
                int made = open("swap/made", O_CREAT | O_WRONLY, 0600);
                if (made >= 0)
                        close(made);
        }
        return 0;
}

Test(view_names, a_swapped_directory_leads_nowhere)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "mkdir src/nsm-hidden src/swap; printf HIDDEN > src/nsm-hidden/secret; "
                       "printf inside > src/swap/secret; ln -s /nsm-hidden src/evil");
        struct nsm_process *p = nsm_world_spawn(
                k.w, "cd src; while [ ! -e ../stop ]; do mv -T swap away; mv -T evil swap; "
                "mv -T swap evil; mv -T away swap; done");
        view_do(&k, 0, never_through_a_link);
        nsm_world_must(k.w, "touch stop");
        cr_assert_eq(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS)->status, 0);
        cr_assert_eq(nsm_world_run(k.w, "test -e src/nsm-hidden/made")->status, 1,
                     "created through the link");
}

static int list_many(struct view_kit *k)
{
        CHECK(chdir("many") == 0);
        DIR *dir = opendir(".");
        int n = 0, other = 0;
        CHECK(dir);
        for (struct dirent *d; (d = readdir(dir)); n++)
                other += d->d_name[0] != 'f';
        CHECK(n == 100002 && other == 2);
        /* Back to a place in the middle: the same entry again. */
        rewinddir(dir);
        for (int i = 0; i < 5000; i++)
                CHECK(readdir(dir));
        long at = telldir(dir);
        char name[256];
        snprintf(name, sizeof name, "%s", readdir(dir)->d_name);
        for (int i = 0; i < 3000; i++)
                CHECK(readdir(dir));
        seekdir(dir, at);
        CHECK(strcmp(readdir(dir)->d_name, name) == 0);
        closedir(dir);
        return 0;
}

Test(view_names, a_hundred_thousand_entries, .timeout = 120)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new(",coherence=exclusive");

        nsm_world_must(k.w, "mkdir src/many; cd src/many; seq -f f%%.0f 100000 | xargs touch");
        view_do(&k, 0, list_many);
        nsm_world_must(k.w, "rm -r mnt/many; test ! -e src/many");
}

static int see_root_as_its_parent(struct view_kit *k)
{
        struct stat dot, dots;
        DIR *dir = opendir(".");

        CHECK(dir && stat(".", &dot) == 0);
        for (struct dirent *d; (d = readdir(dir));)
                if (strcmp(d->d_name, "..") == 0)
                        CHECK(d->d_ino == dot.st_ino);
        closedir(dir);
        CHECK(stat("sub/..", &dots) == 0 && dots.st_ino == dot.st_ino);
        return 0;
}

Test(view_names, nothing_is_shown_above_the_root)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "mkdir src/sub");
        view_do(&k, 0, see_root_as_its_parent);
}

static int see_empty(struct view_kit *k)
{
        struct stat st;

        CHECK(stat("other", &st) == 0 && S_ISDIR(st.st_mode));
        CHECK_ERR(open("other/secret", O_RDONLY), ENOENT);
        return 0;
}

Test(view_names, mounts_below_are_not_crossed)
{
        NSM_REQUIRE();
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 .; mkdir src src/other mnt; mount -t tmpfs none src/other; "
                       "echo x > src/other/secret; nsmountfs src mnt -o idmap=0:%u:1000", k.base);
        view_do(&k, 0, see_empty);
        nsm_world_must(k.w, "umount -l mnt; umount src/other");
        nsm_world_free(k.w);
}
