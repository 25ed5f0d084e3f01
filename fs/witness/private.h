/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said between a worker and its witness: one message each way. */
#ifndef NSM_WITNESS_PRIVATE_H
#define NSM_WITNESS_PRIVATE_H

#include <stdint.h>

struct nsm_witness_question {
        uint32_t number; /* the answer has it, too */
        uint32_t pid;
        uint32_t uid, gid;
};

/* The number of the one answer that comes unasked: it is ready. */
#define NSM_WITNESS_READY 0u

struct nsm_witness_answer {
        uint32_t number;
        int32_t result; /* NSM_CALLER_* bits, or -errno */
};

#endif
