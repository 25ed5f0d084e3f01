/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests that threads have in hand. A caller that gets a signal waits
 * until its request is answered, even when it is to be killed: the kernel says
 * FUSE_INTERRUPT, and nothing else. The thread that asks the storage cannot be
 * taken out of it. So what the storage has not ended within some time after an
 * interruption is looked at: when the caller is to be killed, it is answered with
 * EINTR in the storage's place, whose own answer, when it comes, finds nobody.
 * Any other caller waits on, as it would for the storage. No locking here.
 */
#ifndef NSM_NSMOUNTFS_HANDS_H
#define NSM_NSMOUNTFS_HANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * After an interruption, in milliseconds: a storage that works is quicker, and
 * what it does is then done before the caller is gone.
 */
#define NSM_HAND_PATIENCE_MS 2000
/* Between looks at a caller whose time is over: it may be killed later. */
#define NSM_HAND_AGAIN_MS 500

struct nsm_hand {
        uint64_t unique; /* 0: none */
        pid_t pid;       /* of the caller, as the header has it */
        uint64_t due_ms; /* CLOCK_MONOTONIC; 0: not interrupted */
};

/* Whose request a message is, as the pid namespace of /dev/fuse has it; 0: nobody's. */
pid_t nsm_hand_caller(const void *message, size_t size);

/*
 * A thread has read a message. When it interrupts a request that another one
 * has in hand, that is noted, and true returned.
 */
bool nsm_hand_take(struct nsm_hand *hands, unsigned n, unsigned slot, const void *message,
                   size_t size);

/*
 * Copies the requests whose time is over to @ret (room for @n), and looks at
 * them again later. Their number. *ret_more: there are interrupted ones.
 */
unsigned nsm_hand_find_due(struct nsm_hand *hands, unsigned n, struct nsm_hand *ret,
                           bool *ret_more);

/* CLOCK_MONOTONIC in milliseconds. */
uint64_t nsm_hand_now_ms(void);

/* Answers a request with EINTR. One that has been answered meanwhile is no error. */
void nsm_hand_answer(int fuse_fd, uint64_t unique);

#endif
