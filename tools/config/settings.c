/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/config/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/parse.h"
#include "tools/config/ini.h"

/* What many an INI dialect would take for a comment, and we for a part of the value. */
static bool has_comment(const char *value)
{
        return strstr(value, " #") || strstr(value, " ;");
}

int nsm_setting_error(struct nsm_error *err, int code, const struct nsm_setting *setting,
                      const char *fmt, ...)
{
        char text[NSM_ERROR_TEXT_MAX];
        const char *hint;
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (!setting->key && setting->line == 0)
                return nsm_error_set(err, code, "%s: %s: %s", setting->file, setting->section,
                                     text);
        if (!setting->key)
                return nsm_error_set(err, code, "%s:%u: [%s]: %s", setting->file, setting->line,
                                     setting->section, text);
        if (setting->line == 0)
                return nsm_error_set(err, code, "%s: %s%s%s = %s: %s", setting->file,
                                     strcmp(setting->section, "tenant") ? setting->section : "",
                                     strcmp(setting->section, "tenant") ? ": " : "", setting->key,
                                     setting->value, text);
        hint = has_comment(setting->value) ? "; a comment has a line of its own" : "";
        return nsm_error_set(err, code, "%s:%u: %s = %s: %s%s", setting->file, setting->line,
                             setting->key, setting->value, text, hint);
}

void nsm_settings_clear(struct nsm_settings *list)
{
        for (size_t i = 0; i < list->n; i++) {
                free(list->items[i].section);
                free(list->items[i].key);
                free(list->items[i].value);
        }
        for (size_t i = 0; i < list->n_files; i++)
                free(list->files[i]);
        free(list->items);
        free(list->files);
        *list = (struct nsm_settings){ 0 };
}

static int add_file(struct nsm_settings *list, const char *path, const char **ret)
{
        char **files = reallocarray(list->files, list->n_files + 1, sizeof *files);

        if (!files)
                return -ENOMEM;
        list->files = files;
        files[list->n_files] = strdup(path);
        if (!files[list->n_files])
                return -ENOMEM;
        *ret = files[list->n_files++];
        return 0;
}

static int add_item(struct nsm_settings *list, const char *file, unsigned line, const char *section,
                    const char *key, const char *value)
{
        struct nsm_setting *item;

        if (list->n == list->room) {
                size_t room = list->room ? 2 * list->room : 16;
                struct nsm_setting *items = reallocarray(list->items, room, sizeof *items);
                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->room = room;
        }
        item = &list->items[list->n++];
        *item = (struct nsm_setting){ .file = file, .line = line, .section = strdup(section) };
        if (key) {
                item->key = strdup(key);
                item->value = strdup(value);
        }
        return item->section && (!key || (item->key && item->value)) ? 0 : -ENOMEM;
}

/* The same section or key in the same file, or NULL. @key NULL looks for a section. */
static const struct nsm_setting *find_twin(const struct nsm_settings *list, size_t from,
                                           const char *section, const char *key)
{
        for (size_t i = from; i < list->n; i++) {
                const struct nsm_setting *s = &list->items[i];
                if (strcmp(s->section, section) != 0 || !s->key != !key)
                        continue;
                if (!key || strcmp(s->key, key) == 0)
                        return s;
        }
        return NULL;
}

/* The kind of section that [@section] is, or NULL. */
static const struct nsm_section_spec *find_spec(const struct nsm_section_spec *specs,
                                                const char *section)
{
        for (; specs->name; specs++) {
                size_t n = strlen(specs->name);

                if (strncmp(section, specs->name, n) != 0)
                        continue;
                if (section[n] == (specs->takes_name ? ' ' : '\0'))
                        return specs;
        }
        return NULL;
}

/* Writes "a, b, c" for the names that a person could have meant. */
static const char *join(char *buf, size_t size, const char *text)
{
        size_t used = strlen(buf);

        snprintf(buf + used, size - used, "%s%s", used ? ", " : "", text);
        return buf;
}

static int check_section(const struct nsm_section_spec *specs, const char *section,
                         struct nsm_error *err)
{
        const struct nsm_section_spec *spec = find_spec(specs, section);
        char names[256] = "", one[64];

        if (spec && spec->takes_name && !nsm_name_is_valid(section + strlen(spec->name) + 1))
                return nsm_error_set(err, -EINVAL,
                                     "[%s]: a %s's name is 1 to %d of a-z, 0-9 and -, and begins "
                                     "with a letter",
                                     section, spec->name, NSM_NAME_MAX);
        if (spec)
                return 0;
        for (; specs->name; specs++) {
                snprintf(one, sizeof one, "[%s%s]", specs->name, specs->takes_name ? " NAME" : "");
                join(names, sizeof names, one);
        }
        return nsm_error_set(err, -EINVAL, "[%s]: unknown section; there are %s", section, names);
}

