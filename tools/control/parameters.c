/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/parameters.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "fs/base/parse.h"

enum type { TYPE_NAME, TYPE_PATH, TYPE_INDEX, TYPE_BOOL };

static const struct field {
        const char *name;
        unsigned bit;
        enum type type;
        size_t offset;
} fields[] = {
#define FIELD(name, bit, type, member) \
        { name, NSM_PARAMETER_##bit, type, offsetof(struct nsm_parameters, member) }
        FIELD("tenant", TENANT, TYPE_NAME, tenant),
        FIELD("volume", VOLUME, TYPE_NAME, volume),
        FIELD("at", AT, TYPE_PATH, at),
        FIELD("graft", GRAFT, TYPE_NAME, graft),
        FIELD("directory", DIRECTORY, TYPE_PATH, directory),
        FIELD("container", CONTAINER, TYPE_INDEX, container),
        FIELD("readOnly", READ_ONLY, TYPE_BOOL, read_only),
        FIELD("api", API, TYPE_BOOL, api),
        FIELD("force", FORCE, TYPE_BOOL, force),
        FIELD("kill", KILL, TYPE_BOOL, kill),
        FIELD("suid", SUID, TYPE_BOOL, suid),
#undef FIELD
};

static const struct field *find_field(const char *name, unsigned known)
{
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
                if ((fields[i].bit & known) && strcmp(fields[i].name, name) == 0)
                        return &fields[i];
        return NULL;
}

/* A string that C can hold whole: within its limit, and without a NUL in it. */
static bool is_plain(const json_t *value, size_t max)
{
        const char *text = json_string_value(value);

        return text && *text && json_string_length(value) < max &&
               strlen(text) == json_string_length(value);
}

static bool take_value(const struct field *field, const json_t *value, struct nsm_parameters *ret)
{
        void *at = (char *)ret + field->offset;

        switch (field->type) {
        case TYPE_NAME:
                if (!is_plain(value, NSM_NAME_MAX + 1) ||
                    !nsm_name_is_valid(json_string_value(value)))
                        return false;
                *(const char **)at = json_string_value(value);
                return true;
        case TYPE_PATH:
                if (!is_plain(value, NSM_PARAMETER_PATH_MAX))
                        return false;
                *(const char **)at = json_string_value(value);
                return true;
        case TYPE_INDEX:
                if (!json_is_integer(value) || json_integer_value(value) < 0 ||
                    json_integer_value(value) > INT_MAX)
                        return false;
                *(int *)at = (int)json_integer_value(value);
                return true;
        case TYPE_BOOL:
                if (!json_is_boolean(value))
                        return false;
                *(bool *)at = json_is_true(value);
                return true;
        }
        return false;
}

int nsm_parameters_parse(const json_t *json, unsigned known, unsigned required,
                         struct nsm_parameters *ret, const char **ret_bad)
{
        struct nsm_parameters parsed = { .container = -1, .api = true };
        unsigned seen = 0;
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)json, key, value) {
                const struct field *field = find_field(key, known);

                if (field && json_is_null(value))
                        continue;
                if (!field || !take_value(field, value, &parsed)) {
                        *ret_bad = key;
                        return -EINVAL;
                }
                seen |= field->bit;
        }
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
                if (fields[i].bit & required & ~seen) {
                        *ret_bad = fields[i].name;
                        return -EINVAL;
                }
        *ret = parsed;
        return 0;
}
