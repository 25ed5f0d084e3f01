/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/witness/private.h"
#include "fs/witness/witness.h"

/* It reads a few files of procfs: after this something is wrong. Milliseconds. */
#define PATIENCE_MS 2000
/* And on a busy machine it takes a while to start. */
#define START_PATIENCE_MS 15000

struct nsm_witness {
        pthread_mutex_t lock;
        /* below under @lock */
        int fd; /* owned; -1: there is none any more */
        uint32_t number;
};

/* The answer to the question with this number; what is left of earlier ones goes. */
static int take_answer(int fd, uint32_t number, int patience_ms, int *ret)
{
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        struct nsm_witness_answer answer;

        for (;;) {
                int n = poll(&poll_fd, 1, patience_ms);
                if (n == 0)
                        return -ETIMEDOUT;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 || read(fd, &answer, sizeof answer) != sizeof answer)
                        return -EPIPE;
                if (answer.number == number) {
                        *ret = answer.result;
                        return 0;
                }
        }
}

int nsm_witness_new(int fd, struct nsm_witness **ret)
{
        cleanup_free struct nsm_witness *witness = calloc(1, sizeof *witness);
        int ready, r;

        if (!witness)
                return -ENOMEM;
        r = fd < 0 ? 0 : take_answer(fd, NSM_WITNESS_READY, START_PATIENCE_MS, &ready);
        if (r == 0)
                r = -pthread_mutex_init(&witness->lock, NULL);
        if (r < 0)
                return r;
        witness->fd = fd;
        *ret = nsm_take_ptr(witness);
        return 0;
}

void nsm_witness_free(struct nsm_witness *witness)
{
        if (!witness)
                return;
        nsm_close_fd(witness->fd);
        pthread_mutex_destroy(&witness->lock);
        free(witness);
}

/* Gives the question its number. */
static int ask_locked(struct nsm_witness *witness, struct nsm_witness_question *question,
                      int patience_ms)
{
        int answer = 0;

        question->number = ++witness->number;

        if (witness->fd < 0)
                return -EOPNOTSUPP;
        int r = write(witness->fd, question, sizeof *question) == sizeof *question ? 0 : -EPIPE;
        if (r == 0)
                r = take_answer(witness->fd, question->number, patience_ms, &answer);
        if (r == -EPIPE) {
                nsm_log(LOG_WARNING, "the view's witness is gone: of callers less is known");
                nsm_close_fd(nsm_take_fd(&witness->fd));
                r = -EOPNOTSUPP;
        }
        return r < 0 ? r : answer;
}

static int ask(struct nsm_witness *witness, struct nsm_witness_question *question,
               int patience_ms)
{
        if ((pid_t)question->pid <= 0)
                return -EOPNOTSUPP;
        pthread_mutex_lock(&witness->lock);
        int r = ask_locked(witness, question, patience_ms);
        pthread_mutex_unlock(&witness->lock);
        return r;
}

int nsm_witness_ask(struct nsm_witness *witness, pid_t pid, uid_t uid, gid_t gid)
{
        struct nsm_witness_question question = { .subject = NSM_WITNESS_RIGHTS,
                                                 .pid = (uint32_t)pid, .uid = uid, .gid = gid };

        return ask(witness, &question, PATIENCE_MS);
}

int nsm_witness_ask_processor(struct nsm_witness *witness, pid_t pid)
{
        struct nsm_witness_question question = { .subject = NSM_WITNESS_PROCESSOR,
                                                 .pid = (uint32_t)pid };

        return ask(witness, &question, NSM_WITNESS_HINT_MS);
}
