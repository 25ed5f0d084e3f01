/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares a view with an id-mapped mount of a directory that is the twin of
 * its source: what every kind of caller is told in either, and what is stored.
 */
#ifndef NSM_TESTS_CALLERS_KIT_H
#define NSM_TESTS_CALLERS_KIT_H

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "tests/integration/view-kit.h"

#define CALLERS_IDS 1000U /* storage ids 0.. have host ids */

/* A caller, in storage ids. */
struct caller {
        const char *name;
        uint32_t id;    /* its user and its group; UINT32_MAX: the host's root */
        uint32_t group; /* a supplementary one; 0: none */
        bool container; /* in a user namespace of all mapped ids, with all capabilities */
};

/* A call after which the two are known to differ. Both sides as "ERRNO MODE". */
struct callers_difference {
        const char *path, *storage, *view;
};

/* What is done by each caller, in a directory of its own. */
struct callers_scene {
        int (*prepare)(void);   /* on the storage, as the host's root; or NULL, and */
        const char *script;     /* a shell's commands */
        /* @first: the id by which the caller names storage id 0. */
        int (*act)(uint32_t first);
        const struct callers_difference *known; /* ends with a NULL path */
        const struct callers_difference *known_mapped; /* the same, of id-mapped views */
};

#define CALLERS_KNOWN_MAX 48 /* differences of a scene */

/* After a call: prints its errno, and what the caller sees at its path. */
static inline void callers_say(const char *path, int result)
{
        int error = result < 0 ? errno : 0;
        struct stat st = { 0 };

        lstat(path, &st);
        printf("%s\t%d %o\t%u:%u size %lld links %u\n", path, error, st.st_mode & 07777, st.st_uid,
               st.st_gid, (long long)st.st_size, (unsigned)st.st_nlink);
}

/* A user namespace's maps: @inner and up are @outer and up outside. */
static inline int callers_write_maps(pid_t pid, uint32_t inner, uint32_t outer)
{
        for (int i = 0; i < 2; i++) {
                char path[64], map[64];
                snprintf(path, sizeof path, "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
                int n = snprintf(map, sizeof map, "%u %u %u", inner, outer, CALLERS_IDS);
                cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
                CHECK(fd >= 0 && write(fd, map, (size_t)n) == n);
        }
        return 0;
}

/* Mounts @from id-mapped at @to: owner @inner of it is seen as @outer. */
struct callers_mount {
        const char *from, *to;
        uint32_t inner, outer;
};

static inline int callers_mount(void *arg)
{
        const struct callers_mount *m = arg;
        char path[64];
        int pidfd;

        pid_t pid = nsm_sys_fork(CLONE_NEWUSER, &pidfd);
        if (pid == 0) {
                pause();
                _exit(0);
        }
        CHECK(pid > 0 && callers_write_maps(pid, m->inner, m->outer) == 0);
        snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        int ns = open(path, O_RDONLY | O_CLOEXEC);
        kill(pid, SIGKILL);
        int tree = open_tree(AT_FDCWD, m->from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        CHECK(ns >= 0 && tree >= 0);
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)ns };
        CHECK(mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0);
        CHECK(move_mount(tree, "", AT_FDCWD, m->to, MOVE_MOUNT_F_EMPTY_PATH) == 0);
        return 0;
}

/*
 * Takes these ids as one who has executed a program since: what procfs tells of
 * it is its own then, not root's.
 */
static inline int callers_become(uint32_t id, size_t n_groups, const gid_t *groups)
{
        if (setgroups(n_groups, groups) < 0 || setresgid(id, id, id) < 0 ||
            setresuid(id, id, id) < 0)
                return -1;
        return prctl(PR_SET_DUMPABLE, 1);
}

struct callers_call {
        const char *dir;
        const struct caller *who;
        const struct callers_scene *scene;
        uint32_t base; /* storage id 0 as the host's users see it there */
};

static inline int callers_act_in_container(const struct callers_call *c)
{
        int go[2], pidfd, status;
        char byte;

        CHECK(pipe(go) == 0);
        pid_t pid = nsm_sys_fork(CLONE_NEWUSER, &pidfd);
        if (pid == 0) {
                int r = read(go[0], &byte, 1) == 1 && callers_become(0, 0, NULL) == 0
                                ? c->scene->act(0) : 1;
                fflush(stdout);
                _exit(r);
        }
        CHECK(pid > 0 && callers_write_maps(pid, 0, c->base) == 0 && write(go[1], "", 1) == 1);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        return 0;
}

static inline int callers_act(void *arg)
{
        const struct callers_call *c = arg;
        gid_t group = c->base + c->who->group;
        uint32_t id = c->base + c->who->id;

        CHECK(chdir(c->dir) == 0);
        if (c->who->container)
                return callers_act_in_container(c);
        if (c->who->id != UINT32_MAX)
                CHECK(callers_become(id, c->who->group ? 1 : 0, &group) == 0);
        return c->scene->act(c->base);
}

static inline int callers_prepare(void *arg)
{
        const struct callers_call *c = arg;

        CHECK(chdir(c->dir) == 0);
        umask(0);
        return c->scene->prepare();
}

