/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Part of a line, without the blanks around it. */
struct slice {
        const char *p;
        size_t n;
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(const char *p, size_t n)
{
        while (n > 0 && is_blank(*p)) {
                p++;
                n--;
        }
        while (n > 0 && is_blank(p[n - 1]))
                n--;
        return (struct slice){ p, n };
}

static int copy_slice(struct slice from, char *to, size_t max, const char *what,
                      struct nsm_error *err)
{
        if (from.n > max)
                return nsm_error_set(err, -EINVAL, "%s of %zu bytes is too long: %zu at most", what,
                                     from.n, max);
        for (size_t i = 0; i < from.n; i++) {
                unsigned char c = (unsigned char)from.p[i];
                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        return nsm_error_set(err, -EINVAL,
                                             "%s holds the control character 0x%02x: remove it",
                                             what, c);
        }
        memcpy(to, from.p, from.n);
        to[from.n] = '\0';
        return 0;
}

static int read_section(struct slice line, struct nsm_ini_line *ret, struct nsm_error *err)
{
        if (line.n < 3 || line.p[line.n - 1] != ']')
                return nsm_error_set(err, -EINVAL,
                                     "a section is written [name], with nothing behind it");
        ret->kind = NSM_INI_SECTION;
        return copy_slice(trim(line.p + 1, line.n - 2), ret->name, NSM_INI_NAME_MAX,
                          "the section's name", err);
}

static int read_setting(struct slice line, struct nsm_ini_line *ret, struct nsm_error *err)
{
        const char *equals = memchr(line.p, '=', line.n);
        struct slice name, value;
        int r;

        if (!equals || equals == line.p)
                return nsm_error_set(err, -EINVAL,
                                     "neither [section] nor KEY = VALUE; a comment begins with #");
        name = trim(line.p, (size_t)(equals - line.p));
        value = trim(equals + 1, line.n - (size_t)(equals + 1 - line.p));
        r = copy_slice(name, ret->name, NSM_INI_NAME_MAX, "the key", err);
        if (r == 0)
                r = copy_slice(value, ret->value, NSM_INI_VALUE_MAX, "the value", err);
        ret->kind = NSM_INI_SETTING;
        return r;
}

int nsm_ini_next(struct nsm_ini_scanner *scanner, struct nsm_ini_line *ret, struct nsm_error *err)
{
        const char *begin = scanner->text + scanner->at;
        size_t left = scanner->size - scanner->at, n;
        const char *newline;
        struct slice line;
        int r = 0;

        if (left == 0)
                return 0;
        newline = memchr(begin, '\n', left);
        n = newline ? (size_t)(newline - begin) : left;
        scanner->line++;
        ret->kind = NSM_INI_BLANK;
        ret->name[0] = ret->value[0] = '\0';
        ret->begin = scanner->at;
        scanner->at += newline ? n + 1 : n;
        ret->end = scanner->at;

        line = trim(begin, n);
        if (line.n > 0 && line.p[0] == '[')
                r = read_section(line, ret, err);
        else if (line.n > 0 && line.p[0] != '#' && line.p[0] != ';')
                r = read_setting(line, ret, err);
        return r < 0 ? r : 1;
}
