/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A view's process: how it is started, found again and ended. The contract
 * with it is fs/worker.h.
 */
#ifndef NSM_NSMOUNTD_WORKER_H
#define NSM_NSMOUNTD_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "fs/base/error.h"
#include "fs/worker.h"

struct worker {
        pid_t pid;           /* 0: none */
        uint64_t start_time; /* in ticks since boot (proc(5)): with pid, who it is */
        int pidfd;
        struct nsm_worker_stats *stats; /* mapped; any value may be a lie */
};

#define WORKER_NONE { .pidfd = -1 }

struct worker_descriptors {
        int fuse;   /* all borrowed */
        int source;
        int mount;
        int changes; /* the pipe, or -1 */
};

/*
 * Forks the worker and holds it before its program starts, until
 * worker_release(): so the caller can write down who it is first. When the
 * caller dies instead, so does the child.
 *
 * @program: path of nsmountfs. @options: what follows -o.
 */
int worker_spawn(const char *program, const char *options,
                 const struct worker_descriptors *descriptors, struct worker *ret,
                 int *ret_gate, struct nsm_error *err);

/* Lets it run; closes the gate. */
int worker_release(int *gate);

/*
 * Finds a running worker again, by pid and start time, and takes copies of its
 * descriptors (the caller's). -ESRCH: it is not there any more. -EBADF: what it
 * holds is not what the record says (@device), as when we died just before it
 * became itself; it is killed then, because nobody could look after it. -EPERM:
 * we are not allowed to look (ptrace(2)); it is left alone.
 */
int worker_adopt(pid_t pid, uint64_t start_time, dev_t device, struct worker *ret,
                 int *ret_fuse, int *ret_mount, struct nsm_error *err);

/* The pipe of changes of a running worker; the caller's. 0 or -errno. */
int worker_get_changes(const struct worker *worker, int *ret);

enum nsm_worker_state worker_get_state(const struct worker *worker);

/*
 * How it ended, in words ("exit status 1", "signal 9"), after its pidfd polled
 * readable; reaps it when it is ours.
 */
void worker_reap(struct worker *worker, char *text, size_t size);

/* Sends a signal; never to anybody else. */
void worker_kill(const struct worker *worker, int signal);

/* Closes and unmaps; the process stays as it is. */
void worker_clear(struct worker *worker);

/* Start time of a process from /proc/PID/stat, in clock ticks since boot. */
int worker_get_start_time(pid_t pid, uint64_t *ret);

#endif
