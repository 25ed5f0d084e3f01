/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A view of its own for one test: nsmountfs standing alone over an empty
 * directory. What a test does to it runs in forked processes with one thread,
 * as whichever user; CHECK() ends such a function with the line that failed.
 */
#ifndef NSM_TESTS_VIEW_KIT_H
#define NSM_TESTS_VIEW_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

/*
 * Two extents: storage ids 0..999 are host ids BASE.., and 1000..1999 are
 * BASE+50000..; storage id 2000 has no host id.
 */
struct view_kit {
        struct nsm_world *w;
        const char *src; /* as stored */
        const char *mnt; /* as seen */
        uint32_t base;
};

#define CHECK(condition)                                                               \
        do {                                                                           \
                if (!(condition)) {                                                    \
                        fprintf(stderr, "%s:%d: %s (%m)\n", __func__, __LINE__, #condition); \
                        return 1;                                                      \
                }                                                                      \
        } while (0)

/* The call fails with just this error. */
#define CHECK_ERR(call, error) CHECK((errno = 0, (call) < 0) && errno == (error))

static inline void view_kit_free(struct view_kit *k)
{
        nsm_world_run(k->w, "umount -l mnt");
        nsm_world_free(k->w);
}
#define cleanup_view_kit __attribute__((cleanup(view_kit_free)))

/* @options: more of nsmountfs's, beginning with a comma; may be "". */
static inline struct view_kit view_kit_new(const char *options)
{
        struct view_kit k = { .w = nsm_world_new() };

        k.base = k.w->first_id;
        k.src = nsm_world_printf(k.w, "%s/src", k.w->dir);
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "chmod 711 . && mkdir -m 755 src mnt && "
                       "nsmountfs src mnt -o idmap=0:%u:1000,idmap=1000:%u:1000%s", k.base,
                       k.base + 50000, options);
        return k;
}

/* The host id of one of the storage. */
static inline uint32_t host_id(const struct view_kit *k, uint32_t storage)
{
        return storage < 1000 ? k->base + storage : k->base + 50000 + storage - 1000;
}

struct view_call {
        struct view_kit *kit;
        uint32_t id; /* of the storage; UINT32_MAX: the host's root */
        int (*fn)(struct view_kit *kit);
};

static inline int view_call_as(void *arg)
{
        const struct view_call *c = arg;

        CHECK(chdir(c->kit->mnt) == 0);
        if (c->id != UINT32_MAX) {
                uint32_t id = host_id(c->kit, c->id);
                CHECK(setgroups(0, NULL) == 0);
                CHECK(setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
                CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* it may look at its children */
        }
        return c->fn(c->kit);
}

/* Runs a function in the view's root directory as the user of a storage id. */
static inline void view_do(struct view_kit *k, uint32_t id, int (*fn)(struct view_kit *kit))
{
        struct view_call call = { k, id, fn };
        struct nsm_output *o = nsm_world_call(k->w, view_call_as, &call);

        cr_assert_eq(o->status, 0, "%s%s", o->out, o->err);
}

/* The mode, owner and group of a stored file, as "644 0 0"; "" when it is not there. */
static inline const char *stored(struct view_kit *k, const char *path)
{
        struct stat st;
        const char *full = nsm_world_printf(k->w, "%s/%s", k->src, path);

        if (lstat(full, &st) < 0)
                return "";
        return nsm_world_printf(k->w, "%o %u %u", st.st_mode & 07777, st.st_uid, st.st_gid);
}

static inline int write_text(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

        if (fd >= 0)
                close(fd);
        return n == (ssize_t)strlen(text) ? 0 : -1;
}

static inline bool has_text(const char *path, const char *text)
{
        char buf[256];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);

        if (fd >= 0)
                close(fd);
        buf[n < 0 ? 0 : n] = '\0';
        return n >= 0 && strcmp(buf, text) == 0;
}

#endif
