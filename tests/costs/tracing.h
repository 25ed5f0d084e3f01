/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel sends to a view and what its worker calls, as the kernel's own
 * tracepoints tell it: nothing is stopped for it, and nothing is left when the
 * test ends, in whatever way.
 */
#ifndef NSM_TESTS_TRACING_H
#define NSM_TESTS_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/harness/harness.h"

enum traced_kind {
        TRACED_SENT,     /* a request, by its caller; FORGET and INTERRUPT are not traced */
        TRACED_ANSWERED, /* a request, while the worker's call that writes the answer runs */
        TRACED_CALL,     /* a system call of the worker begins, but for those of waiting */
};

struct traced {
        uint64_t at_ns;  /* CLOCK_MONOTONIC */
        uint64_t unique; /* of the request */
        uint64_t first;  /* argument of the call */
        long number;     /* of the call; opcode of the request that is sent */
        pid_t tid;
        enum traced_kind kind;
};

/* In the order of time. */
struct traced_all {
        struct traced *of;
        size_t n;
        bool lost; /* some are missing */
};

struct tracing;

/* What this machine lacks, or NULL. Mounts tracefs in the world's directory. */
const char *tracing_missing(struct nsm_world *w);

/*
 * Traces requests to the view at @dir from now on, and system calls of all
 * processes that are named @program, unless that is NULL.
 */
struct tracing *tracing_new(struct nsm_world *w, const char *dir, const char *program);
void tracing_free(struct tracing *tracing);

/* All since the last tracing_clear(); valid until the next call. */
struct traced_all tracing_read(struct tracing *tracing);
void tracing_clear(struct tracing *tracing);

#endif
