/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What depends on who calls and on the caller's groups and capabilities: the
 * same is done in a view and in an id-mapped mount of a twin of its storage, by
 * every kind of caller, and what they are told and what is stored is compared.
 * Once through the view itself, once through an id-mapped mount of it.
 */
#include "tests/integration/callers-kit.h"

#include <sys/xattr.h>

/* ---- content changes: which set-id bits stay ---- */

static int op_write(const char *path, uint32_t first)
{
        int fd = open(path, O_WRONLY);
        return fd < 0 || write(fd, "x", 1) == 1 ? 0 : -1;
}

static int op_append(const char *path, uint32_t first)
{
        int fd = open(path, O_WRONLY | O_APPEND);
        return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : -1;
}

static int op_allocate(const char *path, uint32_t first)
{
        int fd = open(path, O_WRONLY);
        return fd < 0 ? -1 : fallocate(fd, 0, 0, 20000);
}

static int op_punch(const char *path, uint32_t first)
{
        int fd = open(path, O_WRONLY);
        return fd < 0 ? -1 : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int op_copy(const char *path, uint32_t first)
{
        int in = open("content", O_RDONLY), out = open(path, O_WRONLY);
        loff_t from = 0, to = 0;
        return in < 0 || out < 0 ? -1 : copy_file_range(in, &from, out, &to, 4, 0) == 4 ? 0 : -1;
}

static int op_truncate(const char *path, uint32_t first)
{
        return truncate(path, 3);
}

static int op_ftruncate(const char *path, uint32_t first)
{
        int fd = open(path, O_WRONLY);
        return fd < 0 ? -1 : ftruncate(fd, 3);
}

static int op_open_truncate(const char *path, uint32_t first)
{
        return open(path, O_WRONLY | O_TRUNC) < 0 ? -1 : 0;
}

static int op_chown_nothing(const char *path, uint32_t first)
{
        return chown(path, (uid_t)-1, (gid_t)-1);
}

static int op_chown_same(const char *path, uint32_t first)
{
        struct stat st;
        return stat(path, &st) < 0 ? -1 : chown(path, st.st_uid, st.st_gid);
}

static int op_chmod(const char *path, uint32_t first)
{
        return chmod(path, 06755);
}

static int op_utimes(const char *path, uint32_t first)
{
        return utimensat(AT_FDCWD, path, NULL, 0);
}

static int op_attribute(const char *path, uint32_t first)
{
        return setxattr(path, "user.a", "b", 1, 0);
}

/* Entries of an access ACL; @named: an id for ACL_USER. */
static int set_acl(const char *path, const char *name, uint32_t named)
{
        struct {
                uint32_t version;
                struct {
                        uint16_t tag, perm;
                        uint32_t id;
                } entries[5];
        } acl = { 2, { { 0x01, 7, -1U }, { 0x02, 6, named }, { 0x04, 5, -1U },
                       { 0x10, 7, -1U }, { 0x20, 7, -1U } } };
        return setxattr(path, name, &acl, sizeof acl, 0);
}

static int op_acl(const char *path, uint32_t first)
{
        return set_acl(path, "system.posix_acl_access", first + 3);
}

static int op_acl_of_nobody(const char *path, uint32_t first)
{
        return set_acl(path, "system.posix_acl_access", first + CALLERS_IDS);
}

static int op_acl_gone(const char *path, uint32_t first)
{
        return removexattr(path, "system.posix_acl_access");
}

static const struct {
        const char *name;
        int (*fn)(const char *path, uint32_t first);
} changes[] = {
        { "write", op_write }, { "append", op_append }, { "allocate", op_allocate },
        { "punch", op_punch }, { "copy", op_copy }, { "truncate", op_truncate },
        { "ftruncate", op_ftruncate }, { "open-truncate", op_open_truncate },
        { "chown-nothing", op_chown_nothing }, { "chown-same", op_chown_same },
        { "chmod", op_chmod }, { "utimes", op_utimes }, { "attribute", op_attribute },
        { "acl", op_acl }, { "acl-of-nobody", op_acl_of_nobody }, { "acl-gone", op_acl_gone },
};

/* S_ISGID with S_IXGRP and without, S_ISUID, both; none but file capabilities. */
static const char *const modes[] = { "2777", "2767", "4767", "6777", "6767", "777" };

static int change_all(uint32_t first)
{
        for (size_t c = 0; c < sizeof changes / sizeof *changes; c++)
                for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
                        char path[64];
                        snprintf(path, sizeof path, "%s-%s", changes[c].name, modes[m]);
                        callers_say(path, changes[c].fn(path, first));
                }
        return 0;
}

static int set_capability(const char *path)
{
        return setxattr(path, "security.capability",
                        "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0);
}

static int prepare_changes(void)
{
        CHECK(write_text("content", "content") == 0);
        for (size_t c = 0; c < sizeof changes / sizeof *changes; c++)
                for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
                        char path[64];
                        snprintf(path, sizeof path, "%s-%s", changes[c].name, modes[m]);
                        CHECK(write_text(path, "0123456789") == 0 && chown(path, 1, 50) == 0);
                        CHECK(chmod(path, (mode_t)strtoul(modes[m], NULL, 8)) == 0);
                        CHECK(strcmp(modes[m], "777") != 0 || set_capability(path) == 0);
                }
        return 0;
}

/* ---- creations ---- */

