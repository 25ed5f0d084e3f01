/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies @src into @dst of @size bytes; what a terminal would act on becomes \xNN. */
static void copy_printable(char *dst, size_t size, const char *src)
{
        size_t used = 0;

        for (; *src; src++) {
                unsigned char c = (unsigned char)*src;
                int n;

                if (c < 0x20 || c == 0x7f)
                        n = snprintf(dst + used, size - used, "\\x%02x", c);
                else
                        n = snprintf(dst + used, size - used, "%c", c);
                if ((size_t)n >= size - used)
                        break;
                used += (size_t)n;
        }
        dst[used] = '\0';
}

int nsm_error_set(struct nsm_error *err, int code, const char *fmt, ...)
{
        int saved = errno;
        char raw[NSM_ERROR_TEXT_MAX];
        va_list ap;

        if (!err || err->code)
                return code;
        va_start(ap, fmt);
        vsnprintf(raw, sizeof raw, fmt, ap);
        va_end(ap);
        copy_printable(err->text, sizeof err->text, raw);
        err->code = code;
        errno = saved;
        return code;
}

void nsm_error_prefix(struct nsm_error *err, const char *fmt, ...)
{
        char prefix[NSM_ERROR_TEXT_MAX], old[NSM_ERROR_TEXT_MAX], clean[NSM_ERROR_TEXT_MAX];
        va_list ap;

        if (!err || !err->code)
                return;
        va_start(ap, fmt);
        vsnprintf(prefix, sizeof prefix, fmt, ap);
        va_end(ap);
        copy_printable(clean, sizeof clean, prefix);
        memcpy(old, err->text, sizeof old);
        if (snprintf(err->text, sizeof err->text, "%s: %s", clean, old) < 0)
                memcpy(err->text, old, sizeof old);
}

void nsm_error_reset(struct nsm_error *err)
{
        if (err)
                *err = (struct nsm_error){ 0 };
}
