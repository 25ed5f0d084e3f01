/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Far more inodes than descriptors: a view of a large tree whose worker may open few files. */
#include <stdio.h>

#include "tests/integration/view-kit.h"

#define FILES_PER_DIRECTORY 500
#define DESCRIPTORS 1024

/* @files small files, each with content of its own, in directories of 500. */
static int make_tree(const char *dir, int files)
{
        char path[64];

        CHECK(chdir(dir) == 0);
        for (int i = 0; i < files; i++) {
                snprintf(path, sizeof path, "d%d", i / FILES_PER_DIRECTORY);
                if (i % FILES_PER_DIRECTORY == 0)
                        CHECK(mkdir(path, 0755) == 0);
                snprintf(path, sizeof path, "d%d/f%d", i / FILES_PER_DIRECTORY, i);
                CHECK(write_text(path, "some text\n") == 0);
        }
        return 0;
}

struct tree {
        const char *dir;
        int files;
};

static int make_tree_of(void *arg)
{
        const struct tree *tree = arg;

        return make_tree(tree->dir, tree->files);
}

/* As nsm_world_must(), for what takes long. */
static const char *must_at_last(struct nsm_world *w, const char *command)
{
        struct nsm_output *o = nsm_process_wait(nsm_world_spawn(w, "%s", command), 600000);

        cr_assert_eq(o->status, 0, "%s: %d %s", command, o->status, o->err);
        return o->out;
}

/* Walks, reads and removes it; the most descriptors that the worker had, looked at meanwhile. */
static void go_through(int files)
{
        cleanup_view_kit struct view_kit k = { .w = nsm_world_new() };
        struct tree tree = { nsm_world_printf(k.w, "%s/src", k.w->dir), files };
        struct nsm_process *watch;
        struct nsm_output *o;

        nsm_world_must(k.w, "mkdir src mnt");
        o = nsm_world_call(k.w, make_tree_of, &tree);
        cr_assert_eq(o->status, 0, "%s", o->err);
        nsm_world_must(k.w, "ulimit -n %d && nsmountfs src mnt -o "
                       "idmap=0:%u:1000,coherence=exclusive", DESCRIPTORS, k.w->first_id);
        watch = nsm_world_spawn(k.w, "p=$(pgrep -f \"^nsmountfs src mnt -o idmap=0:%u:\");"
                                "most=0; while n=$(ls /proc/$p/fd 2>/dev/null | wc -l) &&"
                                " [ $n -gt 0 ]; do [ $n -le $most ] || most=$n; sleep 0.2;"
                                "done; echo $most", k.w->first_id);
        cr_assert_eq(atoi(must_at_last(k.w, "find mnt -type f -ls | wc -l")), files);
        cr_assert_eq(atoll(must_at_last(k.w, "find mnt -type f -exec cat {} + | wc -c")),
                     (long long)files * (int)strlen("some text\n"));
        must_at_last(k.w, "rm -r mnt/* && test -z \"$(ls -A src)\" && umount mnt");
        o = nsm_process_wait(watch, NSM_HARNESS_LIMIT_MS);
        cr_assert(atoi(o->out) > 0, "the worker was not looked at: %s", o->err);
        cr_assert_lt(atoi(o->out), DESCRIPTORS, "%s descriptors", o->out);
}

Test(view_large, more_files_than_descriptors, .timeout = 1800)
{
        NSM_REQUIRE();
        go_through(LARGE_FILES);
}
