/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/model/model.h"

/* xorshift64*: the same numbers on every machine. */
uint64_t model_random(uint64_t *state)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return (*state * 0x2545F4914F6CDD1DULL) >> 20;
}

#define CHOICE(random, ...)                                                     \
        ({                                                                      \
                static const long choices_[] = { __VA_ARGS__ };                 \
                choices_[model_random(random) % (sizeof choices_ / sizeof *choices_)]; \
        })

static long below(uint64_t *random, long n)
{
        return n > 0 ? (long)(model_random(random) % (uint64_t)n) : 0;
}

static long draw_open(uint64_t *r, enum model_profile profile)
{
        long flags = CHOICE(r, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR) | O_NONBLOCK;
        struct { long flag; int of_100[MODEL_PROFILES]; } more[] = {
                { O_CREAT, { 60, 80 } }, { O_EXCL, { 15, 0 } }, { O_TRUNC, { 25, 8 } },
                { O_APPEND, { 15, 15 } }, { O_DIRECTORY, { 10, 0 } }, { O_NOFOLLOW, { 10, 0 } },
                { O_DIRECT, { 5, 20 } }, { O_SYNC, { 3, 5 } }, { O_DSYNC, { 3, 5 } },
                { O_NOATIME, { 5, 3 } }, { O_PATH, { 5, 1 } },
        };

        if (profile == MODEL_DATA && below(r, 3))
                flags = O_RDWR | O_NONBLOCK;
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
                if (below(r, 100) < more[i].of_100[profile])
                        flags |= more[i].flag;
        }
        return flags;
}

/* Offsets and lengths: near the edges of pages and blocks, or anywhere. */
static long draw_place(uint64_t *r, long limit)
{
        long at = below(r, limit);

        switch (below(r, 4)) {
        case 0: return at & ~4095L;
        case 1: return (at & ~4095L) + CHOICE(r, 4095, 1, 512, 4094, 2048);
        case 2: return at & ~511L;
        default: return at;
        }
}

static long draw_argument(uint64_t *r, enum model_domain domain, enum model_profile profile)
{
        switch (domain) {
        case D_NONE: return 0;
        case D_SLOT: return below(r, MODEL_SLOTS);
        case D_MAP: return below(r, MODEL_MAPS);
        case D_OFFSET: return draw_place(r, profile == MODEL_DATA ? 0x20000 : 20000);
        case D_LENGTH: return draw_place(r, profile == MODEL_DATA && below(r, 8) == 0 ?
                                         MODEL_BUFFER - 4096 : 12000);
        case D_SIZE: return below(r, 50) ? draw_place(r, 0x30000) :
                            CHOICE(r, -1, 1L << 33, 1L << 44, (1L << 44) - 4096, 1L << 62);
        case D_OPEN: return draw_open(r, profile);
        case D_MODE: return CHOICE(r, 0644, 0600, 0666, 0, 04755, 02755, 0777, 02770, 01777, 0750,
                                   0755, 06777, 02644, 0500, 0022, 0077);
        case D_NODE: return CHOICE(r, S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR);
        case D_RENAME: return CHOICE(r, 0, 0, 0, 0, 1, 2, 2, 3, 8);
        case D_BOOL: return below(r, 2);
        case D_ID: return CHOICE(r, -1, -1, 0, 1000, 1001, 1002, 1030, 7, 65534);
        case D_TIME: return CHOICE(r, 0, 1, 5, 1000000, -1, 0x7fffffff, 0x80000000L, 1L << 33,
                                   15032385535L);
        case D_NSEC: return CHOICE(r, 0, 1, 999999999, 123456789, UTIME_NOW, UTIME_OMIT, UTIME_NOW,
                                   UTIME_OMIT, 1000000000);
        case D_XATTR: return below(r, 9);
        case D_VALUE: return CHOICE(r, 0, 1, 20, 200, 200, 1000, 3000, 4200, 65536, 65537);
        case D_CREATE: return CHOICE(r, 0, 0, XATTR_CREATE, XATTR_REPLACE);
        case D_FALLOCATE: return CHOICE(r, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                                        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        FALLOC_FL_PUNCH_HOLE);
        case D_WHENCE: return CHOICE(r, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE,
                                     SEEK_DATA, SEEK_HOLE, 9);
        case D_PROTECTION: return below(r, 8);
        case D_LOCK: return below(r, 4);
        case D_MASK: return below(r, 8);
        case D_ACL: return below(r, 10);
        case D_BYTE: return below(r, 256);
        }
        return 0;
}

static void draw_path(uint64_t *r, enum model_profile profile, char path[MODEL_PATH])
{
        static const char *const odd[] = { "#", "%", "a/#", "a/%", "@", ".", "..", "a/..",
                                           "b/.", "a/", "b/c/", "e/../a", "d//b" };
        static const char letters[] = "abcde";

        if (profile == MODEL_DATA) {
                strcpy(path, below(r, 3) ? "f" : "g");
                return;
        }
        if (below(r, 40) == 0) {
                strcpy(path, odd[below(r, sizeof odd / sizeof *odd)]);
                return;
        }
        long depth = 1 + below(r, 3);
        for (long i = 0; i < depth; i++) {
                path[2 * i] = letters[below(r, 5)];
                path[2 * i + 1] = i + 1 < depth ? '/' : '\0';
        }
}

void model_draw(uint64_t *random, enum model_profile profile, struct model_op *ret)
{
        long sum = 0, at;

        memset(ret, 0, sizeof *ret);
        for (size_t i = 0; i < model_kind_count; i++)
                sum += model_kinds[i].weight[profile];
        at = below(random, sum);
        while (at >= model_kinds[ret->kind].weight[profile])
                at -= model_kinds[ret->kind++].weight[profile];

        const struct model_kind *kind = &model_kinds[ret->kind];
        ret->user = profile == MODEL_DATA || below(random, 3) == 0 ? 0 :
                    (int)below(random, MODEL_USERS);
        for (int i = 0; i < 2; i++)
                i < kind->paths ? draw_path(random, profile, ret->path[i]) :
                                  (void)strcpy(ret->path[i], "-");
        for (int i = 0; i < MODEL_ARGS; i++)
                ret->n[i] = draw_argument(random, kind->args[i], profile);
}

void model_write(FILE *to, const struct model_op *op)
{
        fprintf(to, "%s %d %s %s %ld %ld %ld %ld\n", model_kinds[op->kind].name, op->user,
                op->path[0], op->path[1], op->n[0], op->n[1], op->n[2], op->n[3]);
}

bool model_read(const char *line, struct model_op *ret)
{
        char name[24];

        memset(ret, 0, sizeof *ret);
        if (sscanf(line, "%23s %d %23s %23s %li %li %li %li", name, &ret->user, ret->path[0],
                   ret->path[1], &ret->n[0], &ret->n[1], &ret->n[2], &ret->n[3]) != 8 ||
            ret->user < 0 || ret->user >= MODEL_USERS)
                return false;
        while (ret->kind < (int)model_kind_count && strcmp(model_kinds[ret->kind].name, name) != 0)
                ret->kind++;
        return ret->kind < (int)model_kind_count;
}
