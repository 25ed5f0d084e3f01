/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on names. The working directory is the side's top. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/model/model.h"

const char *model_path(const char *path)
{
        static char buffers[4][MODEL_PATH * 256 + 1];
        static unsigned next;
        char *to = buffers[next++ % 4], *begin = to;

        for (; *path; path++) {
                size_t n = *path == '#' ? 255 : *path == '%' ? 256 : *path == '@' ? 0 : 1;
                memset(to, n > 1 ? 'x' : *path, n);
                to += n;
        }
        *to = '\0';
        return begin;
}

/*
 * A shared view drops the locks of an open file when the kernel releases it,
 * which a close does not wait for.
 */
static void put_in_slot(struct model_side *s, long slot, int fd)
{
        struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

        if (s->fd[slot] >= 0) {
                fcntl(s->fd[slot], F_OFD_SETLK, &all);
                flock(s->fd[slot], LOCK_UN);
                close(s->fd[slot]);
        }
        s->fd[slot] = fd;
}

MODEL_RUN(open)
{
        int fd = open(model_path(op->path[0]), (int)op->n[1] | O_CLOEXEC, (mode_t)op->n[2]);

        if (fd < 0)
                return -1;
        put_in_slot(s, op->n[0], fd);
        return 0;
}

MODEL_RUN(close)
{
        put_in_slot(s, op->n[0], -1);
        return 0;
}

MODEL_RUN(tmpfile)
{
        int fd = open(model_path(op->path[0]), O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)op->n[1]);

        if (fd < 0)
                return -1;
        put_in_slot(s, op->n[0], fd);
        return 0;
}

MODEL_RUN(mkdir)
{
        return mkdir(model_path(op->path[0]), (mode_t)op->n[0]);
}

MODEL_RUN(mknod)
{
        return mknod(model_path(op->path[0]), (mode_t)(op->n[0] | op->n[1]), 0);
}

MODEL_RUN(symlink)
{
        return symlink(model_path(op->path[0]), model_path(op->path[1]));
}

MODEL_RUN(link)
{
        return linkat(AT_FDCWD, model_path(op->path[0]), AT_FDCWD, model_path(op->path[1]),
                      op->n[0] ? AT_SYMLINK_FOLLOW : 0);
}

MODEL_RUN(link_open)
{
        char path[40];

        snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd[op->n[0]]);
        return linkat(AT_FDCWD, path, AT_FDCWD, model_path(op->path[0]), AT_SYMLINK_FOLLOW);
}

MODEL_RUN(unlink)
{
        return unlink(model_path(op->path[0]));
}

MODEL_RUN(rmdir)
{
        return rmdir(model_path(op->path[0]));
}

MODEL_RUN(rename)
{
        return renameat2(AT_FDCWD, model_path(op->path[0]), AT_FDCWD, model_path(op->path[1]),
                         (unsigned)op->n[0]);
}

MODEL_RUN(stat)
{
        r->has_stat = true;
        return statx(AT_FDCWD, model_path(op->path[0]), op->n[0] ? 0 : AT_SYMLINK_NOFOLLOW,
                     STATX_BASIC_STATS | STATX_BTIME, &r->stat);
}

MODEL_RUN(access)
{
        return faccessat(AT_FDCWD, model_path(op->path[0]), (int)op->n[0], AT_EACCESS);
}

MODEL_RUN(readlink)
{
        char target[256];
        size_t room = op->n[0] > 255 ? 255 : (size_t)op->n[0];
        ssize_t n = readlink(model_path(op->path[0]), target, room);

        if (n > 0)
                snprintf(r->text, sizeof r->text, "%.*s", (int)n, target);
        return n;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names with their types; a number other than stat's is said. */
MODEL_RUN(list)
{
        const char *path = model_path(op->path[0]);
        cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent **entries;
        struct stat st;
        size_t used = 0;

        if (fd < 0)
                return -1;
        int n = scandirat(fd, ".", &entries, NULL, by_name);
        for (int i = 0; i < n; i++) {
                const struct dirent *e = entries[i];
                bool up = strcmp(e->d_name, "..") == 0;
                bool other = !up && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                             (st.st_ino != e->d_ino || e->d_type != IFTODT(st.st_mode));
                r->hash = model_hash(r->hash, e->d_name, strlen(e->d_name));
                if (used < sizeof r->text)
                        used += (size_t)snprintf(r->text + used, sizeof r->text - used,
                                                 "%.3s:%d%s ", e->d_name, e->d_type,
                                                 other ? "(other)" : "");
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return n;
}
