/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serving on the processor of whoever asks.
 *
 * Two processes that ask and answer in turns are fastest on one processor: there
 * a request costs two switches, elsewhere two wake-ups of a sleeping processor,
 * which take several times as long. The scheduler prefers the latter: whomever a
 * reply wakes is moved to an idle processor. It does not where nothing but
 * SCHED_IDLE runs on his own (select_idle_sibling(), kernel/sched/fair.c), so the
 * thread that serves one quick caller goes there, and has that policy while it
 * replies. Not longer: a thread that holds a lock must not wait for all others.
 * Otherwise it has SCHED_BATCH: a request does not take the processor from a caller
 * who has more to do before he waits. It leaves when the caller stops, another asks,
 * or it is not given the time it needs.
 *
 * Of the caller's processor the witness tells. Without CAP_SYS_NICE, a witness
 * or a second processor nothing happens.
 */
#ifndef NSM_NSMOUNTFS_NEAR_H
#define NSM_NSMOUNTFS_NEAR_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/witness/witness.h"

/* So many requests of one caller, each soon after the reply before, are a reason to come near. */
#define NSM_NEAR_REQUESTS 32
/* So many that had to be waited for, once near, say that the caller has moved on. */
#define NSM_NEAR_MISSES 2
/* It leaves where following so often has not helped. */
#define NSM_NEAR_MOVES 4
/* For how long a thread that is near waits for the next request before it leaves. */
#define NSM_NEAR_PATIENCE_MS 1
/* After it was kept from running: twice as long each time that this comes soon again. */
#define NSM_NEAR_PAUSE_MIN_NS UINT64_C(100000000)
#define NSM_NEAR_PAUSE_MAX_NS UINT64_C(5000000000)

/* Of a session. */
struct nsm_near_rules {
        struct nsm_witness *witness; /* borrowed */
        cpu_set_t cpus;              /* where the threads may run */
        bool usable;
        _Atomic uint64_t not_before_ns; /* monotonic */
        uint64_t pause_ns; /* under the session's lock */
};

/* Of a thread. */
struct nsm_near {
        struct nsm_near_rules *rules; /* borrowed */
        pid_t tid;
        atomic_bool on; /* changes under the session's lock */
        int cpu;        /* while it is on */
        pid_t caller;
        unsigned soon;
        unsigned misses;
        unsigned moves; /* without a request in between that needed no waiting */
        bool gives_way;
        bool answered; /* the message before had a caller, whom the reply has woken */
        bool at_once;  /* what came next was there already */
};

void nsm_near_rules_init(struct nsm_near_rules *rules, struct nsm_witness *witness);

/* By the thread itself, for as long as it lives. */
void nsm_near_init(struct nsm_near *near, struct nsm_near_rules *rules);

/* By a thread that is near: waits for a request on @fd. False: none came in time. */
bool nsm_near_wait(struct nsm_near *near, int fd);

/*
 * A request of @caller (0: unknown) has come, @soon after the reply before or not.
 * By the thread itself, which may ask the witness for it.
 * The processor to be near to, from now on; -1: none; -2: nothing changes.
 */
int nsm_near_came(struct nsm_near *near, pid_t caller, bool soon);

/* Around a reply that wakes the caller: if the calling thread is near, it gives way to him. */
void nsm_near_give_way(void);
void nsm_near_go_on(void);

/* Comes near, moves, or (-1) leaves. Under the session's lock, of any thread's. */
void nsm_near_go(struct nsm_near *near, int cpu);

/*
 * It was found that a thread that is near does not run: it leaves, and none comes
 * near for a while. Under the session's lock, of any thread's.
 */
void nsm_near_give_up(struct nsm_near *near);

#endif
