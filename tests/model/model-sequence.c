/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/model.h"

/* A sequence that takes longer hangs. */
#define SECONDS 120

/* So much of the text says in which way two differ. */
#define SIGNATURE 14

struct verdict {
        volatile size_t at; /* which one is being run */
        char why[MODEL_WHY];
        bool done; /* no difference */
};

static void remove_below(int fd)
{
        model_become(0);
        model_empty(fd);
}

static bool run_all(const struct model_place *place, const struct model_sequence *sequence,
                    struct verdict *verdict)
{
        struct model_side sides[2];
        bool same = true;

        model_side_begin(&sides[0], "ext4", place->native, "model");
        model_side_begin(&sides[1], "the view", place->view, "model");
        for (size_t i = 0; same && i < sequence->count; i++) {
                verdict->at = i;
                same = model_step(sides, &sequence->ops[i], sequence->watch, verdict->why);
                if (same && i % sequence->stride == sequence->stride - 1)
                        same = model_same_trees(sides[0].top, sides[1].top, false, verdict->why);
        }
        model_side_end(&sides[0]);
        model_side_end(&sides[1]);
        return same && model_same_trees(place->native, place->view, false, verdict->why) &&
               model_same_trees(place->storage, place->view, true, verdict->why);
}

bool model_sequence_run(const struct model_place *place, const struct model_sequence *sequence,
                        size_t *ret_at, char *why)
{
        struct verdict *verdict = mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int status;

        if (verdict == MAP_FAILED)
                abort();
        pid_t pid = fork();
        if (pid == 0) {
                alarm(SECONDS);
                signal(SIGPIPE, SIG_IGN);
                signal(SIGXFSZ, SIG_IGN);
                model_place_enter(place);
                verdict->done = run_all(place, sequence, verdict);
                remove_below(place->native);
                remove_below(place->view);
                _exit(0);
        }
        waitpid(pid, &status, 0);
        bool done = verdict->done && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!done) {
                *ret_at = verdict->at;
                snprintf(why, MODEL_WHY, "%s", verdict->why);
                if (WIFSIGNALED(status))
                        snprintf(why, MODEL_WHY, "ended by signal %d", WTERMSIG(status));
                model_empty(place->native);
                model_empty(place->view);
        }
        munmap(verdict, sizeof *verdict);
        return done;
}

/*
 * Delta debugging: leaves out ever smaller parts, as long as what is left still
 * fails in the same way.
 */
void model_sequence_shrink(const struct model_place *place, struct model_sequence *sequence,
                           unsigned runs, char *why)
{
        struct model_sequence less = *sequence;
        char kind[SIGNATURE + 1];
        size_t at = 0;

        snprintf(kind, sizeof kind, "%s", why);
        less.ops = malloc((sequence->count + 1) * sizeof *less.ops);
        for (size_t part = sequence->count / 2; part > 0 && runs > 0; part /= 2) {
                for (size_t from = 0; from < sequence->count && runs > 0; runs--) {
                        size_t end = from + part < sequence->count ? from + part : sequence->count;
                        memcpy(less.ops, sequence->ops, from * sizeof *less.ops);
                        memcpy(less.ops + from, sequence->ops + end,
                               (sequence->count - end) * sizeof *less.ops);
                        less.count = sequence->count - (end - from);
                        if (model_sequence_run(place, &less, &at, why) ||
                            strncmp(why, kind, SIGNATURE) != 0) {
                                from = end;
                                continue;
                        }
                        sequence->count = at + 1 < less.count ? at + 1 : less.count;
                        memcpy(sequence->ops, less.ops, sequence->count * sizeof *less.ops);
                }
        }
        free(less.ops);
        model_sequence_run(place, sequence, &at, why);
}
