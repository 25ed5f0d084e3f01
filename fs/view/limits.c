/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/limits.h"

/* Standard streams, the fixed descriptors, and what a thread has while it works, or keeps. */
#define RESERVED (16 + 2 * NSM_THREADS_STUCK_MAX + NSM_STREAMS_MAX)
#define DIRECTORIES_MAX 4096
#define PINS_MAX 16384

static uint32_t at_most(uint64_t value, uint32_t max)
{
        return value < max ? (uint32_t)value : max;
}

struct nsm_limits nsm_limits_divide(uint64_t descriptors, bool locks)
{
        uint64_t left = descriptors > RESERVED + 64 ? descriptors - RESERVED : 64;
        struct nsm_limits limits = {
                .directories = at_most(left / 8, DIRECTORIES_MAX),
                .pins = at_most(left * 3 / 16, PINS_MAX),
                .lock_owners = locks ? at_most(left / 8, UINT32_MAX) : 0,
        };

        left -= limits.directories + limits.pins + limits.lock_owners;
        limits.handles = at_most(left, UINT32_MAX);
        limits.file_handles = limits.handles - limits.handles / 16;
        return limits;
}
