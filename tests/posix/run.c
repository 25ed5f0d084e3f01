/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One subject on all places, side by side, and what came out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/posix/engine.h"

struct call {
        const struct px_subject *subject;
        const struct px_place *place;
        struct px_log *log;
        const struct px_log *reference;
};

static int run_here(void *arg)
{
        const struct call *c = arg;

        px_run_some(c->subject, c->place, c->log, c->reference);
        return 0;
}

/* In a process of its own, so that places run side by side. */
static pid_t start(struct nsm_world *w, struct call *c)
{
        pid_t pid = fork();

        if (pid < 0)
                nsm_harness_die("fork: %s", strerror(errno));
        if (pid > 0)
                return pid;
        struct px_log *log = c->log;
        struct nsm_fake_container *inside = c->place->container;

        for (int status = 0; status == 0 && !log->finished;) {
                struct nsm_output *o = inside ? nsm_container_call(inside, run_here, c)
                                              : nsm_world_call(w, run_here, c);
                size_t used = strlen(log->report);

                status = o->status;
                if (status != 0 || *o->err)
                        snprintf(log->report + used, sizeof log->report - used,
                                 "%s: ended with %d\n%s", c->place->name, status, o->err);
        }
        _exit(0);
}

/* Runs those that have a reference, or those that have none. */
static void run_all(struct nsm_world *w, const struct px_subject *subject,
                    const struct px_scene *scene, struct px_log **logs, bool compared)
{
        pid_t pids[PX_PLACES_MAX] = { 0 };

        fflush(NULL);
        for (size_t i = 0; i < scene->n; i++) {
                int reference = scene->places[i].reference;
                struct call call = { subject, &scene->places[i], logs[i],
                                     reference < 0 ? NULL : logs[reference] };

                if ((reference >= 0) == compared)
                        pids[i] = start(w, &call);
        }
        for (size_t i = 0; i < scene->n; i++)
                if (pids[i])
                        waitpid(pids[i], NULL, 0);
}

/* What failed, in memory of the caller's; NULL when nothing did. */
static char *sum_up(const struct px_subject *subject, const struct px_scene *scene,
                    struct px_log **logs)
{
        char *text = NULL, *longer;

        for (size_t i = 0; i < scene->n; i++) {
                fprintf(stderr, "posix: %s on %s: %zu cases, %zu assertions, %zu failed\n",
                        subject->name, scene->places[i].name, logs[i]->n_cases, logs[i]->assertions,
                        logs[i]->failures);
                if (!*logs[i]->report && logs[i]->failures == 0)
                        continue;
                if (asprintf(&longer, "%s%son %s: %zu of %zu assertions failed\n",
                             text ? text : "", logs[i]->report, scene->places[i].name,
                             logs[i]->failures, logs[i]->assertions) < 0)
                        nsm_harness_die("no memory");
                free(text);
                text = longer;
        }
        return text;
}

char *px_run(const struct px_subject *subject)
{
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct px_scene scene;
        struct px_log *logs[PX_PLACES_MAX];

        px_scene_make(w, subject->read_only, &scene);
        for (size_t i = 0; i < scene.n; i++) {
                logs[i] = mmap(NULL, PX_LOG_BYTES, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (logs[i] == MAP_FAILED)
                        nsm_harness_die("no memory for results");
        }
        run_all(w, subject, &scene, logs, false);
        run_all(w, subject, &scene, logs, true);
        char *text = sum_up(subject, &scene, logs);
        for (size_t i = 0; i < scene.n; i++)
                munmap(logs[i], PX_LOG_BYTES);
        return text;
}
