/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int max_level = LOG_INFO;

void nsm_log_set_level(int priority)
{
        atomic_store(&max_level, priority);
}

void nsm_log(int priority, const char *fmt, ...)
{
        int saved = errno;
        char text[1024];
        va_list ap;

        if (priority > atomic_load(&max_level))
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (getenv("JOURNAL_STREAM"))
                fprintf(stderr, "<%d>%s\n", priority, text);
        else
                fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
        errno = saved;
}
