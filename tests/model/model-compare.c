/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/model.h"

/* What an operation names: its paths, what they lie in, its open file. */
#define WATCHED 5

struct watch {
        struct statx stat[WATCHED];
        bool there[WATCHED];
};

static void look(struct model_side *side, const struct model_op *op, struct watch *ret)
{
        const struct model_kind *kind = &model_kinds[op->kind];

        memset(ret, 0, sizeof *ret);
        if (fchdir(side->top) < 0)
                abort();
        for (int i = 0; i < kind->paths; i++) {
                char above[MODEL_PATH];
                snprintf(above, sizeof above, "%s", op->path[i]);
                char *slash = strrchr(above, '/');
                *(slash ? slash + 1 : above) = '\0';
                ret->there[2 * i] = statx(AT_FDCWD, model_path(op->path[i]), AT_SYMLINK_NOFOLLOW,
                                          STATX_BASIC_STATS | STATX_BTIME, &ret->stat[2 * i]) == 0;
                ret->there[2 * i + 1] = statx(AT_FDCWD, *above ? above : ".", 0,
                                              STATX_BASIC_STATS | STATX_BTIME,
                                              &ret->stat[2 * i + 1]) == 0;
        }
        if (kind->args[0] == D_SLOT && side->fd[op->n[0]] >= 0)
                ret->there[4] = statx(side->fd[op->n[0]], "", AT_EMPTY_PATH,
                                      STATX_BASIC_STATS | STATX_BTIME, &ret->stat[4]) == 0;
}

static bool is_now(const struct statx_timestamp *t)
{
        return t->tv_sec > 1500000000 && t->tv_sec < 1LL << 32;
}

/* Times that utimens set are far from now: they must be equal; those of now must both be. */
static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
        return is_now(a) == is_now(b) &&
               (is_now(a) || (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec));
}

static bool told(char *why, const char *what, unsigned long long a, unsigned long long b)
{
        if (a != b)
                snprintf(why, MODEL_WHY, "%s is %#llo and %#llo (%llu and %llu)", what, a, b, a, b);
        return a == b;
}

/*
 * Where else the disk was free says how many extents a file has, and these take
 * blocks of their own; the few bytes by which a capability of a tenant differs
 * may take a block for extended attributes.
 */
static bool same_blocks(const struct statx *a, const struct statx *b, bool vague)
{
        unsigned long long more = a->stx_blocks > b->stx_blocks ? a->stx_blocks - b->stx_blocks :
                                  b->stx_blocks - a->stx_blocks;

        if (!S_ISREG(a->stx_mode))
                return more <= 8;
        return more <= (vague || a->stx_size > 4096 ? 64 : 0);
}

mode_t model_sure_mode(const struct statx *a)
{
        return S_ISDIR(a->stx_mode) || a->stx_mode & S_IXGRP ? a->stx_mode : a->stx_mode & ~S_ISGID;
}

static bool same_stat(const struct statx *a, const struct statx *b, const struct model_side *side,
                      char *why)
{
        if (!told(why, "the mode", model_sure_mode(a), model_sure_mode(b)) ||
            !told(why, "the number of links", a->stx_nlink, b->stx_nlink) ||
            !told(why, "the owner", a->stx_uid, b->stx_uid) ||
            !told(why, "the group", a->stx_gid, b->stx_gid) ||
            !told(why, "the size", a->stx_size, b->stx_size) ||
            !told(why, "the block size", a->stx_blksize, b->stx_blksize) ||
            !told(why, "the mask", a->stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
                  b->stx_mask & (STATX_BASIC_STATS | STATX_BTIME)))
                return false;
        if (!same_blocks(a, b, side->vague))
                return told(why, "the number of blocks", a->stx_blocks, b->stx_blocks);
        /*
         * What the kernel has cached is read without the storage, whose atime stays as it is.
         * What a mapping faults in is read by the view, where ext4 counts the mmap alone;
         * what it stores moves mtime when the kernel writes it.
         */
        return told(why, "atime now", 1, same_time(&a->stx_atime, &b->stx_atime) ||
                    is_now(&a->stx_atime) || side->late) &&
               told(why, "mtime now", 1,
                    same_time(&a->stx_mtime, &b->stx_mtime) || side->late) &&
               told(why, "ctime now", 1, same_time(&a->stx_ctime, &b->stx_ctime)) &&
               told(why, "btime now", 1, same_time(&a->stx_btime, &b->stx_btime));
}

static bool moved(const struct statx_timestamp *before, const struct statx_timestamp *after)
{
        return before->tv_sec != after->tv_sec || before->tv_nsec != after->tv_nsec;
}

/*
 * Whether what an operation named is the same afterwards, and had its times
 * moved by it alike. Since Linux 6.13 a change of an inode that was looked at
 * always moves its time.
 */
static bool same_watch(const struct watch before[2], const struct watch after[2],
                       const struct model_side *side, char *why)
{
        static const char *const whose[WATCHED] = { "the first path", "what it lies in",
                "the second path", "what that lies in", "the open file" };
        char what[MODEL_WHY];

        for (int i = 0; i < WATCHED; i++) {
                const struct statx *a = &after[0].stat[i], *b = &after[1].stat[i];
                const struct statx *a0 = &before[0].stat[i], *b0 = &before[1].stat[i];
                if (after[0].there[i] != after[1].there[i]) {
                        snprintf(why, MODEL_WHY, "%s is there on one side only", whose[i]);
                        return false;
                }
                if (!after[0].there[i])
                        continue;
                bool same = same_stat(a, b, side, what);
                /* The kernel moves no time of a FUSE filesystem's FIFO that is read or written. */
                bool timed = !side->late && !S_ISFIFO(a->stx_mode);
                if (same && timed && before[0].there[i] && a0->stx_ino == a->stx_ino)
                        same = told(what, "mtime moved", moved(&a0->stx_mtime, &a->stx_mtime),
                                    moved(&b0->stx_mtime, &b->stx_mtime)) &&
                               told(what, "ctime moved", moved(&a0->stx_ctime, &a->stx_ctime),
                                    moved(&b0->stx_ctime, &b->stx_ctime));
                if (!same) {
                        snprintf(why, MODEL_WHY, "afterwards, of %s: %.900s", whose[i], what);
                        return false;
                }
        }
        return true;
}

static bool same_result(const struct model_result *a, const struct model_result *b,
                        const struct model_side *side, char *why)
{
        if (a->value != b->value || a->error != b->error) {
                snprintf(why, MODEL_WHY, "it gives %ld (%s) and %ld (%s)", a->value,
                         a->error ? strerrorname_np(a->error) : "done", b->value,
                         b->error ? strerrorname_np(b->error) : "done");
                return false;
        }
        if (a->hash != b->hash || strcmp(a->text, b->text) != 0) {
                snprintf(why, MODEL_WHY, "it gives %ld with other data: %.400s and %.400s",
                         a->value, a->text, b->text);
                return false;
        }
        return !a->has_stat || a->value != 0 || same_stat(&a->stat, &b->stat, side, why);
}

bool model_step(struct model_side sides[2], const struct model_op *op, bool watch, char *why)
{
        static struct watch before[2], after[2];
        static struct model_result results[2];

        for (int i = 0; i < 2; i++) {
                if (watch)
                        look(&sides[i], op, &before[i]);
                model_run(&sides[i], op, &results[i]);
                if (watch)
                        look(&sides[i], op, &after[i]);
        }
        return same_result(&results[0], &results[1], &sides[0], why) &&
               (!watch || same_watch(before, after, &sides[0], why));
}
