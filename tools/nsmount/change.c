/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/change.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "tools/config/edit.h"
#include "tools/config/write.h"
#include "tools/nsmount/remote.h"

#define AUTO_COUNT 65536

/* One line that the file shall have; an empty value: that it shall not have. */
struct line {
        char section[NSM_NAME_MAX + sizeof "volume "];
        const char *key;
        const char *value;
};

struct lines {
        struct line *items;
        size_t n;
        char volume[NSM_NAME_MAX + sizeof "volume "]; /* whose options are being read */
};

/* 0 unless --ids asks for ids of the pool. */
static int read_auto_count(const struct nsm_invocation *inv, uint32_t *ret, struct nsm_error *err)
{
        const char *ids = nsm_invocation_value(inv, "ids");

        *ret = 0;
        if (!ids || strncmp(ids, "auto", 4) != 0)
                return 0;
        if (ids[4] == '\0')
                *ret = AUTO_COUNT;
        else if (ids[4] != ':' || nsm_parse_u32(ids + 5, ret) < 0 || *ret == 0)
                return nsm_usage_error(err, "--ids %s: write auto, auto:COUNT or HOST:COUNT", ids);
        return 0;
}

int nsm_change_choose_ids(const struct nsm_invocation *inv, char **ret, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = NULL;
        uint32_t count, first;
        int r = read_auto_count(inv, &count, err);

        if (r < 0 || count == 0)
                return r;
        r = nsm_config_load(inv->config_dir, &config, err);
        if (r == 0)
                r = nsm_config_find_free_ids(config, count, &first, err);
        if (r == 0 && asprintf(ret, "%" PRIu32 ":%" PRIu32, first, count) < 0)
                r = nsm_error_set(err, -ENOMEM, "out of memory");
        return r;
}

/* --volume NAME=DIR or NAME: names what the next options speak of. */
static int take_volume(struct lines *lines, const char *value, const char **ret_source,
                       struct nsm_error *err)
{
        const char *equals = strchr(value, '=');
        size_t n = equals ? (size_t)(equals - value) : strlen(value);
        char name[NSM_NAME_MAX + 1];

        if (n <= NSM_NAME_MAX) {
                memcpy(name, value, n);
                name[n] = '\0';
        }
        if (n > NSM_NAME_MAX || !nsm_name_is_valid(name))
                return nsm_usage_error(err,
                                       "--volume %s: a volume's name is 1 to %d of a-z, 0-9 and -, "
                                       "and begins with a letter", value, NSM_NAME_MAX);
        snprintf(lines->volume, sizeof lines->volume, "volume %s", name);
        *ret_source = equals ? equals + 1 : NULL;
        return 0;
}

static bool is_of_tenant(const char *option)
{
        return !strcmp(option, "ids") || !strcmp(option, "uid-map") || !strcmp(option, "gid-map") ||
               !strcmp(option, "shared-source");
}

static int take_given(struct lines *lines, const struct nsm_given *given, const char *auto_ids,
                      struct nsm_error *err)
{
        const char *key = given->option->name, *value = given->value;
        bool of_tenant = is_of_tenant(key);
        struct line *line;

        if (strcmp(key, "remove-volume") == 0)
                return 0;
        if (strcmp(key, "volume") == 0) {
                const char *source = NULL;
                int r = take_volume(lines, value, &source, err);

                if (r < 0 || !source)
                        return r;
                value = source;
                key = "source";
        } else if (!of_tenant && !*lines->volume) {
                return nsm_usage_error(err, "--%s speaks of no volume: write --volume before it",
                                       key);
        }
        if (strcmp(key, "ids") == 0 && auto_ids)
                value = auto_ids;
        line = &lines->items[lines->n++];
        *line = (struct line){ .key = key, .value = value };
        snprintf(line->section, sizeof line->section, "%s", of_tenant ? "tenant" : lines->volume);
        return 0;
}

/* uid-map is written with blanks in the file, as /proc has it; on a command line colons do. */
static char *spell(const struct line *line)
{
        char *value = strdup(line->value);

        if (value && (!strcmp(line->key, "uid-map") || !strcmp(line->key, "gid-map"))) {
                for (char *p = value; (p = strchr(p, ':'));)
                        *p = ' ';
        }
        return value;
}

static bool is_same_key(const struct line *a, const struct line *b)
{
        return strcmp(a->section, b->section) == 0 && strcmp(a->key, b->key) == 0;
}

/* All lines from @from on that speak of the same key, as one edit. */
static int apply_key(const struct lines *lines, size_t from, char **text, struct nsm_error *err)
{
        const struct line *first = &lines->items[from];
        char **values = calloc(lines->n, sizeof *values);
        size_t n = 0;
        int r = values ? 0 : -ENOMEM;

        for (size_t i = from; r == 0 && i < lines->n; i++) {
                const struct line *line = &lines->items[i];

                if (!is_same_key(line, first))
                        continue;
                if (*line->value && !(values[n++] = spell(line)))
                        r = -ENOMEM;
        }
        if (r == 0)
                r = nsm_edit_set(text, first->section, first->key, (const char *const *)values, n,
                                 err);
        else
                nsm_error_set(err, r, "out of memory");
        while (n > 0)
                free(values[--n]);
        free(values);
        return r;
}

