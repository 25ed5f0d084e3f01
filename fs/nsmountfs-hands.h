/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests that threads have in hand. A caller that gets a signal waits
 * until its request is answered, even when it is to be killed: the kernel says
 * FUSE_INTERRUPT, and nothing else. The thread that asks the storage cannot be
 * taken out of it. So what the storage has not ended within some time after an
 * interruption is answered with EINTR in its place; its own answer, when it
 * comes, finds nobody. No locking here.
 */
#ifndef NSM_NSMOUNTFS_HANDS_H
#define NSM_NSMOUNTFS_HANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * After an interruption, in milliseconds: a storage that works is quicker, and
 * its callers are to see no EINTR that they would not see on it. Longest for
 * fsync, whose EINTR few programs expect.
 */
#define NSM_HAND_PATIENCE_MS 2000
#define NSM_HAND_PATIENCE_SYNC_MS 20000

struct nsm_hand {
        uint64_t unique; /* 0: none */
        uint32_t opcode;
        uint64_t due_ms; /* CLOCK_MONOTONIC; 0: not interrupted */
};

/*
 * A thread has read a message. When it interrupts a request that another one
 * has in hand, that is noted, and true returned.
 */
bool nsm_hand_take(struct nsm_hand *hands, unsigned n, unsigned slot, const void *message,
                   size_t size);

/*
 * Chooses requests to be given up (at most @n, told by their unique numbers).
 * *ret_more: others are interrupted, and not due.
 */
unsigned nsm_hand_give_up(struct nsm_hand *hands, unsigned n, uint64_t *ret, bool *ret_more);

/* CLOCK_MONOTONIC in milliseconds. */
uint64_t nsm_hand_now_ms(void);

/* Answers a request with EINTR. One that has been answered meanwhile is no error. */
void nsm_hand_answer(int fuse_fd, uint64_t unique);

#endif
