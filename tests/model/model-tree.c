/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/model/model.h"

/* One name: what there is to say about it. */
struct leaf {
        char *path;
        char *text;
        uint64_t inode;
        unsigned long long blocks;
};

struct tree {
        struct leaf *leaves;
        size_t count, room;
        bool exact;
};

static void tree_free(struct tree *tree)
{
        for (size_t i = 0; i < tree->count; i++) {
                free(tree->leaves[i].path);
                free(tree->leaves[i].text);
        }
        free(tree->leaves);
}
#define cleanup_tree __attribute__((cleanup(tree_free)))

static uint64_t hash_xattrs(int fd)
{
        char names[4096], at[40];
        cleanup_free char *value = malloc(65536);
        uint64_t sum = 0;

        /* By /proc: an O_PATH descriptor has none of its own; links and the like have no user's. */
        snprintf(at, sizeof at, "/proc/self/fd/%d", fd);
        ssize_t all = listxattr(at, names, sizeof names);
        for (char *name = names; name < names + all; name += strlen(name) + 1) {
                ssize_t n = getxattr(at, name, value, 65536);
                sum += model_hash(model_hash(0, name, strlen(name)), value, n > 0 ? (size_t)n : 0);
        }
        return all < 0 ? (uint64_t)errno : sum;
}

static uint64_t hash_content(int dir, const char *name, const struct stat *st)
{
        uint64_t hash = 0;
        static char buffer[65536];
        static const char zeros[4096];
        ssize_t n = 0;

        if (S_ISLNK(st->st_mode)) {
                n = readlinkat(dir, name, buffer, sizeof buffer);
                return model_hash(0, buffer, n > 0 ? (size_t)n : 0);
        }
        if (!S_ISREG(st->st_mode))
                return 0;
        cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
        /*
         * A hole is as good as zeros. Of a file of terabytes only what is there; but what a
         * mapping stored is a hole to a FUSE filesystem's SEEK_DATA until it is written.
         */
        bool seek = st->st_size > 1 << 24;
        off_t at = 0;
        while (fd >= 0 && (!seek || (at = lseek(fd, at & ~4095L, SEEK_DATA)) >= 0) &&
               (n = pread(fd, buffer, sizeof buffer, at & ~4095L)) > 0) {
                at &= ~4095L;
                for (ssize_t i = 0; i < n; i += 4096, at += 4096) {
                        size_t size = n - i < 4096 ? (size_t)(n - i) : 4096;
                        if (memcmp(buffer + i, zeros, size) != 0)
                                hash = model_hash(model_hash(hash, &at, sizeof at), buffer + i,
                                                  size);
                }
        }
        return n < 0 || fd < 0 ? (uint64_t)errno << 32 : hash;
}

static char *describe(int dir, const char *name, const struct statx *x, bool exact)
{
        cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char *text = NULL, times[200] = "";
        struct stat st = { .st_mode = x->stx_mode, .st_size = (off_t)x->stx_size };
        bool link = S_ISLNK(x->stx_mode);

        if (exact)
                snprintf(times, sizeof times, " inode %llu blocks %llu mtime %lld.%u ctime %lld.%u "
                         "btime %lld.%u", (unsigned long long)x->stx_ino,
                         (unsigned long long)x->stx_blocks, (long long)x->stx_mtime.tv_sec,
                         x->stx_mtime.tv_nsec, (long long)x->stx_ctime.tv_sec, x->stx_ctime.tv_nsec,
                         (long long)x->stx_btime.tv_sec, x->stx_btime.tv_nsec);
        if (asprintf(&text, "mode %o links %u owner %u:%u size %llu xattrs %llx content %llx%s",
                     exact ? x->stx_mode : model_sure_mode(x), x->stx_nlink, x->stx_uid, x->stx_gid,
                     (unsigned long long)x->stx_size,
                     link ? 0ULL : (unsigned long long)hash_xattrs(fd),
                     (unsigned long long)hash_content(dir, name, &st), times) < 0)
                abort();
        return text;
}

