/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operations find, made on the storage. */
#include <time.h>

#include "tests/costs/operations.h"

#define DAY 86400

/* As if it had been read: to read it moves no time, for which more would be asked. */
static int mark_read(const char *name)
{
        struct timespec times[2] = { { .tv_sec = time(NULL) + DAY }, { .tv_nsec = UTIME_OMIT } };

        CHECK(utimensat(AT_FDCWD, name, times, 0) == 0);
        return 0;
}

static int store_page(const char *name)
{
        static const char page[PAGE];
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

        CHECK(fd >= 0 && write(fd, page, PAGE) == PAGE && close(fd) == 0);
        return mark_read(name);
}

int store_open(void)
{
        CHECK(chmod(".", 0777) == 0);
        return 0;
}

int store_file(void)
{
        CHECK(symlink("f", "l") == 0);
        return store_page("f");
}

int store_files(void)
{
        char name[32];

        for (int i = 0; i < TIMES; i++) {
                snprintf(name, sizeof name, "n%d", i);
                CHECK(store_page(name) == 0);
        }
        return 0;
}

int store_dirs(void)
{
        char name[32];

        for (int i = 0; i < TIMES; i++) {
                snprintf(name, sizeof name, "d%d", i);
                CHECK(mkdir(name, 0755) == 0);
                for (int j = 0; j < 4; j++) {
                        snprintf(name, sizeof name, "d%d/f%d", i, j);
                        CHECK(store_page(name) == 0);
                }
                snprintf(name, sizeof name, "d%d", i);
                CHECK(mark_read(name) == 0);
        }
        return 0;
}

int store_many(void)
{
        char name[32];

        CHECK(mkdir("many", 0755) == 0);
        for (int i = 0; i < MANY; i++) {
                snprintf(name, sizeof name, "many/f%d", i);
                CHECK(mknod(name, S_IFREG | 0644, 0) == 0);
        }
        return mark_read("many");
}

int store_tree(void)
{
        struct operating o;
        char name[32];

        CHECK(make_tree(&o) == 0);
        for (int i = 0; i < TREE_DIRS; i++) {
                for (int j = 0; j < TREE_FILES; j++) {
                        snprintf(name, sizeof name, "tree/d%d/f%d", i, j);
                        CHECK(mark_read(name) == 0);
                }
                snprintf(name, sizeof name, "tree/d%d", i);
                CHECK(mark_read(name) == 0);
        }
        return mark_read("tree");
}
