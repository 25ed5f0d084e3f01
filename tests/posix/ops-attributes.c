/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on attributes, and looking at them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/posix/engine.h"

static int result(int r)
{
        return r < 0 ? -errno : r;
}

static int op_chmod(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        mode_t mode = (mode_t)px_number(px, a[1]);

        return result(p.empty ? fchmod(p.fd, mode) : fchmodat(p.fd, p.name, mode, 0));
}

/* "-" or "-1": stays as it is */
static uint32_t id(struct px *px, const char *arg)
{
        return strcmp(arg, "-") == 0 ? (uint32_t)-1 : (uint32_t)px_number(px, arg);
}

static int op_chown(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(fchownat(p.fd, p.name, id(px, a[1]), id(px, a[2]), p.empty));
}

static int op_lchown(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(fchownat(p.fd, p.name, id(px, a[1]), id(px, a[2]), AT_SYMLINK_NOFOLLOW));
}

static int op_fchown(struct px *px, char **a, int n)
{
        return result(fchown(px->slots[px_slot(px, a[0])], id(px, a[1]), id(px, a[2])));
}

static int op_access(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        int flags = n > 2 ? px_flags(px, a[2]) : 0;

        return result((int)syscall(SYS_faccessat2, p.fd, p.name, px_flags(px, a[1]),
                                   flags | p.empty));
}

/* ---- stat ---- */

static int look(struct px *px, const char *path, struct statx *ret, int flags)
{
        struct px_path p = px_path(px, path);

        return result(statx(p.fd, p.name, flags | p.empty, STATX_BASIC_STATS | STATX_BTIME, ret));
}

static bool print_field(const char *key, const struct statx *s, char *ret, size_t size)
{
        char type[8];

        if (strcmp(key, "type") == 0) {
                px_type_name(s->stx_mode, type);
                snprintf(ret, size, "%s", type);
        } else if (strcmp(key, "perm") == 0) {
                snprintf(ret, size, "%04o", s->stx_mode & 07777);
        } else if (strcmp(key, "uid") == 0) {
                snprintf(ret, size, "%u", s->stx_uid);
        } else if (strcmp(key, "gid") == 0) {
                snprintf(ret, size, "%u", s->stx_gid);
        } else if (strcmp(key, "nlink") == 0) {
                snprintf(ret, size, "%u", s->stx_nlink);
        } else if (strcmp(key, "size") == 0) {
                snprintf(ret, size, "%ju", (uintmax_t)s->stx_size);
        } else if (strcmp(key, "blocks") == 0) {
                snprintf(ret, size, "%ju", (uintmax_t)s->stx_blocks);
        } else if (strcmp(key, "rdev") == 0) {
                snprintf(ret, size, "%u:%u", s->stx_rdev_major, s->stx_rdev_minor);
        } else {
                return false;
        }
        return true;
}

/* Keys that are compared with another path's: "same" or "other". */
static bool compare_field(struct px *px, const char *key, const struct statx *s,
                          const char *with, char *ret)
{
        struct statx t;
        bool same;

        if (look(px, with, &t, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if (strcmp(key, "ino") == 0)
                same = s->stx_ino == t.stx_ino;
        else if (strcmp(key, "dev") == 0)
                same = s->stx_dev_major == t.stx_dev_major && s->stx_dev_minor == t.stx_dev_minor;
        else if (strcmp(key, "btime") == 0)
                same = (s->stx_mask & t.stx_mask & STATX_BTIME) &&
                       memcmp(&s->stx_btime, &t.stx_btime, sizeof t.stx_btime) == 0;
        else
                return false;
        strcpy(ret, same ? "same" : "other");
        return true;
}

static int stat_with(struct px *px, char **a, int n, int flags)
{
        struct statx s;
        int r = look(px, a[0], &s, flags);

        for (int i = 1; i < n; i++) {
                char *value = strchr(a[i], '='), actual[64] = "";

                if (!value)
                        px_die(px, "KEY=VALUE, not '%s'", a[i]);
                *value++ = '\0';
                if (strcmp(a[i], "perm") == 0 && strlen(value) == 5 && *value == '0')
                        value++; /* 01777, as it may be written for chmod */
                if (r < 0)
                        px_check(px, a[i], "~", "");
                else if (print_field(a[i], &s, actual, sizeof actual))
                        px_check(px, a[i], value, actual);
                else if (compare_field(px, a[i], &s, value, actual))
                        px_check(px, a[i], "same", actual);
                else
                        px_die(px, "no field %s", a[i]);
        }
        return r;
}

static int op_stat(struct px *px, char **a, int n)
{
        return stat_with(px, a, n, AT_SYMLINK_NOFOLLOW);
}

/* follow PATH: the same of what a link names */
static int op_follow(struct px *px, char **a, int n)
{
        return stat_with(px, a, n, 0);
}

/* statx PATH MASK: the mask that comes back, of the fields that were asked for */
static int op_statx(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        unsigned mask = (unsigned)px_number(px, a[1]);
        struct statx s;

        if (statx(p.fd, p.name, AT_SYMLINK_NOFOLLOW | p.empty, mask, &s) < 0)
                return -errno;
        snprintf(px->text, sizeof px->text, "%#x", s.stx_mask & mask);
        return 0;
}

/* statxall PATH: what statx gives of all that is neither a time nor a number of its own */
static int op_statx_all(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        struct statx s;

        if (statx(p.fd, p.name, AT_SYMLINK_NOFOLLOW | p.empty, 0xfff, &s) < 0)
                return -errno;
        snprintf(px->text, sizeof px->text,
                 "mask=%#x,blksize=%u,attributes=%#jx,nlink=%u,mode=%o,size=%ju,blocks=%ju,"
                 "rdev=%u:%u",
                 s.stx_mask & 0xfff, s.stx_blksize, (uintmax_t)(s.stx_attributes & 0x870),
                 s.stx_nlink, s.stx_mode, (uintmax_t)s.stx_size, (uintmax_t)s.stx_blocks,
                 s.stx_rdev_major, s.stx_rdev_minor);
        return 0;
}

static int op_statfs(struct px *px, char **a, int n)
{
        struct statfs s;

        if (statfs(a[0], &s) < 0)
                return -errno;
        snprintf(px->text, sizeof px->text, "bsize=%jd,blocks=%ju,files=%ju,namelen=%jd",
                 (intmax_t)s.f_bsize, (uintmax_t)s.f_blocks, (uintmax_t)s.f_files,
                 (intmax_t)s.f_namelen);
        return 0;
}

const struct px_operation px_ops_attributes[] = {
        { "chmod", op_chmod, 2, 2 },   { "chown", op_chown, 3, 3 },
        { "lchown", op_lchown, 3, 3 }, { "fchown", op_fchown, 3, 3 },
        { "access", op_access, 2, 3 }, { "stat", op_stat, 1, 20 },
        { "follow", op_follow, 1, 20 }, { "statx", op_statx, 2, 2 },
        { "statxall", op_statx_all, 1, 1 },
        { "statfs", op_statfs, 1, 1 }, { NULL, NULL, 0, 0 },
};
