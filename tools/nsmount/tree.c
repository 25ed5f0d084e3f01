/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/tree.h"

#include <string.h>

#define PIDS_SHOWN 8 /* of one container; --json has them all */

/* What stands in front of a line: of one that has others behind it, and of the last. */
struct strokes {
        const char *more, *last;   /* before the item itself */
        const char *beside, *none; /* before what belongs to it */
        const char *to;            /* between the two sides of a map */
};

static const struct strokes lines_utf8 = { "├─ ", "└─ ", "│  ", "   ", "→" };
static const struct strokes lines_ascii = { "|- ", "`- ", "|  ", "   ", "->" };

struct tree {
        FILE *out;
        const json_t *list;
        const struct strokes *s;
        int view_width; /* of the longest view's name */
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "?";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
        return json_is_true(json_object_get(object, key));
}

static bool belongs(const json_t *object, const char *key, const char *name)
{
        return strcmp(text_of(object, key), name) == 0;
}

/* How many of the list @which have @key = @name. */
static size_t count(const struct tree *t, const char *which, const char *key, const char *name)
{
        const json_t *object;
        size_t i, n = 0;

        json_array_foreach (json_object_get(t->list, which), i, object)
                n += belongs(object, key, name);
        return n;
}

static void print_size(FILE *out, json_int_t bytes)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        double size = (double)bytes;
        unsigned unit = 0;

        for (; size >= 1024 && unit < 4; unit++)
                size /= 1024;
        fprintf(out, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void print_plural(FILE *out, json_int_t n, const char *one, const char *many)
{
        fprintf(out, "%" JSON_INTEGER_FORMAT " %s", n, n == 1 ? one : many);
}

static void print_extents(const struct tree *t, const json_t *extents)
{
        const json_t *e;
        size_t i;

        json_array_foreach (extents, i, e) {
                json_int_t in = number_of(e, "inside"), out = number_of(e, "outside");
                json_int_t n = number_of(e, "count");

                fprintf(t->out, "%s%" JSON_INTEGER_FORMAT, i ? ", " : "", in);
                if (n > 1)
                        fprintf(t->out, "..%" JSON_INTEGER_FORMAT, in + n - 1);
                fprintf(t->out, " %s %" JSON_INTEGER_FORMAT, t->s->to, out);
                if (n > 1)
                        fprintf(t->out, "..%" JSON_INTEGER_FORMAT, out + n - 1);
        }
}

static void print_tenant_line(const struct tree *t, const json_t *tenant)
{
        const json_t *uids = json_object_get(tenant, "uids");
        const json_t *gids = json_object_get(tenant, "gids");

        fprintf(t->out, "%s  ids ", text_of(tenant, "name"));
        print_extents(t, uids);
        if (!json_equal(uids, gids)) {
                fputs("; groups ", t->out);
                print_extents(t, gids);
        }
        fputc('\n', t->out);
}

static void print_counters(const struct tree *t, const json_t *view)
{
        print_plural(t->out, number_of(view, "requests"), "request", "requests");
        fputs(", ", t->out);
        print_plural(t->out, number_of(view, "errors"), "error", "errors");
        fputs(", ", t->out);
        print_plural(t->out, number_of(view, "descriptors"), "descriptor", "descriptors");
        fputs(", ", t->out);
        print_plural(t->out, number_of(view, "inodes"), "inode", "inodes");
        fputs(" in ", t->out);
        print_size(t->out, number_of(view, "tableBytes"));
        fputc('\n', t->out);
}

static void print_grafts(const struct tree *t, const char *before, const char *view)
{
        size_t i, left = count(t, "grafts", "view", view);
        const json_t *graft;

        json_array_foreach (json_object_get(t->list, "grafts"), i, graft) {
                if (!belongs(graft, "view", view))
                        continue;
                fprintf(t->out, "%s%s%s at %s", before, --left ? t->s->more : t->s->last,
                        text_of(graft, "name"), text_of(graft, "path"));
                if (belongs(graft, "kind", "host"))
                        fputs(" of the host\n", t->out);
                else
                        fprintf(t->out, " of mnt:[%" JSON_INTEGER_FORMAT "], pid %"
                                JSON_INTEGER_FORMAT "\n", number_of(graft, "mountNamespace"),
                                number_of(graft, "pid"));
        }
}

static void print_view(const struct tree *t, const json_t *view, bool last)
{
        const char *name = text_of(view, "name");
        const char *beside = last ? t->s->none : t->s->beside;
        const char *stem = count(t, "grafts", "view", name) > 0 ? t->s->beside : t->s->none;

        fprintf(t->out, "%sview %-*s  %s  %-8s  pid %" JSON_INTEGER_FORMAT "  dev %s\n",
                last ? t->s->last : t->s->more, t->view_width, name,
                is_true(view, "readOnly") ? "ro" : "rw", text_of(view, "state"),
                number_of(view, "pid"), text_of(view, "device"));
        fprintf(t->out, "%s%s%s over %s, %s%s%s, quota %s, changes by others: %s\n", beside, stem,
                text_of(view, "engine"), text_of(view, "transport"),
                is_true(view, "passthrough") ? "passthrough" : "no passthrough",
                is_true(view, "unopenedDirectories") ? ", unopened directories" : "",
                is_true(view, "nearCallers") ? ", near callers" : "",
                text_of(view, "quota"), text_of(view, "changes"));
        fprintf(t->out, "%s%s", beside, stem);
        print_counters(t, view);
        print_grafts(t, beside, name);
}

static void print_container(const struct tree *t, const json_t *container, bool last)
{
        const json_t *pids = json_object_get(container, "pids"), *item;
        size_t i, n = json_array_size(pids);

        fprintf(t->out, "%scontainer mnt:[%" JSON_INTEGER_FORMAT "]  pids",
                last ? t->s->last : t->s->more, number_of(container, "mountNamespace"));
        for (i = 0; i < n && i < PIDS_SHOWN; i++)
                fprintf(t->out, " %" JSON_INTEGER_FORMAT,
                        json_integer_value(json_array_get(pids, i)));
        if (n > PIDS_SHOWN)
                fprintf(t->out, " and %zu more", n - PIDS_SHOWN);
        fputs("  grafts", t->out);
        json_array_foreach (json_object_get(container, "grafts"), i, item)
                fprintf(t->out, " %s", json_string_value(item) ?: "?");
        fputc('\n', t->out);
}

/* A tenant that left the configuration while its views live is shown by its name alone. */
static void print_branches(const struct tree *t, const char *tenant)
{
        size_t left = count(t, "views", "tenant", tenant) +
                      count(t, "containers", "tenant", tenant);
        const json_t *item;
        size_t i;

        json_array_foreach (json_object_get(t->list, "views"), i, item) {
                if (belongs(item, "tenant", tenant))
                        print_view(t, item, --left == 0);
        }
        json_array_foreach (json_object_get(t->list, "containers"), i, item) {
                if (belongs(item, "tenant", tenant))
                        print_container(t, item, --left == 0);
        }
}

static bool is_configured(const struct tree *t, const char *tenant)
{
        return count(t, "tenants", "name", tenant) > 0;
}

static void print_leftovers(const struct tree *t)
{
        const json_t *views = json_object_get(t->list, "views"), *view, *before;
        size_t i, j;

        json_array_foreach (views, i, view) {
                const char *tenant = text_of(view, "tenant");
                bool seen = is_configured(t, tenant);

                for (j = 0; !seen && j < i; j++) {
                        before = json_array_get(views, j);
                        seen = belongs(before, "tenant", tenant);
                }
                if (seen)
                        continue;
                fprintf(t->out, "%s  no longer configured\n", tenant);
                print_branches(t, tenant);
        }
}

void nsm_tree_print(FILE *out, const json_t *list, bool utf8)
{
        struct tree t = { .out = out, .list = list, .s = utf8 ? &lines_utf8 : &lines_ascii };
        const json_t *item;
        size_t i;

        json_array_foreach (json_object_get(list, "views"), i, item) {
                int n = (int)strlen(text_of(item, "name"));
                t.view_width = n > t.view_width ? n : t.view_width;
        }
        json_array_foreach (json_object_get(list, "tenants"), i, item) {
                print_tenant_line(&t, item);
                print_branches(&t, text_of(item, "name"));
        }
        print_leftovers(&t);
}
