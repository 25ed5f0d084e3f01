/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probes: what takes more than a line of a table, as functions that run at every place. */
#ifndef NSM_TESTS_POSIX_PROBES_H
#define NSM_TESTS_POSIX_PROBES_H

#include "tests/posix/engine.h"

/* Ends a probe with the line that did not hold. */
#define MUST(condition)                       \
        do {                                  \
                if (!(condition))             \
                        return __LINE__;      \
        } while (0)

#define PX_PROBE_SIZE 10000

/* 0 when all held; or px->text filled, to be compared with the reference's. */
struct px_probe {
        const char *name;
        int (*run)(struct px *px);
};

extern const struct px_probe px_probes_mappings[];

/* A new file with PX_PROBE_SIZE times @c in it, open for both; or -1. */
int px_probe_file(const char *name, char c);

/* The byte there, '?' without one. */
char px_probe_byte(int fd, off_t at);

/* Runs @fn in a child. Its status, or -1 when a signal ended it, which goes to *ret_signal. */
int px_probe_child(int (*fn)(void *arg), void *arg, int *ret_signal);

#endif
