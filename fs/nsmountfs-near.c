/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-near.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/log.h"
#include "fs/base/sys.h"

#define STAY -2
#define SECOND_NS UINT64_C(1000000000)

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static _Thread_local struct nsm_near *mine;

void nsm_near_rules_init(struct nsm_near_rules *rules, struct nsm_witness *witness)
{
        uint64_t permitted = 0;

        *rules = (struct nsm_near_rules){ .witness = witness };
        rules->usable = nsm_sys_get_capabilities(&permitted) == 0 &&
                        permitted & (uint64_t)1 << CAP_SYS_NICE &&
                        sched_getaffinity(0, sizeof rules->cpus, &rules->cpus) == 0 &&
                        CPU_COUNT(&rules->cpus) > 1;
}

void nsm_near_init(struct nsm_near *near, struct nsm_near_rules *rules)
{
        *near = (struct nsm_near){ .rules = rules, .tid = gettid() };
        mine = near;
}

bool nsm_near_wait(struct nsm_near *near, int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        near->at_once = poll(&p, 1, 0) > 0;
        return near->at_once || poll(&p, 1, NSM_NEAR_PATIENCE_MS) != 0;
}

/* Where the caller is. It waits for an answer, and does not move meanwhile. */
static int find(struct nsm_near *near)
{
        struct nsm_near_rules *rules = near->rules;
        int cpu = nsm_witness_ask_processor(rules->witness, near->caller);

        return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &rules->cpus) ? cpu : -1;
}

/* Whether one that is near has missed the caller for too long. */
static int follow(struct nsm_near *near)
{
        if (near->at_once) {
                near->misses = near->moves = 0;
                return STAY;
        }
        if (++near->misses < NSM_NEAR_MISSES)
                return STAY;
        near->misses = 0;
        int cpu = near->moves++ < NSM_NEAR_MOVES ? find(near) : -1;
        return cpu == near->cpu ? STAY : cpu;
}

int nsm_near_came(struct nsm_near *near, pid_t caller, bool soon)
{
        bool on = atomic_load_explicit(&near->on, memory_order_relaxed);
        bool answered = near->answered;

        near->answered = caller != 0;
        if (!near->rules->usable)
                return STAY;
        if (caller == 0)
                return on && answered ? follow(near) : STAY;
        if (caller != near->caller) {
                near->caller = caller;
                near->soon = 0;
                return on ? -1 : STAY;
        }
        if (on)
                return answered ? follow(near) : STAY;
        near->soon = soon ? near->soon + 1 : 0;
        if (near->soon < NSM_NEAR_REQUESTS)
                return STAY;
        near->soon = 0;
        if (now_ns() < atomic_load(&near->rules->not_before_ns))
                return STAY;
        near->misses = near->moves = 0;
        int cpu = find(near);
        return cpu < 0 ? STAY : cpu;
}

/* SCHED_IDLE is left with CAP_SYS_NICE alone, or within RLIMIT_NICE (sched(7)). */
static void set_policy(pid_t tid, int policy)
{
        struct sched_param none = { 0 };

        if (sched_setscheduler(tid, policy, &none) < 0)
                nsm_log(LOG_WARNING, "a thread's scheduling policy stays: %m");
}

void nsm_near_give_way(void)
{
        if (mine && mine->answered && atomic_load_explicit(&mine->on, memory_order_relaxed)) {
                mine->gives_way = true;
                set_policy(0, SCHED_IDLE);
        }
}

void nsm_near_go_on(void)
{
        if (mine && mine->gives_way) {
                mine->gives_way = false;
                set_policy(0, atomic_load_explicit(&mine->on, memory_order_relaxed)
                                      ? SCHED_BATCH : SCHED_OTHER);
        }
}

void nsm_near_go(struct nsm_near *near, int cpu)
{
        cpu_set_t one;

        if (cpu == STAY || (cpu < 0 && !near->on))
                return;
        CPU_ZERO(&one);
        if (cpu >= 0)
                CPU_SET(cpu, &one);
        if (cpu >= 0 && sched_setaffinity(near->tid, sizeof one, &one) == 0) {
                near->cpu = cpu;
                set_policy(near->tid, SCHED_BATCH);
                atomic_store_explicit(&near->on, true, memory_order_relaxed);
                return;
        }
        set_policy(near->tid, SCHED_OTHER);
        sched_setaffinity(near->tid, sizeof near->rules->cpus, &near->rules->cpus);
        atomic_store_explicit(&near->on, false, memory_order_relaxed);
}

void nsm_near_give_up(struct nsm_near *near)
{
        struct nsm_near_rules *rules = near->rules;
        uint64_t now = now_ns();
        bool again = now < atomic_load(&rules->not_before_ns) + 4 * rules->pause_ns;

        nsm_near_go(near, -1);
        rules->pause_ns = again && rules->pause_ns ? 2 * rules->pause_ns : NSM_NEAR_PAUSE_MIN_NS;
        if (rules->pause_ns > NSM_NEAR_PAUSE_MAX_NS)
                rules->pause_ns = NSM_NEAR_PAUSE_MAX_NS;
        atomic_store(&rules->not_before_ns, now + rules->pause_ns);
}
