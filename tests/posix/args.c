/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the arguments of operations mean, and how results are written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/posix/engine.h"

int px_slot(struct px *px, const char *arg)
{
        unsigned slot = (unsigned)(arg[*arg == '#'] - '0');

        if (slot >= PX_SLOTS)
                px_die(px, "no slot %s", arg);
        return (int)slot;
}

struct px_path px_path(struct px *px, const char *arg)
{
        if (arg[0] != '#')
                return (struct px_path){ .fd = AT_FDCWD, .name = arg };
        int fd = px->slots[px_slot(px, arg)];
        if (arg[2] == '/')
                return (struct px_path){ .fd = fd, .name = arg + 3 };
        return (struct px_path){ .fd = fd, .name = "", .empty = AT_EMPTY_PATH };
}

int64_t px_number(struct px *px, const char *arg)
{
        char *end;
        int64_t n;

        errno = 0;
        n = strtoll(arg, &end, 0);
        if (errno || end == arg || *end)
                px_die(px, "'%s' is no number", arg);
        return n;
}

#define FLAG(name) { #name, name }
static const struct {
        const char *name;
        int value;
} flags[] = {
        FLAG(O_RDONLY), FLAG(O_WRONLY), FLAG(O_RDWR), FLAG(O_ACCMODE), FLAG(O_CREAT),
        FLAG(O_EXCL), FLAG(O_TRUNC), FLAG(O_APPEND), FLAG(O_NONBLOCK), FLAG(O_DIRECTORY),
        FLAG(O_NOFOLLOW), FLAG(O_PATH), FLAG(O_TMPFILE), FLAG(O_NOATIME), FLAG(O_DIRECT),
        FLAG(O_SYNC), FLAG(SEEK_SET), FLAG(SEEK_CUR), FLAG(SEEK_END), FLAG(SEEK_DATA),
        FLAG(SEEK_HOLE), FLAG(O_DSYNC), FLAG(O_NOCTTY), FLAG(RENAME_NOREPLACE),
        FLAG(RENAME_EXCHANGE), FLAG(RENAME_WHITEOUT), FLAG(AT_SYMLINK_NOFOLLOW),
        FLAG(AT_SYMLINK_FOLLOW), FLAG(AT_EMPTY_PATH), FLAG(AT_EACCESS), FLAG(AT_REMOVEDIR),
        { "R_OK", 4 }, { "W_OK", 2 }, { "X_OK", 1 }, { "F_OK", 0 },
        FLAG(FALLOC_FL_KEEP_SIZE), FLAG(FALLOC_FL_PUNCH_HOLE), FLAG(FALLOC_FL_ZERO_RANGE),
        FLAG(FALLOC_FL_COLLAPSE_RANGE), FLAG(FALLOC_FL_INSERT_RANGE),
        { "XATTR_CREATE", 1 }, { "XATTR_REPLACE", 2 },
};

int px_flags(struct px *px, const char *arg)
{
        int value = 0;

        while (*arg) {
                size_t len = strcspn(arg, "|"), i = 0;

                while (i < sizeof flags / sizeof *flags &&
                       (strncmp(flags[i].name, arg, len) != 0 || flags[i].name[len]))
                        i++;
                if (i < sizeof flags / sizeof *flags) {
                        value |= flags[i].value;
                } else {
                        char number[32];

                        snprintf(number, sizeof number, "%.*s", (int)len, arg);
                        value |= (int)px_number(px, number);
                }
                arg += len + (arg[len] == '|');
        }
        return value;
}

const char *px_result_text(int r, char *buf, size_t size)
{
        const char *name = r < 0 ? strerrorname_np(-r) : NULL;

        if (name)
                snprintf(buf, size, "%s", name);
        else
                snprintf(buf, size, "%d", r);
        return buf;
}