static int link_file(int fd, const char *path)
{
        char from[64];
        snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int make_all(uint32_t first)
{
        static const char *const dirs[] = { "plain", "setgid", "setgid-acl", "closed" };
        static const mode_t with[] = { 02775, 02765, 06777, 0666 };

        umask(002);
        for (size_t d = 0; d < 4; d++)
                for (size_t m = 0; m < 4; m++) {
                        char path[64];
                        int fd;
#define MAKE(what, call)                                                                \
        do {                                                                            \
                snprintf(path, sizeof path, "%s/" what "-%o", dirs[d], with[m]);        \
                callers_say(path, (call) < 0 ? -1 : 0);                                 \
        } while (0)
                        MAKE("file", open(path, O_CREAT | O_EXCL | O_WRONLY, with[m]));
                        MAKE("node", mknod(path, S_IFREG | with[m], 0));
                        MAKE("fifo", mkfifo(path, with[m]));
                        MAKE("dir", mkdir(path, with[m]));
                        MAKE("link", symlink("target", path));
                        MAKE("temporary", (fd = open(dirs[d], O_TMPFILE | O_RDWR, with[m])) < 0
                                          ? -1 : link_file(fd, path));
                        MAKE("char", mknod(path, S_IFCHR | with[m], 0));
                        MAKE("renamed", rename("nothing", path));
                }
        return 0;
}

/* ---- owners and permissions ---- */

static int govern_all(uint32_t first)
{
        char path[64];

        for (unsigned to = 0; to < 4; to++) {
                snprintf(path, sizeof path, "give-%u", to);
                callers_say(path, chown(path, first + to, (gid_t)-1));
                snprintf(path, sizeof path, "group-%u", to);
                callers_say(path, chown(path, (uid_t)-1, first + (to == 3 ? 50 : to)));
        }
        callers_say("give-outside", chown("give-outside", first + CALLERS_IDS, (gid_t)-1));
        callers_say("own-dir", chmod("own-dir", 02775));
        callers_say("sticky/a", unlink("sticky/a"));
        callers_say("private", open("private", O_RDONLY) < 0 ? -1 : 0);
        callers_say("named", open("named", O_RDWR) < 0 ? -1 : 0);
        callers_say("named-group", open("named-group", O_RDWR) < 0 ? -1 : 0);
        callers_say("capable", set_capability("capable"));
        return 0;
}

/* Ids outside the map, which only the host has: always EOVERFLOW, if the kernel lets it pass. */
#define OUTSIDE(mode) { "acl-of-nobody-" mode, "22 " mode, "75 " mode }
#define END { NULL, NULL, NULL }

static const struct callers_difference change_known[] = {
        OUTSIDE("2777"), OUTSIDE("2767"), OUTSIDE("4767"), OUTSIDE("6777"), OUTSIDE("6767"),
        OUTSIDE("777"), END,
};
static const struct callers_difference govern_known[] = {
        { "give-outside", "75 666", "1 666" }, { "capable", "22 666", "75 666" }, END,
};

/*
 * Behind an id-mapped mount of a view nobody tells by which of its ids a caller
 * goes. It is taken for a stranger, so that S_ISGID without S_IXGRP, which makes
 * nothing set-id, goes; and its chown(2) of nothing is refused, or does nothing.
 */
#define GOES(what) { what, "0 2767", "0 767" }
#define NOTHING(mode, left) \
        { "chown-nothing-" mode, "0 " left, "0 " mode }, \
        { "chown-nothing-" mode, "0 " left, "1 " mode }
static const struct callers_difference change_known_mapped[] = {
        GOES("truncate-2767"), GOES("truncate-6767"), GOES("ftruncate-2767"),
        GOES("ftruncate-6767"), GOES("open-truncate-2767"), GOES("open-truncate-6767"),
        GOES("chown-same-2767"), GOES("chown-same-6767"), GOES("write-6767"), GOES("append-2767"),
        GOES("append-6767"), GOES("allocate-6767"), GOES("punch-6767"), GOES("copy-6767"),
        NOTHING("2777", "777"), NOTHING("4767", "767"), NOTHING("6777", "777"),
        NOTHING("6767", "2767"), { "chown-nothing-6767", "0 767", "1 6767" },
        { "chown-nothing-2767", "0 767", "1 2767" }, { "chown-nothing-2767", "0 2767", "1 2767" },
        END,
};
static const struct callers_scene change_scene = {
        .prepare = prepare_changes, .act = change_all, .known = change_known,
        .known_mapped = change_known_mapped,
};
static const struct callers_scene make_scene = {
        .script = "mkdir plain setgid setgid-acl closed && chown 1:50 setgid setgid-acl && "
                  "chmod 777 plain && chmod 2777 setgid setgid-acl && chmod 755 closed && "
                  "setfacl -d -m u:3:rwx,g:50:rwx,m:rwx setgid-acl",
        .act = make_all,
};
static const struct callers_scene govern_scene = {
        .script = "touch give-0 give-1 give-2 give-3 group-0 group-1 group-2 group-3 && "
                  "touch private named named-group capable give-outside && mkdir own-dir sticky && "
                  "touch sticky/a && "
                  "chown 1:1 give-* group-* own-dir sticky sticky/a private named capable && chmod 600 private named named-group && chmod 1777 sticky && "
                  "setfacl -m u:2:rw named && setfacl -m g:50:rw named-group",
        .act = govern_all, .known = govern_known,
};

#define CALLERS_TEST(name, scene)                                                       \
        Test(view_callers, name)                                                        \
        {                                                                               \
                NSM_REQUIRE();                                                          \
                callers_compare(false, scene);                                       \
        }                                                                               \
        Test(view_callers, name##_in_an_id_mapped_view)                                 \
        {                                                                               \
                NSM_REQUIRE();                                                          \
                callers_compare(true, scene);                                        \
        }

CALLERS_TEST(set_id_bits_go_as_on_the_storage, change_scene)
CALLERS_TEST(creations_are_as_on_the_storage, make_scene)
CALLERS_TEST(owners_and_permissions_are_as_on_the_storage, govern_scene)
