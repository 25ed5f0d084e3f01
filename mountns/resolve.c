/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fs/base/cleanup.h"

struct walk {
        int root;            /* borrowed */
        int at;              /* the directory that was reached */
        unsigned depth;      /* how far below the root */
        unsigned links;      /* followed so far */
        bool ends_in_link;   /* what is left to do is all from a symlink, the last component */
        char todo[PATH_MAX]; /* what is left to do */
};

static int step_to(struct walk *w, int fd)
{
        if (fd < 0)
                return -errno;
        nsm_close_fd(w->at);
        w->at = fd;
        return 0;
}

static int follow(struct walk *w, int link, const char *rest)
{
        char text[PATH_MAX];
        struct statfs fs;
        ssize_t n;

        if (fstatfs(link, &fs) < 0)
                return -errno;
        if (++w->links > NSM_RESOLVE_LINKS_MAX || fs.f_type == PROC_SUPER_MAGIC)
                return -ELOOP;
        n = readlinkat(link, "", text, sizeof text);
        if (n < 0)
                return -errno;
        if ((size_t)n + 1 + strlen(rest) >= sizeof text)
                return -ENAMETOOLONG;
        snprintf(text + n, sizeof text - (size_t)n, "/%s", rest);
        w->ends_in_link = w->ends_in_link || !rest[strspn(rest, "/")];
        memcpy(w->todo, text, sizeof text);
        if (text[0] != '/')
                return 0;
        w->depth = 0;
        return step_to(w, fcntl(w->root, F_DUPFD_CLOEXEC, 3));
}

/* One component; -ENOENT when it is missing. */
static int step(struct walk *w, const char *name, const char *rest)
{
        cleanup_fd int fd = -1;
        struct stat st;

        if (strcmp(name, ".") == 0)
                return 0;
        if (strcmp(name, "..") == 0) {
                if (w->depth == 0)
                        return -EXDEV;
                w->depth--;
                return step_to(w, openat(w->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
        }
        fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return follow(w, fd, rest);
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        w->depth++;
        return step_to(w, nsm_take_fd(&fd));
}

static int walk(struct walk *w, struct nsm_resolved *ret)
{
        char name[NAME_MAX + 1];
        int r = 0;

        while (r == 0) {
                size_t skip = strspn(w->todo, "/"), n = strcspn(w->todo + skip, "/");
                bool last = w->todo[skip + n + strspn(w->todo + skip + n, "/")] == '\0';

                if (n == 0) {
                        ret->dir = nsm_take_fd(&w->at);
                        return 0;
                }
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                snprintf(name, sizeof name, "%.*s", (int)n, w->todo + skip);
                memmove(w->todo, w->todo + skip + n, strlen(w->todo + skip + n) + 1);
                r = step(w, name, w->todo);
                if (r != -ENOENT || !last)
                        continue;
                if (w->ends_in_link)
                        return -EEXIST;
                ret->parent = nsm_take_fd(&w->at);
                memcpy(ret->name, name, sizeof name);
                return 0;
        }
        return r;
}

int nsm_resolve(int root, const char *path, struct nsm_resolved *ret)
{
        struct nsm_resolved resolved = NSM_RESOLVED_INIT;
        struct walk w = { .root = root, .at = fcntl(root, F_DUPFD_CLOEXEC, 3) };
        int r;

        if (w.at < 0)
                return -errno;
        r = strlen(path) < sizeof w.todo ? 0 : -ENAMETOOLONG;
        if (r == 0) {
                strcpy(w.todo, path);
                r = walk(&w, &resolved);
        }
        nsm_close_fd(w.at);
        if (r == 0)
                *ret = resolved;
        return r;
}

void nsm_resolved_clear(struct nsm_resolved *resolved)
{
        nsm_close_fd(nsm_take_fd(&resolved->dir));
        nsm_close_fd(nsm_take_fd(&resolved->parent));
}
