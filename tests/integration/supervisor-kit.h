/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of nsmountd: a world with tenants, and what `list --json` says of it. */
#ifndef NSM_TESTS_SUPERVISOR_KIT_H
#define NSM_TESTS_SUPERVISOR_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/harness.h"

struct kit {
        struct nsm_world *w;
        struct nsm_fake_tenant *t; /* "acme", with a busybox root */
};

static inline void kit_free(struct kit *kit)
{
        nsm_world_free(kit->w);
}
#define cleanup_kit __attribute__((cleanup(kit_free)))

/* Adds to nsmount.conf, which the harness began. */
static inline void kit_configure(struct nsm_world *w, const char *lines)
{
        const char *path = nsm_world_printf(w, "%s/nsmount.conf", w->config_dir);

        nsm_world_write_file(w, path, nsm_world_printf(w, "%s%s", nsm_world_read_file(w, path),
                                                       lines));
}

/* A world with one tenant and a supervisor that closes unused views after @idle_s. */
static inline struct kit kit_new(int idle_s)
{
        struct kit kit = { .w = nsm_world_new() };

        kit_configure(kit.w, nsm_world_printf(kit.w, "[daemon]\nidle-close = %d\n", idle_s));
        kit.t = nsm_world_add_tenant(kit.w, "acme");
        nsm_world_start_supervisor(kit.w);
        return kit;
}

/* The reply of List; a new reference. */
static inline json_t *kit_list(struct nsm_world *w)
{
        json_t *list = json_loads(nsm_world_must(w, "nsmount list --json"), 0, NULL);

        if (!list)
                nsm_harness_die("nsmount list --json prints no JSON");
        return list;
}

static inline size_t kit_count(struct nsm_world *w, const char *what)
{
        json_t *list = kit_list(w);
        size_t n = json_array_size(json_object_get(list, what));

        json_decref(list);
        return n;
}

/* Copies the string @key of the view @name, or "" when there is none. */
static inline const char *kit_view_text(struct nsm_world *w, const char *name, const char *key)
{
        json_t *list = kit_list(w), *view;
        const char *text = "";
        size_t i;

        json_array_foreach(json_object_get(list, "views"), i, view)
                if (strcmp(json_string_value(json_object_get(view, "name")), name) == 0)
                        text = nsm_world_printf(w, "%s", json_string_value(
                                                                 json_object_get(view, key)));
        json_decref(list);
        return text;
}

static inline pid_t kit_view_pid(struct nsm_world *w, const char *name)
{
        json_t *list = kit_list(w), *view;
        pid_t pid = 0;
        size_t i;

        json_array_foreach(json_object_get(list, "views"), i, view)
                if (strcmp(json_string_value(json_object_get(view, "name")), name) == 0)
                        pid = (pid_t)json_integer_value(json_object_get(view, "pid"));
        json_decref(list);
        return pid;
}

/* Views gone, as idle-close wants it. */
static inline bool kit_has_no_views(void *world)
{
        return kit_count(world, "views") == 0;
}

/* One view is left: others, which could be closed, have been. */
static inline bool kit_has_one_view(void *world)
{
        return kit_count(world, "views") == 1;
}

/* A command that is refused: status 1 and one line with @words in it. */
static inline void kit_refused(struct nsm_output *o, const char *words)
{
        cr_assert_eq(o->status, 1, "status %d: %s%s", o->status, o->out, o->err);
        cr_assert_not_null(strstr(o->err, words), "\"%s\" is not in: %s", words, o->err);
}

#endif
