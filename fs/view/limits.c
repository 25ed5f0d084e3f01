/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/limits.h"

/* Standard streams, the fixed descriptors, and two per thread while it works. */
#define RESERVED (16 + 2 * NSM_THREADS_MAX + NSM_LOCK_WAITERS_MAX)
#define DIRECTORIES_MAX 4096
#define PINS_MAX 16384

static uint32_t at_most(uint64_t value, uint32_t max)
{
        return value < max ? (uint32_t)value : max;
}

struct nsm_limits nsm_limits_divide(uint64_t descriptors)
{
        uint64_t left = descriptors > RESERVED + 64 ? descriptors - RESERVED : 64;
        struct nsm_limits limits = {
                .directories = at_most(left / 4, DIRECTORIES_MAX),
                .pins = at_most(left / 4, PINS_MAX),
        };

        left -= limits.directories + limits.pins;
        limits.lock_owners = at_most(left / 4, UINT32_MAX);
        limits.handles = at_most(left - limits.lock_owners, UINT32_MAX);
        return limits;
}
