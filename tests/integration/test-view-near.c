/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that go to their caller's processor, and what becomes of one that does not run. */
#include <pthread.h>

#include "fs/nsmountfs-turns.h"
#include "tests/integration/view-kit.h"

struct place {
        pthread_mutex_t lock;
        struct nsm_near_rules rules;
        struct nsm_turns turns;
        int requests[2]; /* a pipe */
        bool taken;
};

static void init(struct place *p)
{
        NSM_REQUIRE();
        *p = (struct place){ .lock = PTHREAD_MUTEX_INITIALIZER };
        cr_assert_eq(pipe2(p->requests, O_CLOEXEC), 0);
        nsm_near_rules_init(&p->rules, NULL);
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
        cr_assert_eq(sched_getscheduler(near->tid), on ? SCHED_BATCH : SCHED_OTHER);
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
        for (int caller = 0; caller < 2; caller++) {
                nsm_near_came(&near, caller, true);
                nsm_near_go(&near, first_cpu(&p));
                nsm_near_give_way();
                cr_assert_eq(sched_getscheduler(0), caller ? SCHED_IDLE : SCHED_BATCH);
                nsm_near_go_on();
                assert_place(&near, &p, true);
        }
        nsm_near_go(&near, -1);
        assert_place(&near, &p, false);
        nsm_near_give_way();
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

/* Where each of a worker's threads may run. */
static const char *places(struct view_kit *k)
{
        return nsm_world_must(k->w, "cat /proc/$(pgrep -f \"^nsmountfs src mnt -o "
                              "coherence=exclusive,idmap=0:%u:\")/task/*/status | "
                              "grep Cpus_allowed_list:", k->base);
}

/* Whether one may run on one processor alone: then its line differs from the main thread's. */
static bool is_near(struct view_kit *k)
{
        const char *all = places(k);
        size_t len = strcspn(all, "\n") + 1;

        for (const char *line = all; *line; line += len)
                if (strncmp(line, all, len) != 0)
                        return true;
        return false;
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
        cr_assert_not(is_near(&k));
        struct nsm_process *busy = nsm_world_spawn(k.w, "until test -e end; do : <mnt/f; done");

        while (!is_near(&k)) /* the test's time limit ends it */
                usleep(10000);
        nsm_world_must(k.w, "touch end");
        cr_assert_eq(nsm_process_wait(busy, NSM_HARNESS_LIMIT_MS)->status, 0);
        while (is_near(&k))
                usleep(10000);
}