/* Whether two lines of callers_say() are the same, or differ as they are known to: @met. */
static inline bool callers_agree(const struct callers_difference *known, const char *storage,
                                 const char *view, bool *met)
{
        if (strcmp(storage, view) == 0)
                return true;
        for (size_t i = 0; known && known[i].path; i++) {
                char a[128], b[128];
                snprintf(a, sizeof a, "%s\t%s\t", known[i].path, known[i].storage);
                snprintf(b, sizeof b, "%s\t%s\t", known[i].path, known[i].view);
                if (strncmp(storage, a, strlen(a)) == 0 && strncmp(view, b, strlen(b)) == 0)
                        return met[i] = true;
        }
        return false;
}

static inline void callers_compare_lines(const struct caller *who,
                                         const struct callers_scene *scene, char *storage,
                                         char *view, bool *met)
{
        char *save_a, *save_b;
        char *a = strtok_r(storage, "\n", &save_a), *b = strtok_r(view, "\n", &save_b);

        cr_assert(a, "%s did nothing", who->name);
        for (; a && b; a = strtok_r(NULL, "\n", &save_a), b = strtok_r(NULL, "\n", &save_b))
                cr_expect(callers_agree(scene->known, a, b, met), "%s\nstorage: %s\nview:    %s",
                          who->name, a, b);
        cr_expect(!a && !b, "%s: one of them told more", who->name);
}

/* What is stored: attributes, ACLs and capabilities of all but the known differences. */
static inline const char *callers_stored(struct nsm_world *w, const char *dir,
                                         const struct callers_scene *scene)
{
        const char *skip = "";

        for (const struct callers_difference *k = scene->known; k && k->path; k++)
                skip = nsm_world_printf(w, "%s ! -name %s", skip, k->path);
        return nsm_world_must(w, "cd %s && find . %s -printf '%%p %%y %%m %%U:%%G %%s %%n %%l\n' | "
                              "sort && find . ! -type l %s | sort | xargs getfacl -n && "
                              "getfattr -h -d -m '^user' -R -e hex . && getcap -r . | sort",
                              dir, skip, skip);
}

static inline void callers_compare_one(struct nsm_world *w, const struct caller *who,
                                       const struct callers_scene *scene, uint32_t base,
                                       bool *met)
{
        static const char *const raw[] = { "twin", "src" }, *const seen[] = { "ref", "seen" };
        struct nsm_output *o[2];
        const char *stored[2];

        for (int i = 0; i < 2; i++) {
                struct callers_call call = { NULL, who, scene, base };
                call.dir = nsm_world_printf(w, "%s/%s/%s", w->dir, raw[i], who->name);
                nsm_world_must(w, "mkdir -m 755 %s && cd %s && umask 0 && %s", call.dir, call.dir,
                               scene->script ? scene->script : ":");
                if (scene->prepare) {
                        o[i] = nsm_world_call(w, callers_prepare, &call);
                        cr_assert_eq(o[i]->status, 0, "%s", o[i]->err);
                }
                call.dir = nsm_world_printf(w, "%s/%s/%s", w->dir, seen[i], who->name);
                o[i] = nsm_world_call(w, callers_act, &call);
                cr_assert_eq(o[i]->status, 0, "%s: %s", who->name, o[i]->err);
                stored[i] = callers_stored(w, nsm_world_printf(w, "%s/%s", raw[i], who->name),
                                           scene);
        }
        callers_compare_lines(who, scene, o[0]->out, o[1]->out, met);
        cr_expect_str_eq(stored[1], stored[0], "%s stored other than on the storage", who->name);
}

/* A shared view itself, or an id-mapped mount of an exclusive one (@mapped), against the twin. */
static inline void callers_compare(bool mapped, struct callers_scene scene_of_both)
{
        const struct callers_scene *scene = &scene_of_both;
        static const struct caller all[] = {
                { "owner", 1, 0, false },  { "owning-member", 1, 50, false },
                { "member", 2, 50, false }, { "group", 50, 0, false },
                { "stranger", 3, 0, false }, { "root", 0, 0, true },
                { "host", UINT32_MAX, 0, false },
        };
        cleanup_world struct nsm_world *w = nsm_world_new();
        uint32_t base = w->first_id, seen = mapped ? base + 100000 : base;
        struct callers_mount view = { .inner = base, .outer = seen };
        struct callers_mount ref = { .inner = 0, .outer = seen };
        bool met[CALLERS_KNOWN_MAX] = { 0 };

        if (mapped)
                scene_of_both.known = scene->known_mapped;
        view.from = nsm_world_printf(w, "%s/mnt", w->dir);
        view.to = nsm_world_printf(w, "%s/seen", w->dir);
        ref.from = nsm_world_printf(w, "%s/twin", w->dir);
        ref.to = nsm_world_printf(w, "%s/ref", w->dir);
        nsm_world_must(w, "chmod 711 . && mkdir -m 755 src twin mnt seen ref && "
                       "nsmountfs src mnt -o idmap=0:%u:%u,coherence=%s", base, CALLERS_IDS,
                       mapped ? "exclusive" : "shared");
        if (!mapped)
                nsm_world_must(w, "mount --bind mnt seen");
        for (int i = mapped ? 0 : 1; i < 2; i++) {
                struct nsm_output *o = nsm_world_call(w, callers_mount, i ? &ref : &view);
                cr_assert_eq(o->status, 0, "%s", o->err);
        }
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                callers_compare_one(w, &all[i], scene, seen, met);
        for (size_t i = 0; scene->known && scene->known[i].path; i++)
                cr_expect(met[i], "%s: differs no more from \"%s\"", scene->known[i].path,
                          scene->known[i].storage);
        nsm_world_must(w, "umount ref seen mnt");
}

#endif
