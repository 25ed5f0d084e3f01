/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/edit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "tools/config/ini.h"

/* Where a section lies in a text. */
struct region {
        bool found;
        size_t begin; /* of its own line */
        size_t body;  /* behind its own line */
        size_t last;  /* behind its last line that is not blank and no comment */
        size_t end;   /* of all, comments before the next section included */
};

static int find_region(const char *text, const char *section, struct region *ret,
                       struct nsm_error *err)
{
        struct nsm_ini_scanner scanner = { .text = text, .size = strlen(text) };
        struct nsm_ini_line line;
        bool inside = false;
        int r;

        *ret = (struct region){ 0 };
        while ((r = nsm_ini_next(&scanner, &line, err)) > 0) {
                if (line.kind == NSM_INI_SECTION) {
                        inside = strcmp(line.name, section) == 0;
                        if (inside)
                                *ret = (struct region){ true, line.begin, line.end, line.end, 0 };
                }
                if (!inside)
                        continue;
                ret->end = line.end;
                if (line.kind != NSM_INI_BLANK)
                        ret->last = line.end;
        }
        return r;
}

static int check_value(const char *key, const char *value, struct nsm_error *err)
{
        size_t n = strlen(value);

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)value[i];
                if (c < 0x20 || c == 0x7f)
                        return nsm_error_set(err, -EINVAL,
                                             "%s = %s: a line cannot hold a control character", key,
                                             value);
        }
        if (n == 0 || value[0] == ' ' || value[n - 1] == ' ')
                return nsm_error_set(err, -EINVAL,
                                     "%s = '%s': a value is not empty, and has no blanks around it",
                                     key, value);
        return 0;
}

static void write_values(FILE *out, const char *key, const char *const *values, size_t n)
{
        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s = %s\n", key, values[i]);
}

/* Copies text[from..to), and makes sure that a line ends there. */
static void copy_lines(FILE *out, const char *text, size_t from, size_t to)
{
        if (to <= from)
                return;
        fwrite(text + from, 1, to - from, out);
        if (text[to - 1] != '\n')
                fputc('\n', out);
}

/* Copies a section's settings without @key's; the new values stand where its first was. */
static void write_body(FILE *out, const char *text, const struct region *region, const char *key,
                       const char *const *values, size_t n)
{
        struct nsm_ini_scanner scanner = { .text = text, .size = region->last, .at = region->body };
        struct nsm_ini_line line;
        bool written = false;

        while (nsm_ini_next(&scanner, &line, NULL) > 0) {
                if (line.kind != NSM_INI_SETTING || strcmp(line.name, key) != 0) {
                        copy_lines(out, text, line.begin, line.end);
                } else if (!written) {
                        write_values(out, key, values, n);
                        written = true;
                }
        }
        if (!written)
                write_values(out, key, values, n);
}

int nsm_edit_set(char **text, const char *section, const char *key, const char *const *values,
                 size_t n, struct nsm_error *err)
{
        struct region region;
        char *edited = NULL;
        size_t size;
        FILE *out;
        int r = find_region(*text, section, &region, err);

        for (size_t i = 0; r == 0 && i < n; i++)
                r = check_value(key, values[i], err);
        if (r < 0 || (!region.found && n == 0))
                return r;
        out = open_memstream(&edited, &size);
        if (!out)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        if (region.found) {
                copy_lines(out, *text, 0, region.body);
                write_body(out, *text, &region, key, values, n);
                copy_lines(out, *text, region.last, strlen(*text));
        } else {
                copy_lines(out, *text, 0, strlen(*text));
                fprintf(out, "%s[%s]\n", **text ? "\n" : "", section);
                write_values(out, key, values, n);
        }
        if (fclose(out) != 0) {
                free(edited);
                return nsm_error_set(err, -ENOMEM, "out of memory");
        }
        free(*text);
        *text = edited;
        return 0;
}

int nsm_edit_remove_section(char **text, const char *section, struct nsm_error *err)
{
        struct region region;
        int r = find_region(*text, section, &region, err);

        if (r < 0)
                return r;
        if (!region.found)
                return nsm_error_set(err, -ENOENT, "there is no [%s]", section);
        memmove(*text + region.begin, *text + region.end, strlen(*text + region.end) + 1);
        return 0;
}
