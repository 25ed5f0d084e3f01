/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/base/parse.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Reads digits at @*p up to @max and moves @*p behind them. */
static int scan_u64(const char **p, uint64_t max, uint64_t *ret)
{
        const char *s = *p;
        uint64_t value = 0;
        bool past = false;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
                uint64_t digit = (uint64_t)(*s - '0');
                if (value > (max - digit) / 10)
                        past = true;
                else
                        value = value * 10 + digit;
        }
        *p = s;
        if (past)
                return -ERANGE;
        *ret = value;
        return 0;
}

static int parse_bounded(const char *text, uint64_t max, uint64_t *ret)
{
        uint64_t value;
        int r = scan_u64(&text, max, &value);

        if (r == -EINVAL || *text)
                return -EINVAL;
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

int nsm_parse_u64(const char *text, uint64_t *ret)
{
        return parse_bounded(text, UINT64_MAX, ret);
}

int nsm_parse_u32(const char *text, uint32_t *ret)
{
        uint64_t value;
        int r = parse_bounded(text, UINT32_MAX, &value);

        if (r == 0)
                *ret = (uint32_t)value;
        return r;
}

int nsm_parse_pid(const char *text, pid_t *ret)
{
        uint64_t value;
        int r = parse_bounded(text, INT_MAX, &value);

        if (r < 0)
                return r;
        if (value == 0)
                return -ERANGE;
        *ret = (pid_t)value;
        return 0;
}

int nsm_parse_bool(const char *text, bool *ret)
{
        static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
                if (strcmp(text, words[i]) == 0) {
                        *ret = i & 1;
                        return 0;
                }
        }
        return -EINVAL;
}

bool nsm_name_is_valid(const char *name)
{
        size_t n = 0;

        for (; name[n]; n++) {
                char c = name[n];
                bool letter = c >= 'a' && c <= 'z';
                bool later = (c >= '0' && c <= '9') || c == '-';

                if (n >= NSM_NAME_MAX || !(letter || (n > 0 && later)))
                        return false;
        }
        return n > 0;
}

int nsm_parse_u32_list(const char *text, char sep, uint32_t *ret, unsigned n)
{
        uint32_t values[8];
        const char *p = text;

        if (n == 0 || n > sizeof values / sizeof *values)
                return -EINVAL;
        if (sep == ' ')
                p += strspn(p, " \t");
        for (unsigned i = 0; i < n; i++) {
                uint64_t value;
                int r = scan_u64(&p, UINT32_MAX, &value);

                if (r < 0)
                        return r;
                values[i] = (uint32_t)value;
                if (sep == ' ') {
                        size_t blanks = strspn(p, " \t\n");
                        if (blanks == 0 && i + 1 < n)
                                return -EINVAL;
                        p += blanks;
                } else if (i + 1 < n) {
                        if (*p++ != sep)
                                return -EINVAL;
                }
        }
        if (*p)
                return -EINVAL;
        memcpy(ret, values, n * sizeof *values);
        return 0;
}
