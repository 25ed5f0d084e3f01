/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on many files. */
#include <dirent.h>

#include "tests/costs/operations.h"

static bool is_dots(const char *name)
{
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int list(bool look)
{
        DIR *d = opendir("many");
        struct dirent *e;
        struct stat st;
        int n = 0;

        CHECK(d);
        for (; (e = readdir(d)); n++)
                CHECK(!look || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
        CHECK(closedir(d) == 0 && n == MANY + 2);
        return 0;
}

int list_names(struct operating *o)
{
        return list(false);
}

int list_and_look(struct operating *o)
{
        return list(true);
}

static int read_entry(int dir, const char *name, mode_t type)
{
        char page[PAGE];

        if (S_ISLNK(type)) {
                CHECK(readlinkat(dir, name, page, sizeof page) > 0);
                return 0;
        }
        int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        CHECK(fd >= 0 && read(fd, page, PAGE) == PAGE && read(fd, page, PAGE) == 0);
        CHECK(close(fd) == 0);
        return 0;
}

static DIR *open_dir(int at, const char *name)
{
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? NULL : fdopendir(fd);
}

/* Looks at what is below a directory, and reads it or not. */
static int walk(int at, const char *name, bool reads)
{
        DIR *d = open_dir(at, name);
        struct dirent *e;
        struct stat st;

        CHECK(d);
        while ((e = readdir(d))) {
                if (is_dots(e->d_name))
                        continue;
                CHECK(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
                if (S_ISDIR(st.st_mode))
                        CHECK(walk(dirfd(d), e->d_name, reads) == 0);
                else
                        CHECK(!reads || read_entry(dirfd(d), e->d_name, st.st_mode) == 0);
        }
        CHECK(closedir(d) == 0);
        return 0;
}

int walk_tree(struct operating *o)
{
        return walk(AT_FDCWD, "tree", false);
}

int read_tree(struct operating *o)
{
        return walk(AT_FDCWD, "tree", true);
}

int look_at_tree(struct operating *o)
{
        struct stat st;
        char name[32];

        for (int i = 0; i < TREE_DIRS; i++)
                for (int j = 0; j < TREE_FILES; j++) {
                        snprintf(name, sizeof name, "tree/d%d/f%d", i, j);
                        CHECK(lstat(name, &st) == 0);
                }
        return 0;
}

/* Of what is in an archive. */
static const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000000000 } };

static int unpack_file(const char *name)
{
        static const char page[PAGE];
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        CHECK(fd >= 0 && write(fd, page, PAGE) == PAGE && futimens(fd, times) == 0);
        CHECK(fchown(fd, getuid(), getgid()) == 0 && fchmod(fd, 0644) == 0 && close(fd) == 0);
        return 0;
}

static int unpack_link(const char *name)
{
        CHECK(symlink("f0", name) == 0 && lchown(name, getuid(), getgid()) == 0);
        CHECK(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW) == 0);
        return 0;
}

/* When nothing more comes into it. */
static int finish_dir(const char *name)
{
        CHECK(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW) == 0);
        CHECK(lchown(name, getuid(), getgid()) == 0 && chmod(name, 0755) == 0);
        return 0;
}

int make_tree(struct operating *o)
{
        char name[32];

        CHECK(mkdir("tree", 0700) == 0);
        for (int i = 0; i < TREE_DIRS; i++) {
                snprintf(name, sizeof name, "tree/d%d", i);
                CHECK(mkdir(name, 0700) == 0);
                for (int j = 0; j < TREE_FILES; j++) {
                        snprintf(name, sizeof name, "tree/d%d/f%d", i, j);
                        CHECK(unpack_file(name) == 0);
                }
                snprintf(name, sizeof name, "tree/d%d/l", i);
                CHECK(unpack_link(name) == 0);
                snprintf(name, sizeof name, "tree/d%d", i);
                CHECK(finish_dir(name) == 0);
        }
        return finish_dir("tree");
}

/* Names go while their directory is read, which all filesystems here bear. */
static int remove_below(int at, const char *name)
{
        DIR *d = open_dir(at, name);
        struct dirent *e;

        CHECK(d);
        while ((e = readdir(d))) {
                if (is_dots(e->d_name))
                        continue;
                CHECK((e->d_type == DT_DIR ? remove_below(dirfd(d), e->d_name)
                                           : unlinkat(dirfd(d), e->d_name, 0)) == 0);
        }
        CHECK(closedir(d) == 0 && unlinkat(at, name, AT_REMOVEDIR) == 0);
        return 0;
}

int remove_tree(struct operating *o)
{
        return remove_below(AT_FDCWD, "tree");
}
