/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on names: making, linking, moving, removing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/posix/engine.h"

static int result(int r)
{
        return r < 0 ? -errno : r;
}

static mode_t mode_or(struct px *px, char **a, int n, int at, mode_t usual)
{
        return n > at ? (mode_t)px_number(px, a[at]) : usual;
}

static mode_t type_bits(struct px *px, const char *type)
{
        static const struct {
                const char *name;
                mode_t bits;
        } types[] = {
                { "file", S_IFREG }, { "dir", S_IFDIR }, { "link", S_IFLNK }, { "fifo", S_IFIFO },
                { "sock", S_IFSOCK }, { "char", S_IFCHR }, { "block", S_IFBLK }, { "zero", 0 },
                { "bad", 0150000 },
        };

        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
                if (strcmp(types[i].name, type) == 0)
                        return types[i].bits;
        px_die(px, "no type %s", type);
}

static int op_mkdir(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(mkdirat(p.fd, p.name, mode_or(px, a, n, 1, 0755)));
}

static int op_rmdir(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(unlinkat(p.fd, p.name, AT_REMOVEDIR));
}

static int op_unlink(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(unlinkat(p.fd, p.name, 0));
}

static int op_link(struct px *px, char **a, int n)
{
        struct px_path from = px_path(px, a[0]), to = px_path(px, a[1]);

        return result(linkat(from.fd, from.name, to.fd, to.name,
                             (n > 2 ? px_flags(px, a[2]) : 0) | from.empty));
}

static int op_symlink(struct px *px, char **a, int n)
{
        struct px_path to = px_path(px, a[1]);

        return result(symlinkat(a[0], to.fd, to.name));
}

static int op_readlink(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        size_t room = n > 1 ? (size_t)px_number(px, a[1]) : sizeof px->text - 1;
        ssize_t len = readlinkat(p.fd, p.name, px->text, room);

        px->text[len < 0 ? 0 : len] = '\0';
        return result((int)len);
}

static int op_mkfifo(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(mkfifoat(p.fd, p.name, mode_or(px, a, n, 1, 0644)));
}

/* mknod PATH TYPE MODE [MAJOR MINOR] */
static int op_mknod(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        dev_t device = n > 4 ? makedev((unsigned)px_number(px, a[3]), (unsigned)px_number(px, a[4]))
                             : 0;

        return result(mknodat(p.fd, p.name, type_bits(px, a[1]) | mode_or(px, a, n, 2, 0644),
                              device));
}

static int op_rename(struct px *px, char **a, int n)
{
        struct px_path from = px_path(px, a[0]), to = px_path(px, a[1]);

        if (n == 2)
                return result(renameat(from.fd, from.name, to.fd, to.name));
        return result(renameat2(from.fd, from.name, to.fd, to.name, (unsigned)px_flags(px, a[2])));
}

static int op_chdir(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);

        return result(p.empty ? fchdir(p.fd) : chdir(a[0]));
}

static int op_umask(struct px *px, char **a, int n)
{
        umask((mode_t)px_number(px, a[0]));
        return 0;
}

/* A device node out of the pool: a tenant could not make one. */
static int take_device(struct px *px, const char *type, struct px_path p)
{
        char from[32];

        snprintf(from, sizeof from, "pool/%s%u", type, px->log->pool++);
        return result(renameat(px->place_fd, from, p.fd, p.name));
}

static int make_file(struct px_path p, mode_t mode)
{
        int fd = openat(p.fd, p.name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);

        return fd < 0 ? fd : close(fd);
}

/* make TYPE PATH [MODE [UID GID]]; besides types: none, full (a directory), dangling, loop. */
static int op_make(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[1]);
        const char *type = a[0];
        bool device = strcmp(type, "char") == 0 || strcmp(type, "block") == 0;
        bool full = strcmp(type, "full") == 0, loop = strcmp(type, "loop") == 0;
        bool link = loop || strcmp(type, "link") == 0 || strcmp(type, "dangling") == 0;
        bool dir = full || strcmp(type, "dir") == 0;
        mode_t mode = mode_or(px, a, n, 2, dir ? 0755 : 0644);
        char inside[PX_TEXT_MAX];
        int r;

        if (strcmp(type, "none") == 0)
                return 0;
        snprintf(inside, sizeof inside, "%s/inside", a[1]);
        if (device)
                r = take_device(px, type, p);
        else if (dir)
                r = mkdirat(p.fd, p.name, mode);
        else if (link)
                r = symlinkat(loop ? a[1] : "target", p.fd, p.name);
        else if (strcmp(type, "file") == 0)
                r = make_file(p, mode);
        else
                r = mknodat(p.fd, p.name, type_bits(px, type) | mode, 0);
        if (r == 0 && full)
                r = make_file(px_path(px, inside), 0644);
        if (r == 0 && n > 4)
                r = fchownat(p.fd, p.name, (uid_t)px_number(px, a[3]), (gid_t)px_number(px, a[4]),
                             AT_SYMLINK_NOFOLLOW);
        /* A node of the pool has the usual mode; the owner's change has taken set-id bits. */
        if (r == 0 && n > 2 && !link)
                r = fchmodat(p.fd, p.name, mode, 0);
        return result(r);
}

