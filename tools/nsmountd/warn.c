/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts below a source, which its view does not cross. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/cleanup.h"
#include "mountns/table.h"
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

/*
 * Those lines of our mountinfo that could be of mounts below @source. A host with
 * many containers has thousands of mounts, and libmount takes its time over each.
 */
static char *read_lines(const char *source)
{
        cleanup_file FILE *in = fopen("/proc/self/mountinfo", "re");
        cleanup_free char *line = NULL, *text = NULL;
        bool is_escaped = strpbrk(source, " \t\n\\"); /* as \040 and so on (proc(5)) */
        size_t size = 0, room = 0;
        FILE *out = in ? open_memstream(&text, &size) : NULL;

        while (out && getline(&line, &room, in) > 0)
                if (is_escaped || strstr(line, source))
                        fputs(line, out);
        return out && fclose(out) == 0 ? nsm_take_ptr(text) : NULL;
}

void view_warn_of_mounts(const struct view *view, json_t *warnings)
{
        cleanup_free char *lines = read_lines(view->source);
        cleanup_table struct nsm_table table = { 0 };
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs;
        char text[1024];
        unsigned n = 0;

        if (lines && nsm_table_parse(lines, &table, NULL) == 0)
                while (iter && mnt_table_next_fs(table.mounts, iter, &fs) == 0) {
                        const char *target = mnt_fs_get_target(fs);

                        if (!target || !is_below(target, view->source) || ++n > MOUNTS_NAMED_MAX)
                                continue;
                        snprintf(text, sizeof text, "%.900s is a mount of its own below the "
                                 "source: it is not crossed, and appears as an empty directory",
                                 target);
                        json_array_append_new(warnings, json_string(text));
                }
        if (n > MOUNTS_NAMED_MAX) {
                snprintf(text, sizeof text, "%u more mounts below the source are not crossed",
                         n - MOUNTS_NAMED_MAX);
                json_array_append_new(warnings, json_string(text));
        }
        mnt_free_iter(iter);
}
