/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-turns.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)
#define HAND_ON_MIN_NS UINT64_C(20000000)
#define HAND_ON_MAX_NS (2 * SECOND_NS)
#define CREDIT_MAX_NS UINT64_C(10000000)
#define QUIET_ROUNDS 16 /* of looking, after which the watch sleeps until something comes */

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

void nsm_turns_init(struct nsm_turns *turns, pthread_mutex_t *lock, int fd)
{
        pthread_condattr_t attr;
        cpu_set_t cpus;
        int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

        *turns = (struct nsm_turns){ .lock = lock, .fd = fd, .alone = n == 1, .roomy = n > 2,
                                     .credit_ns = CREDIT_MAX_NS, .credit_at = now_ns() };
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&turns->watch, &attr);
        pthread_cond_init(&turns->rest, &attr);
        pthread_condattr_destroy(&attr);
}

/* The storage has been found slow: for longer each time that this comes soon again. */
static void begin_handing_on(struct nsm_turns *turns, uint64_t now)
{
        bool again = now < turns->hand_on_until + 4 * turns->hand_on_for;

        turns->hand_on_for = again ? 2 * turns->hand_on_for : HAND_ON_MIN_NS;
        if (turns->hand_on_for > HAND_ON_MAX_NS)
                turns->hand_on_for = HAND_ON_MAX_NS;
        turns->hand_on_until = now + turns->hand_on_for;
}

/* False: it was not woken in time. */
static bool wait_for(struct nsm_turns *turns, uint64_t until)
{
        struct timespec t = { .tv_sec = (time_t)(until / SECOND_NS),
                              .tv_nsec = (long)(until % SECOND_NS) };

        return pthread_cond_timedwait(&turns->watch, turns->lock, &t) == 0;
}

static bool is_asked(const struct nsm_turns *turns)
{
        struct pollfd p = { .fd = turns->fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

/* Takes it from a thread that is near and does not run: what it has in hand it ends. */
static void rob(struct nsm_turns *turns)
{
        nsm_near_give_up(turns->near);
        turns->near = NULL;
        turns->taken = false;
}

/* Until the turn is free for longer than a quick request takes. */
static void keep_watch(struct nsm_turns *turns, unsigned kicks)
{
        unsigned quiet = 0;

        turns->watched = turns->awake = true;
        while (turns->kicks == kicks) {
                uint64_t given = turns->given;
                uint64_t patience = turns->near ? NSM_TURN_NEAR_PATIENCE_NS : NSM_TURN_PATIENCE_NS;
                bool late = !wait_for(turns, now_ns() + patience) &&
                            turns->given == given &&
                            (!turns->taken || (turns->near && is_asked(turns)));

                if (late && turns->near)
                        rob(turns);
                if (late)
                        begin_handing_on(turns, now_ns());
                if (late || (turns->offered && !turns->taken))
                        break;
                quiet = turns->taken && turns->given == given && !turns->near ? quiet + 1 : 0;
                if (quiet < QUIET_ROUNDS)
                        continue;
                quiet = 0;
                turns->awake = false;
                while (!turns->awake && !turns->offered && turns->kicks == kicks)
                        pthread_cond_wait(&turns->watch, turns->lock);
                turns->awake = true;
        }
        turns->watched = false;
        pthread_cond_signal(&turns->rest);
}

void nsm_turns_go(struct nsm_turns *turns, struct nsm_near *near, int cpu)
{
        if (cpu >= 0 && now_ns() < turns->hand_on_until)
                return;
        nsm_near_go(near, cpu);
        if (near->on)
                turns->near = near;
        else if (turns->near == near)
                turns->near = NULL;
}

bool nsm_turns_take(struct nsm_turns *turns, struct nsm_near *near)
{
        unsigned kicks = turns->kicks;

        turns->without++;
        while (turns->taken && turns->kicks == kicks) {
                nsm_turns_go(turns, near, -1);
                if (turns->watched)
                        pthread_cond_wait(&turns->rest, turns->lock);
                else
                        keep_watch(turns, kicks);
        }
        turns->without--;
        if (turns->kicks != kicks)
                return false;
        turns->taken = true;
        turns->offered = false;
        return true;
}

void nsm_turns_give(struct nsm_turns *turns, bool more)
{
        turns->taken = false;
        turns->given++;
        if (!turns->without)
                return;
        turns->offered = more || now_ns() < turns->hand_on_until;
        if (turns->offered || !turns->awake)
                pthread_cond_signal(turns->watched ? &turns->watch : &turns->rest);
        turns->awake = true;
}

void nsm_turns_kick(struct nsm_turns *turns)
{
        turns->kicks++;
        pthread_cond_broadcast(&turns->watch);
        pthread_cond_broadcast(&turns->rest);
}

/* How long it may look now: less when that was in vain lately. */
static uint64_t allowance(struct nsm_turns *turns, uint64_t now)
{
        turns->credit_ns += (now - turns->credit_at) / 100 * NSM_TURN_LOOK_SHARE;
        turns->credit_at = now;
        if (turns->credit_ns > CREDIT_MAX_NS)
                turns->credit_ns = CREDIT_MAX_NS;
        return turns->look_ns < turns->credit_ns ? turns->look_ns : 0;
}

bool nsm_turns_look(struct nsm_turns *turns)
{
        uint64_t now = turns->began = now_ns();
        uint64_t end = now + allowance(turns, now);

        while (now < end) {
                if (is_asked(turns))
                        return true;
                sched_yield(); /* who is to ask may wait for this very processor */
                now = now_ns();
        }
        turns->credit_ns -= now - turns->began < turns->credit_ns ? now - turns->began
                                                                  : turns->credit_ns;
        return false;
}

bool nsm_turns_came(struct nsm_turns *turns, bool *ret_soon)
{
        *ret_soon = now_ns() - turns->began < NSM_TURN_LOOK_NS;
        turns->look_ns = *ret_soon && !turns->alone ? NSM_TURN_LOOK_NS : 0;
        return turns->roomy && is_asked(turns);
}