static void add(struct tree *tree, int dir, const char *path, const char *name,
                const struct statx *x)
{
        if (tree->count == tree->room) {
                tree->room = tree->room * 2 + 64;
                tree->leaves = realloc(tree->leaves, tree->room * sizeof *tree->leaves);
        }
        tree->leaves[tree->count++] = (struct leaf){
                strdup(path), describe(dir, name, x, tree->exact), x->stx_ino, x->stx_blocks };
}

static void walk(struct tree *tree, int dir, const char *above)
{
        cleanup_dir DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

        for (struct dirent *e; d && (e = readdir(d));) {
                cleanup_free char *path = NULL;
                struct statx x;
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (asprintf(&path, "%s/%s", above, e->d_name) < 0 ||
                    statx(dirfd(d), e->d_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                          STATX_BASIC_STATS | STATX_BTIME, &x) < 0) {
                        memset(&x, 0, sizeof x);
                        x.stx_ino = (uint64_t)errno;
                }
                add(tree, dirfd(d), path, e->d_name, &x);
                if (S_ISDIR(x.stx_mode)) {
                        cleanup_fd int below = openat(dirfd(d), e->d_name,
                                                      O_PATH | O_DIRECTORY | O_CLOEXEC);
                        walk(tree, below, path);
                }
        }
}

static int by_path(const void *a, const void *b)
{
        return strcmp(((const struct leaf *)a)->path, ((const struct leaf *)b)->path);
}

/* The first name of the inode: which names are the same one, whatever its number. */
static const char *first_of(const struct tree *tree, size_t i)
{
        size_t first = 0;

        while (tree->leaves[first].inode != tree->leaves[i].inode)
                first++;
        return tree->leaves[first].path;
}

/* The word before the first value that differs. */
static const char *first_difference(const char *a, const char *b)
{
        const char *word = a, *last = a;

        for (; *a && *a == *b; a++, b++) {
                if (*a == ' ') {
                        last = word;
                        word = a + 1;
                }
        }
        return last;
}

static bool same(const struct tree *a, const struct tree *b, char *why)
{
        for (size_t i = 0; i < a->count || i < b->count; i++) {
                const struct leaf *x = i < a->count ? &a->leaves[i] : NULL;
                const struct leaf *y = i < b->count ? &b->leaves[i] : NULL;
                int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
                if (order != 0) {
                        snprintf(why, MODEL_WHY, "%.900s is only in the %s tree",
                                 order < 0 ? x->path : y->path, order < 0 ? "first" : "second");
                        return false;
                }
                if (strcmp(x->text, y->text) != 0) {
                        const char *word = first_difference(x->text, y->text);
                        snprintf(why, MODEL_WHY, "%.*s differs: %.100s is %.400s and %.400s",
                                 (int)strcspn(word, " "), word, x->path, x->text, y->text);
                        return false;
                }
                if (strcmp(first_of(a, i), first_of(b, i)) != 0) {
                        snprintf(why, MODEL_WHY, "%.300s is linked to %.300s and to %.300s",
                                 x->path, first_of(a, i), first_of(b, i));
                        return false;
                }
        }
        return true;
}

bool model_same_trees(int a, int b, bool exact, char *why)
{
        cleanup_tree struct tree x = { .exact = exact }, y = { .exact = exact };

        walk(&x, a, "");
        walk(&y, b, "");
        if (x.count)
                qsort(x.leaves, x.count, sizeof *x.leaves, by_path);
        if (y.count)
                qsort(y.leaves, y.count, sizeof *y.leaves, by_path);
        return same(&x, &y, why);
}

void model_empty(int dir)
{
        cleanup_dir DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

        for (struct dirent *e; d && (e = readdir(d));) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                    unlinkat(dirfd(d), e->d_name, 0) == 0 || errno != EISDIR)
                        continue;
                cleanup_fd int below = openat(dirfd(d), e->d_name,
                                              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                model_empty(below);
                unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
        }
}