/* deep N [NAMELEN]: goes down N new directories, one by one. */
static int op_deep(struct px *px, char **a, int n)
{
        char name[256];
        size_t len = n > 1 ? (size_t)px_number(px, a[1]) : 255;

        memset(name, 'd', sizeof name);
        name[len] = '\0';
        for (int64_t i = px_number(px, a[0]); i > 0; i--)
                if (mkdir(name, 0755) < 0 || chdir(name) < 0)
                        return -errno;
        return 0;
}

/* chain N PATH: symbolic links PATH0 -> PATH1 ... -> PATHN, which stays to be made. */
static int op_chain(struct px *px, char **a, int n)
{
        for (int i = 0; i < (int)px_number(px, a[0]); i++) {
                char from[64], to[64];

                snprintf(from, sizeof from, "%.40s%d", a[1], i);
                snprintf(to, sizeof to, "%.40s%d", a[1], i + 1);
                if (symlink(to, from) < 0)
                        return -errno;
        }
        return 0;
}

/* links N PATH: PATH-1 ... PATH-N, all of them names of it */
static int op_links(struct px *px, char **a, int n)
{
        for (int i = 1; i <= (int)px_number(px, a[0]); i++) {
                char name[64];

                snprintf(name, sizeof name, "%.40s-%d", a[1], i);
                if (link(a[1], name) < 0)
                        return -errno;
        }
        return 0;
}

/* many PATH N: so many files in a directory */
static int op_many(struct px *px, char **a, int n)
{
        for (int i = 0; i < (int)px_number(px, a[1]); i++) {
                char name[300];

                snprintf(name, sizeof name, "%.40s/a-name-that-is-not-short-%d", a[0], i);
                int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
                if (fd < 0)
                        return -errno;
                close(fd);
        }
        return 0;
}

/* list PATH: names and types, sorted; inode numbers that are not stat's are marked */
static int op_list(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        struct dirent **entries;
        size_t used = 0;
        int count = scandirat(p.fd, p.empty ? "." : p.name, &entries, NULL, alphasort);

        for (int i = 0; i < count; i++) {
                if (used + 300 < sizeof px->text)
                        used += (size_t)snprintf(px->text + used, sizeof px->text - used, "%s/%u ",
                                                 entries[i]->d_name, entries[i]->d_type);
                free(entries[i]);
        }
        if (count >= 0)
                free(entries);
        return result(count);
}

/* getcwd: the working directory below the case's own, or an error */
static int op_getcwd(struct px *px, char **a, int n)
{
        char path[PATH_MAX], mark[32];

        if (syscall(SYS_getcwd, path, sizeof path) < 0)
                return -errno;
        snprintf(mark, sizeof mark, "/%s", px->case_dir);
        snprintf(px->text, sizeof px->text, ".%s", strstr(path, mark) + strlen(mark));
        return 0;
}

const struct px_operation px_ops_names[] = {
        { "mkdir", op_mkdir, 1, 2 },     { "rmdir", op_rmdir, 1, 1 },
        { "unlink", op_unlink, 1, 1 },   { "link", op_link, 2, 3 },
        { "symlink", op_symlink, 2, 2 }, { "readlink", op_readlink, 1, 2 },
        { "mkfifo", op_mkfifo, 1, 2 },   { "mknod", op_mknod, 2, 5 },
        { "rename", op_rename, 2, 3 },   { "chdir", op_chdir, 1, 1 },
        { "umask", op_umask, 1, 1 },     { "make", op_make, 2, 5 },
        { "deep", op_deep, 1, 2 },       { "chain", op_chain, 2, 2 },
        { "links", op_links, 2, 2 },     { "many", op_many, 2, 2 },
        { "list", op_list, 1, 1 },       { "getcwd", op_getcwd, 0, 0 },
        { NULL, NULL, 0, 0 },
};
