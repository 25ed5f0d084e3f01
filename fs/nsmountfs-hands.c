/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-hands.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t nsm_hand_now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

pid_t nsm_hand_caller(const void *message, size_t size)
{
        struct fuse_in_header header;

        if (size < sizeof header)
                return 0;
        memcpy(&header, message, sizeof header);
        return (pid_t)header.pid;
}

bool nsm_hand_take(struct nsm_hand *hands, unsigned n, unsigned slot, const void *message,
                   size_t size)
{
        struct fuse_interrupt_in interrupt;
        struct fuse_in_header header;

        if (size < sizeof header)
                return false;
        memcpy(&header, message, sizeof header);
        if (header.opcode != FUSE_INTERRUPT) {
                hands[slot] = (struct nsm_hand){ .unique = header.unique,
                                                 .pid = (pid_t)header.pid };
                return false;
        }
        if (size < sizeof header + sizeof interrupt)
                return false;
        memcpy(&interrupt, (const char *)message + sizeof header, sizeof interrupt);
        for (unsigned i = 0; i < n; i++) {
                if (hands[i].unique != interrupt.unique || hands[i].due_ms)
                        continue;
                hands[i].due_ms = nsm_hand_now_ms() + NSM_HAND_PATIENCE_MS;
                return true;
        }
        return false;
}

unsigned nsm_hand_find_due(struct nsm_hand *hands, unsigned n, struct nsm_hand *ret,
                           bool *ret_more)
{
        uint64_t now = nsm_hand_now_ms();
        unsigned found = 0;

        *ret_more = false;
        for (unsigned i = 0; i < n; i++) {
                if (!hands[i].due_ms || !hands[i].unique)
                        continue;
                *ret_more = true;
                if (hands[i].due_ms > now)
                        continue;
                ret[found++] = hands[i];
                hands[i].due_ms = now + NSM_HAND_AGAIN_MS;
        }
        return found;
}

void nsm_hand_answer(int fuse_fd, uint64_t unique)
{
        struct fuse_out_header reply = { .len = sizeof reply, .error = -EINTR, .unique = unique };

        (void)!write(fuse_fd, &reply, sizeof reply);
}
