/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of one tenant, or of the daemon, say: sections and settings
 * with the place where each stands, before anybody asks what they mean. Inside
 * tools/config only.
 */
#ifndef NSM_CONFIG_SETTINGS_H
#define NSM_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/base/error.h"

struct nsm_setting {
        const char *file; /* owned by the list */
        unsigned line;    /* 0: it stands in no file yet */
        char *section;
        char *key; /* NULL: the section's own line */
        char *value;
};

struct nsm_settings {
        size_t n_files, n, room;
        char **files;
        struct nsm_setting *items; /* in the order of the files and lines */
        bool unwritten;            /* what is added now stands in no file: its lines say nothing */
};

/* What a kind of file may hold. Both arrays end with a name that is NULL. */
struct nsm_key_spec {
        const char *name;
        bool repeatable; /* may stand more than once in a section */
};

struct nsm_section_spec {
        const char *name;
        bool takes_name; /* written [name NAME] */
        const struct nsm_key_spec *keys;
};

/*
 * Adds what the file @path with the content @text says. Sections and keys that
 * @specs does not know are refused, and so are a section, and a key that is not
 * repeatable, that stand in one file twice. -EINVAL or -ENOMEM; @err names file
 * and line.
 */
int nsm_settings_add_text(struct nsm_settings *list, const char *path, const char *text,
                          size_t size, const struct nsm_section_spec *specs,
                          struct nsm_error *err);

void nsm_settings_clear(struct nsm_settings *list);

/*
 * The last setting of that name: a drop-in's word counts. NULL when there is
 * none, or when the last one is empty.
 */
const struct nsm_setting *nsm_settings_get(const struct nsm_settings *list, const char *section,
                                           const char *key);

/*
 * One after the other for a repeatable key: @at starts at 0. What stands before
 * an empty value is forgotten. NULL at the end.
 */
const struct nsm_setting *nsm_settings_next(const struct nsm_settings *list, const char *section,
                                            const char *key, size_t *at);

/* The first line of a section, or NULL. */
const struct nsm_setting *nsm_settings_find_section(const struct nsm_settings *list,
                                                    const char *section);

/* Records "FILE:LINE: key = value: ...", or "tenant NAME: ..." of a change; returns @code. */
int nsm_setting_error(struct nsm_error *err, int code, const struct nsm_setting *setting,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define cleanup_settings __attribute__((cleanup(nsm_settings_clear)))

#endif
