/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts below a source, which its view does not cross. */
#include <libmount/libmount.h>
#include <stdio.h>
#include <string.h>

#include "tools/nsmountd/view.h"

/* Named; more are counted. */
#define MOUNTS_NAMED_MAX 8

static bool is_below(const char *path, const char *directory)
{
        size_t n = strlen(directory);

        if (n > 0 && directory[n - 1] == '/')
                n--;
        return strncmp(path, directory, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

void view_warn_of_mounts(const struct view *view, json_t *warnings)
{
        struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs;
        char text[1024];
        unsigned n = 0;

        while (table && iter && mnt_table_next_fs(table, iter, &fs) == 0) {
                const char *target = mnt_fs_get_target(fs);

                if (!target || !is_below(target, view->source) || ++n > MOUNTS_NAMED_MAX)
                        continue;
                snprintf(text, sizeof text, "%.900s is a mount of its own below the source: it is "
                         "not crossed, and appears as an empty directory", target);
                json_array_append_new(warnings, json_string(text));
        }
        if (n > MOUNTS_NAMED_MAX) {
                snprintf(text, sizeof text, "%u more mounts below the source are not crossed",
                         n - MOUNTS_NAMED_MAX);
                json_array_append_new(warnings, json_string(text));
        }
        mnt_free_iter(iter);
        mnt_unref_table(table);
}
