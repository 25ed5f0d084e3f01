/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on one file, and on one file after another. */
#include <dirent.h>

#include "tests/costs/operations.h"

static int look(const char *name)
{
        struct stat st;

        CHECK(stat(name, &st) == 0);
        return 0;
}

static int miss(const char *name)
{
        struct stat st;

        CHECK_ERR(stat(name, &st), ENOENT);
        return 0;
}

static int open_file(struct operating *o, const char *name, int flags)
{
        o->fd = open(name, flags | O_CLOEXEC, 0644);
        CHECK(o->fd >= 0);
        return 0;
}

static int close_file(struct operating *o)
{
        CHECK(close(o->fd) == 0);
        return 0;
}

/* ---- f ---- */

int look_at_file(struct operating *o)
{
        return look("f");
}

int look_at_missing(struct operating *o)
{
        return miss("none");
}

int look_through_root(struct operating *o)
{
        return look("../.");
}

int open_for_writing(struct operating *o)
{
        return open_file(o, "f", O_WRONLY);
}

int open_for_reading(struct operating *o)
{
        return open_file(o, "f", O_RDONLY);
}

int open_past_cache(struct operating *o)
{
        return open_file(o, "f", O_WRONLY | O_DIRECT);
}

int open_past_cache_to_read(struct operating *o)
{
        return open_file(o, "f", O_RDWR | O_DIRECT);
}

int read_page(struct operating *o)
{
        CHECK(pread(o->fd, o->page, PAGE, 0) == PAGE);
        return 0;
}

int write_page(struct operating *o)
{
        CHECK(pwrite(o->fd, o->page, PAGE, 0) == PAGE);
        return 0;
}

int open_and_write(struct operating *o)
{
        return open_for_writing(o) || write_page(o);
}

int open_read_close(struct operating *o)
{
        return open_for_reading(o) || read_page(o) || close_file(o);
}

int open_write_close(struct operating *o)
{
        return open_for_writing(o) || write_page(o) || close_file(o);
}

int change_mode(struct operating *o)
{
        CHECK(chmod("f", 0600) == 0);
        return 0;
}

int read_link(struct operating *o)
{
        CHECK(readlink("l", o->page, PAGE) == 1);
        return 0;
}

/* ---- n0 ... ---- */

static int each(const char *prefix, int (*fn)(struct operating *o, const char *name),
                struct operating *o)
{
        char name[32];

        for (int i = 0; i < TIMES; i++) {
                snprintf(name, sizeof name, "%s%d", prefix, i);
                CHECK(fn(o, name) == 0);
        }
        return 0;
}

static int look_at_it(struct operating *o, const char *name)
{
        return look(name);
}

int look_at_files(struct operating *o)
{
        return each("n", look_at_it, o);
}

static int miss_it(struct operating *o, const char *name)
{
        return miss(name);
}

int look_at_missing_files(struct operating *o)
{
        return each("none", miss_it, o);
}

static int open_it(struct operating *o, const char *name)
{
        return open_file(o, name, O_RDONLY) || close_file(o);
}

int open_files(struct operating *o)
{
        return each("n", open_it, o);
}

static int write_it(struct operating *o, const char *name)
{
        return open_file(o, name, O_WRONLY) || write_page(o) || close_file(o);
}

int write_files(struct operating *o)
{
        return each("n", write_it, o);
}

static int create_it(struct operating *o, const char *name)
{
        return open_file(o, name, O_WRONLY | O_CREAT | O_EXCL) || write_page(o) || close_file(o);
}

int create_files(struct operating *o)
{
        return each("n", create_it, o);
}

static int change_mode_of_it(struct operating *o, const char *name)
{
        CHECK(chmod(name, 0600) == 0);
        return 0;
}

int change_modes(struct operating *o)
{
        return each("n", change_mode_of_it, o);
}

static int change_owner_of_it(struct operating *o, const char *name)
{
        CHECK(chown(name, getuid(), getgid()) == 0);
        return 0;
}

int change_owners(struct operating *o)
{
        return each("n", change_owner_of_it, o);
}

static int change_times_of_it(struct operating *o, const char *name)
{
        CHECK(utimensat(AT_FDCWD, name, NULL, 0) == 0);
        return 0;
}

int change_times(struct operating *o)
{
        return each("n", change_times_of_it, o);
}

static int truncate_it(struct operating *o, const char *name)
{
        CHECK(truncate(name, 0) == 0);
        return 0;
}

int truncate_files(struct operating *o)
{
        return each("n", truncate_it, o);
}

static int link_it(struct operating *o, const char *name)
{
        CHECK(link("f", name) == 0);
        return 0;
}

int link_files(struct operating *o)
{
        return each("n", link_it, o);
}

static int rename_it(struct operating *o, const char *name)
{
        char to[40];

        snprintf(to, sizeof to, "new-%s", name);
        CHECK(rename(name, to) == 0);
        return 0;
}

int rename_files(struct operating *o)
{
        return each("n", rename_it, o);
}

static int unlink_it(struct operating *o, const char *name)
{
        CHECK(unlink(name) == 0);
        return 0;
}

int unlink_files(struct operating *o)
{
        return each("n", unlink_it, o);
}

static int make_it(struct operating *o, const char *name)
{
        CHECK(mkdir(name, 0755) == 0);
        return 0;
}

int make_dirs(struct operating *o)
{
        return each("n", make_it, o);
}

static int make_it_as_another(struct operating *o, const char *name)
{
        struct stat st;

        CHECK(stat(".", &st) == 0);
        uid_t id = st.st_uid + o->turn++ % 2;
        setfsgid(id);
        setfsuid(id);
        return make_it(o, name);
}

int make_dirs_in_turn(struct operating *o)
{
        return each("n", make_it_as_another, o);
}

static int remove_it(struct operating *o, const char *name)
{
        CHECK(rmdir(name) == 0);
        return 0;
}

int remove_dirs(struct operating *o)
{
        return each("n", remove_it, o);
}

static int make_symlink(struct operating *o, const char *name)
{
        CHECK(symlink("f", name) == 0);
        return 0;
}

int make_symlinks(struct operating *o)
{
        return each("n", make_symlink, o);
}

static int read_symlink(struct operating *o, const char *name)
{
        CHECK(readlink(name, o->page, PAGE) == 1);
        return 0;
}

int read_symlinks(struct operating *o)
{
        return each("n", read_symlink, o);
}

static int list_it(struct operating *o, const char *name)
{
        DIR *d = opendir(name);
        int n = 0;

        CHECK(d);
        while (readdir(d))
                n++;
        CHECK(closedir(d) == 0 && n == 6);
        return 0;
}

int list_dirs(struct operating *o)
{
        return each("d", list_it, o);
}

/* ---- the open file ---- */

static int write_to_it(struct operating *o, const char *name)
{
        return write_page(o);
}

int write_pages(struct operating *o)
{
        return each("", write_to_it, o);
}

static int sync_it(struct operating *o, const char *name)
{
        CHECK(fsync(o->fd) == 0);
        return 0;
}

int sync_again(struct operating *o)
{
        return each("", sync_it, o);
}
