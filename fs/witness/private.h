/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said between a worker and its witness: one message each way. */
#ifndef NSM_WITNESS_PRIVATE_H
#define NSM_WITNESS_PRIVATE_H

#include <stdint.h>

enum nsm_witness_subject {
        NSM_WITNESS_RIGHTS,    /* the answer: NSM_CALLER_* bits */
        NSM_WITNESS_PROCESSOR, /* where it ran last */
};

struct nsm_witness_question {
        uint32_t number; /* the answer has it, too */
        uint32_t subject;
        uint32_t pid;
        uint32_t uid, gid;
};

/* The number of the one answer that comes unasked: it is ready. */
#define NSM_WITNESS_READY 0u

struct nsm_witness_answer {
        uint32_t number;
        int32_t result; /* or -errno */
};

#endif
