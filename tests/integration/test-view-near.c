/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that go to their caller's processor, and what becomes of one that does not run. */
#include <pthread.h>

#include "fs/nsmountfs-turns.h"
#include "fs/view/thread.h"
#include "fs/view/view.h"
#include "tests/integration/view-kit.h"

struct place {
        pthread_mutex_t lock;
        struct nsm_view *view;
        struct nsm_near_rules rules;
        struct nsm_turns turns;
        int requests[2]; /* a pipe */
        bool taken;
};

static void init(struct place *p)
{
        NSM_REQUIRE();
        *p = (struct place){ .lock = PTHREAD_MUTEX_INITIALIZER };
        p->view = calloc(1, sizeof *p->view);
        cr_assert(p->view && pthread_key_create(&p->view->thread_key, nsm_thread_free) == 0);
        p->view->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
        cr_assert_eq(pipe2(p->requests, O_CLOEXEC), 0);
        nsm_near_rules_init(&p->rules, p->view, NULL);
        if (!p->rules.usable)
                cr_skip_test("needs a second processor, and CAP_SYS_NICE");
        nsm_turns_init(&p->turns, &p->lock, p->requests[0]);
}

static int first_cpu(const struct place *p)
{
        int cpu = 0;

        while (!CPU_ISSET(cpu, &p->rules.cpus))
                cpu++;
        return cpu;
}

static void assert_place(const struct nsm_near *near, const struct place *p, bool on)
{
        cpu_set_t cpus;

        cr_assert_eq(near->on, on);
        cr_assert_eq(sched_getscheduler(near->tid), on ? SCHED_IDLE : SCHED_OTHER);
        cr_assert_eq(sched_getaffinity(near->tid, sizeof cpus, &cpus), 0);
        cr_assert_eq(CPU_COUNT(&cpus), on ? 1 : CPU_COUNT(&p->rules.cpus));
}

Test(view_near, comes_and_leaves)
{
        struct nsm_near near;
        struct place p;

        init(&p);
        nsm_near_init(&near, &p.rules);
        nsm_near_go(&near, -1);
        assert_place(&near, &p, false);
        nsm_near_go(&near, first_cpu(&p));
        assert_place(&near, &p, true);
        cr_assert_not(nsm_near_wait(&near, p.requests[0]));
        cr_assert_eq(write(p.requests[1], "r", 1), 1);
        cr_assert(nsm_near_wait(&near, p.requests[0]));
        nsm_near_go(&near, -1);
        assert_place(&near, &p, false);
        nsm_near_go(&near, CPU_SETSIZE - 1); /* none such: stays as it is */
        assert_place(&near, &p, false);
}

Test(view_near, another_caller_ends_it)
{
        struct nsm_near near;
        struct place p;

        init(&p);
        nsm_near_init(&near, &p.rules);
        cr_assert_eq(nsm_near_came(&near, 7, true), -2);
        nsm_near_go(&near, first_cpu(&p));
        near.at_once = true;
        for (int i = 0; i < 2 * NSM_NEAR_MISSES; i++)
                cr_assert_eq(nsm_near_came(&near, i % 2 ? 7 : 0, true), -2);
        cr_assert_eq(nsm_near_came(&near, 8, true), -1);
        nsm_near_go(&near, -1);
        assert_place(&near, &p, false);
}

static void *take_turn(void *arg)
{
        struct place *p = arg;
        struct nsm_near near;

        nsm_near_init(&near, &p->rules);
        pthread_mutex_lock(&p->lock);
        p->taken = nsm_turns_take(&p->turns, &near);
        pthread_mutex_unlock(&p->lock);
        return NULL;
}

/* It has the turn, and what has come is not read. */
Test(view_near, one_that_does_not_run_is_relieved)
{
        struct nsm_near near;
        pthread_t other;
        struct place p;

        init(&p);
        nsm_near_init(&near, &p.rules);
        pthread_mutex_lock(&p.lock);
        cr_assert(nsm_turns_take(&p.turns, &near));
        nsm_turns_go(&p.turns, &near, first_cpu(&p));
        pthread_mutex_unlock(&p.lock);
        assert_place(&near, &p, true);
        cr_assert_eq(write(p.requests[1], "r", 1), 1);
        cr_assert_eq(pthread_create(&other, NULL, take_turn, &p), 0);
        cr_assert_eq(pthread_join(other, NULL), 0);
        cr_assert(p.taken);
        assert_place(&near, &p, false);
        /* Nobody comes near for a while, and where requests are handed on not at all. */
        cr_assert_gt(p.rules.not_before_ns, 0);
        pthread_mutex_lock(&p.lock);
        nsm_turns_go(&p.turns, &near, first_cpu(&p));
        pthread_mutex_unlock(&p.lock);
        assert_place(&near, &p, false);
}

/* What a worker's threads are scheduled as, and how many processors each may use. */
#define THREADS "for t in /proc/$(pgrep -f \"^nsmountfs src mnt -o coherence=exclusive,idmap=0:%u:\")"  \
                "/task/*; do echo p$(cut -d ' ' -f 41 $t/stat) "                                   \
                "$(grep Cpus_allowed: $t/status | cut -f 2); done"

static bool is_near(struct view_kit *k)
{
        return strstr(nsm_world_must(k->w, THREADS, k->base), "p5 ");
}

/* A view whose one caller asks and asks is served beside it, and for no longer. */
Test(view_near, a_busy_caller_is_followed)
{
        struct place p;

        init(&p);
        cleanup_view_kit struct view_kit k = { .w = nsm_world_new() };
        k.base = k.w->first_id;
        nsm_world_must(k.w, "mkdir src mnt; touch src/f; nsmountfs src mnt -o coherence=exclusive,"
                       "idmap=0:%u:1000", k.base);
        const char *before = nsm_world_must(k.w, THREADS, k.base);
        struct nsm_process *busy = nsm_world_spawn(k.w, "until test -e end; do : <mnt/f; done");

        while (!is_near(&k)) /* the test's time limit ends it */
                usleep(10000);
        nsm_world_must(k.w, "touch end");
        cr_assert_eq(nsm_process_wait(busy, NSM_HARNESS_LIMIT_MS)->status, 0);
        while (is_near(&k))
                usleep(10000);
        const char *after = nsm_world_must(k.w, THREADS, k.base);
        const char *first = strchr(before, '\n');
        cr_assert_not(strncmp(before, after, (size_t)(first - before)), "%s%s", before, after);
}