static int check_key(const struct nsm_section_spec *spec, const char *section, const char *key,
                     bool *ret_repeatable, struct nsm_error *err)
{
        char names[256] = "";

        for (const struct nsm_key_spec *k = spec->keys; k->name; k++) {
                if (strcmp(k->name, key) == 0) {
                        *ret_repeatable = k->repeatable;
                        return 0;
                }
                join(names, sizeof names, k->name);
        }
        return nsm_error_set(err, -EINVAL, "%s: unknown key; [%s] has %s", key, section, names);
}

/* One text being added. */
struct adding {
        struct nsm_settings *list;
        const struct nsm_section_spec *specs;
        const char *file;
        size_t from; /* first item of this file */
        unsigned line;
        char section[NSM_INI_NAME_MAX + 1];
};

static int add_section(struct adding *a, const char *name, struct nsm_error *err)
{
        const struct nsm_setting *twin = find_twin(a->list, a->from, name, NULL);
        int r = check_section(a->specs, name, err);

        if (r < 0)
                return r;
        if (twin)
                return nsm_error_set(err, -EINVAL,
                                     "[%s] is there already in line %u: make one of the two", name,
                                     twin->line);
        snprintf(a->section, sizeof a->section, "%s", name);
        return add_item(a->list, a->file, a->line, name, NULL, NULL);
}

static int add_setting(struct adding *a, const char *key, const char *value, struct nsm_error *err)
{
        const struct nsm_setting *twin;
        bool repeatable = false;
        int r;

        if (!*a->section)
                return nsm_error_set(err, -EINVAL,
                                     "%s stands before any section: write [section] above it", key);
        r = check_key(find_spec(a->specs, a->section), a->section, key, &repeatable, err);
        if (r < 0)
                return r;
        twin = find_twin(a->list, a->from, a->section, key);
        if (twin && !repeatable && a->line == 0)
                return nsm_error_set(err, -EINVAL, "%s: %s is given twice", a->section, key);
        if (twin && !repeatable)
                return nsm_error_set(err, -EINVAL,
                                     "%s is set already in line %u: remove one of the two", key,
                                     twin->line);
        return add_item(a->list, a->file, a->line, a->section, key, value);
}

int nsm_settings_add_text(struct nsm_settings *list, const char *path, const char *text,
                          size_t size, const struct nsm_section_spec *specs,
                          struct nsm_error *err)
{
        struct nsm_ini_scanner scanner = { .text = text, .size = size };
        struct adding a = { .list = list, .specs = specs, .from = list->n };
        struct nsm_ini_line line;
        struct nsm_error why = { 0 };
        int r = add_file(list, path, &a.file);

        while (r == 0) {
                r = nsm_ini_next(&scanner, &line, &why);
                if (r <= 0)
                        break;
                a.line = list->unwritten ? 0 : scanner.line;
                r = 0;
                if (line.kind == NSM_INI_SECTION)
                        r = add_section(&a, line.name, &why);
                else if (line.kind == NSM_INI_SETTING)
                        r = add_setting(&a, line.name, line.value, &why);
        }
        if (r < 0 && list->unwritten)
                nsm_error_set(err, r, "%s: %s", path, why.code ? why.text : strerror(-r));
        else if (r < 0)
                nsm_error_set(err, r, "%s:%u: %s", path, scanner.line,
                              why.code ? why.text : strerror(-r));
        return r;
}

static bool is_named(const struct nsm_setting *s, const char *section, const char *key)
{
        return s->key && strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0;
}

const struct nsm_setting *nsm_settings_get(const struct nsm_settings *list, const char *section,
                                           const char *key)
{
        const struct nsm_setting *last = NULL;

        for (size_t i = 0; i < list->n; i++) {
                if (is_named(&list->items[i], section, key))
                        last = &list->items[i];
        }
        return last && *last->value ? last : NULL;
}

const struct nsm_setting *nsm_settings_next(const struct nsm_settings *list, const char *section,
                                            const char *key, size_t *at)
{
        if (*at == 0) {
                for (size_t i = 0; i < list->n; i++) {
                        const struct nsm_setting *s = &list->items[i];
                        if (is_named(s, section, key) && !*s->value)
                                *at = i + 1;
                }
        }
        for (; *at < list->n; ++*at) {
                if (is_named(&list->items[*at], section, key))
                        return &list->items[(*at)++];
        }
        return NULL;
}

const struct nsm_setting *nsm_settings_find_section(const struct nsm_settings *list,
                                                    const char *section)
{
        for (size_t i = 0; i < list->n; i++) {
                if (!list->items[i].key && strcmp(list->items[i].section, section) == 0)
                        return &list->items[i];
        }
        return NULL;
}