static bool is_first(const struct lines *lines, size_t at)
{
        for (size_t i = 0; i < at; i++) {
                if (is_same_key(&lines->items[i], &lines->items[at]))
                        return false;
        }
        return true;
}

/* The two ways to say a tenant's ids exclude each other: what is given replaces the other. */
static int drop_other_ids(const struct nsm_invocation *inv, char **text, struct nsm_error *err)
{
        int r = 0;

        if (nsm_invocation_has(inv, "ids")) {
                r = nsm_edit_set(text, "tenant", "uid-map", NULL, 0, err);
                if (r == 0)
                        r = nsm_edit_set(text, "tenant", "gid-map", NULL, 0, err);
        } else if (nsm_invocation_has(inv, "uid-map") || nsm_invocation_has(inv, "gid-map")) {
                r = nsm_edit_set(text, "tenant", "ids", NULL, 0, err);
        }
        return r;
}

int nsm_change_apply(const struct nsm_invocation *inv, const char *auto_ids, char **text,
                     struct nsm_error *err)
{
        cleanup_free struct line *items = calloc(inv->n_given + 1, sizeof *items);
        struct lines lines = { .items = items };
        int r;

        if (!items)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = drop_other_ids(inv, text, err);
        for (size_t i = 0; r == 0 && i < inv->n_given; i++)
                r = take_given(&lines, &inv->given[i], auto_ids, err);
        for (size_t i = 0; r == 0 && i < lines.n; i++) {
                if (is_first(&lines, i))
                        r = apply_key(&lines, i, text, err);
        }
        return r;
}

/* Views of the tenant that differ from what is written now; those of others were so before. */
static void note_changed(const struct nsm_invocation *inv, const char *tenant, const json_t *reply)
{
        cleanup_config struct nsm_config *config = NULL;
        const json_t *view;
        size_t i, n = strlen(tenant);

        if (nsm_config_load(inv->config_dir, &config, NULL) < 0)
                return;
        json_array_foreach (json_object_get(reply, "changed"), i, view) {
                const char *name = json_string_value(view) ?: "";

                if (strncmp(name, tenant, n) == 0 && name[n] == '/')
                        fprintf(stderr,
                                "nsmount: note: %s goes on as it was started, and is closed "
                                "%" PRIu32 " s after its last graft\n", name,
                                config->idle_close_s);
        }
}

/* A missing configuration directory is made, but never silently, and only for a new tenant. */
int nsm_change_lock(const struct nsm_invocation *inv, bool create, struct nsm_error *err)
{
        bool missing = access(inv->config_dir, F_OK) < 0 && errno == ENOENT;
        int fd;

        if (missing && !create)
                return nsm_error_set(err, -ENOENT,
                                     "%s: there is no such configuration directory, and no tenant "
                                     "'%s': name another with --config", inv->config_dir,
                                     inv->args[0]);
        fd = nsm_config_lock(inv->config_dir, err);
        if (fd >= 0 && missing)
                fprintf(stderr, "nsmount: note: made the configuration directory %s\n",
                        inv->config_dir);
        return fd;
}

int nsm_change_commit(const struct nsm_invocation *inv, const char *tenant, const char *old,
                      const char *text, struct nsm_error *err)
{
        cleanup_json json_t *reply = NULL;
        struct nsm_error why = { 0 };
        int r = nsm_config_write_tenant(inv->config_dir, tenant, text, err);

        if (r < 0)
                return r;
        r = nsm_remote_call(inv, "Reload", json_object(), -1, &reply, &why);
        if (r == 0)
                note_changed(inv, tenant, reply);
        if (r == -ECONNREFUSED) /* it reads the files when it starts */
                fprintf(stderr, "nsmount: note: nsmountd does not run: this takes effect when it "
                        "starts\n");
        if (r == 0 || r == -ECONNREFUSED)
                return 0;
        if (nsm_config_write_tenant(inv->config_dir, tenant, old, NULL) < 0)
                return nsm_error_set(err, r, "%s is written, but nsmountd refused it: %s", tenant,
                                     why.text);
        return nsm_error_set(err, r, "nothing changed, because nsmountd refused it: %s", why.text);
}

int nsm_change_print(const struct nsm_invocation *inv, const char *name, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = NULL;
        cleanup_free char *ids = NULL;
        const struct nsm_tenant *tenant;
        int r = nsm_config_load(inv->config_dir, &config, err);

        if (r < 0)
                return r;
        tenant = nsm_config_find_tenant(config, name, err);
        if (!tenant)
                return -ENOENT;
        ids = nsm_output_host_ids(tenant);
        printf("%s: host ids %s, volumes", tenant->name, ids ? ids : "?");
        for (size_t i = 0; i < tenant->n_volumes; i++)
                printf("%s %s", i ? "," : "", tenant->volumes[i].name);
        puts("");
        return 0;
}
