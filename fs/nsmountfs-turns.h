/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the threads that serve waits for the next request, and how.
 *
 * One thread has the turn: it alone waits. Waking it costs more than most
 * requests, so for a moment it looks for the next one without sleeping. While it
 * serves, nobody has the turn: where the storage answers at once it is back
 * before anybody could be woken. Of the threads without it, one keeps watch, and
 * takes it when the other has not come back for NSM_TURN_PATIENCE_NS; then, for
 * some time, the turn is handed on with each request, as the storage is slow. A
 * thread that is near to its caller (nsmountfs-near.h) is also watched while it
 * has the turn: it may not be let run.
 *
 * All but nsm_turns_look() and nsm_turns_came() under the lock that is named here.
 */
#ifndef NSM_NSMOUNTFS_TURNS_H
#define NSM_NSMOUNTFS_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/nsmountfs-near.h"

/* For how long a request may be served before the next one is waited for elsewhere. */
#define NSM_TURN_PATIENCE_NS 1000000
/* The same of a thread that is near: whoever wakes to look drives its caller away. */
#define NSM_TURN_NEAR_PATIENCE_NS 4000000
/* For how long the next request is looked for without sleep. */
#define NSM_TURN_LOOK_NS 100000
/* How much of a processor looking in vain may take, in percent, over some time. */
#define NSM_TURN_LOOK_SHARE 5

struct nsm_turns {
        pthread_mutex_t *lock; /* borrowed */
        int fd;                /* where requests come from: borrowed */
        pthread_cond_t watch;  /* for the thread that keeps watch */
        pthread_cond_t rest;   /* for all others without the turn */
        bool alone;            /* one processor: looking takes it from who would ask */
        bool roomy;            /* so many that several threads can serve at once */
        /* below under @lock */
        bool taken;
        bool offered;         /* to whom has waited for it, not to whom had it last */
        bool watched;         /* somebody keeps watch */
        bool awake;           /* and looks every NSM_TURN_PATIENCE_NS */
        unsigned without;     /* threads that wait for the turn */
        unsigned kicks;
        uint64_t given;       /* how often the turn was given */
        uint64_t hand_on_until; /* monotonic time, as all here */
        uint64_t hand_on_for;
        struct nsm_near *near; /* the thread that has the turn or is back soon, while it is near */
        /* below of whoever has the turn */
        uint64_t look_ns;
        uint64_t credit_ns, credit_at;
        uint64_t began;
};

void nsm_turns_init(struct nsm_turns *turns, pthread_mutex_t *lock, int fd);

/* Waits for the turn, of the thread @near. False: nsm_turns_kick() came first. */
bool nsm_turns_take(struct nsm_turns *turns, struct nsm_near *near);

/* The thread @near comes near to a processor, moves to it, or (-1) leaves it. */
void nsm_turns_go(struct nsm_turns *turns, struct nsm_near *near, int cpu);

/* A request has come: the turn is free. @more: and others wait behind it. */
void nsm_turns_give(struct nsm_turns *turns, bool more);

/* Looks for a request for a while. Whether there is one; else it is time to sleep. */
bool nsm_turns_look(struct nsm_turns *turns);

/*
 * It has come, whether @ret_soon after the one before was served. Whether others
 * wait behind it, where that makes a difference.
 */
bool nsm_turns_came(struct nsm_turns *turns, bool *ret_soon);

/* Wakes all that wait for the turn. */
void nsm_turns_kick(struct nsm_turns *turns);

#endif
