/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listing of a case's directory, which must be as the reference's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/posix/engine.h"

#define DEPTH_MAX 24
#define ENTRIES_MAX 64

struct listing {
        struct px *px;
        char *text;
        size_t used, size;
        unsigned disagreements; /* of readdir with stat */
};

void px_type_name(mode_t mode, char *ret)
{
        const char *name = S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "dir" : S_ISLNK(mode) ? "link"
                           : S_ISFIFO(mode) ? "fifo" : S_ISSOCK(mode) ? "sock"
                           : S_ISCHR(mode) ? "char" : S_ISBLK(mode) ? "block" : "?";

        strcpy(ret, name);
}

static void add(struct listing *l, const char *text)
{
        size_t len = strlen(text);

        if (l->used + len + 1 > l->size) {
                l->size = (l->used + len + 1) * 2;
                l->text = realloc(l->text, l->size);
                if (!l->text)
                        nsm_harness_die("no memory");
        }
        memcpy(l->text + l->used, text, len + 1);
        l->used += len;
}

static void describe(struct listing *l, int dir, const char *name, const struct stat *st)
{
        char line[PATH_MAX + 256], type[8], target[PATH_MAX] = "";
        ssize_t n = S_ISLNK(st->st_mode) ? readlinkat(dir, name, target, sizeof target - 1) : 0;

        target[n < 0 ? 0 : n] = '\0';
        px_type_name(st->st_mode, type);
        /* A directory's blocks depend on what others allocate at the same time. */
        snprintf(line, sizeof line, " %s %o %u:%u nlink %ju size %jd blocks %jd dev %u:%u%s%s\n",
                 type, st->st_mode & 07777, st->st_uid, st->st_gid, (uintmax_t)st->st_nlink,
                 (intmax_t)st->st_size, S_ISDIR(st->st_mode) ? 0 : (intmax_t)st->st_blocks,
                 major(st->st_rdev), minor(st->st_rdev), n ? " -> " : "", target);
        add(l, line);
}

static void list_below(struct listing *l, int dir, const char *indent, int depth);

static void list_entry(struct listing *l, int dir, const struct dirent *d, const char *indent,
                       int depth)
{
        struct stat st;
        char deeper[DEPTH_MAX + 8];

        add(l, indent);
        add(l, d->d_name);
        if (fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                add(l, " is not there\n");
                return;
        }
        if (st.st_ino != d->d_ino || (d->d_type != DT_UNKNOWN && d->d_type != IFTODT(st.st_mode)))
                l->disagreements++;
        describe(l, dir, d->d_name, &st);
        if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
                return;
        int fd = openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                add(l, indent);
                add(l, " cannot be opened\n");
                return;
        }
        snprintf(deeper, sizeof deeper, "%s ", indent);
        list_below(l, fd, deeper, depth + 1);
}

/* Takes @dir. */
static void list_below(struct listing *l, int dir, const char *indent, int depth)
{
        struct dirent **entries;
        int n = scandirat(dir, ".", &entries, NULL, alphasort);

        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;

                if (i < ENTRIES_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
                        list_entry(l, dir, entries[i], indent, depth);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        close(dir);
}

void px_check_tree(struct px *px)
{
        struct listing l = { .px = px };
        struct stat st;
        int fd = openat(px->case_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        add(&l, ".");
        if (fd < 0 || fstat(fd, &st) < 0)
                px_die(px, "listing: %s", strerror(errno));
        describe(&l, fd, ".", &st);
        list_below(&l, fd, "", 0);
        px_check(px, NULL, "~", l.text);
        px_check(px, "entries that readdir and stat agree about", "all",
                 l.disagreements ? "not all" : "all");
        free(l.text);
}
