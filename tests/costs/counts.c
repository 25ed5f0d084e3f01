/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/costs/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void counts_add(struct counts *counts, const char *name)
{
        unsigned i = 0;

        while (i < counts->n && strcmp(counts->of[i].name, name) != 0)
                i++;
        if (i == COUNTS_MAX)
                nsm_harness_die("more kinds than can be counted");
        if (i == counts->n) {
                counts->of[i].name = name;
                counts->n++;
        }
        counts->of[i].times++;
}

const char *counts_text(struct nsm_world *w, const struct counts *counts)
{
        const char *text = "";

        for (unsigned i = 0; i < counts->n; i++) {
                const char *comma = *text ? ", " : "";
                if (counts->of[i].times == 1)
                        text = nsm_world_printf(w, "%s%s%s", text, comma, counts->of[i].name);
                else if (counts->of[i].times)
                        text = nsm_world_printf(w, "%s%s%s %u", text, comma, counts->of[i].name,
                                                counts->of[i].times);
        }
        return *text ? text : "none";
}

const char *counts_try_name(struct nsm_world *w, size_t row, int try)
{
        return nsm_world_printf(w, "%zu.%d", row, try);
}

bool counts_are_documented(struct nsm_world *w, const char *name, const char *exclusive,
                           const char *shared)
{
        const char *source = getenv("NSM_SOURCE_DIR");
        const char *line = nsm_world_printf(w, "| %s | %s | %s |", name, exclusive,
                                            shared ? shared : "the same");

        if (!source)
                nsm_harness_die("NSM_SOURCE_DIR is not set");
        const char *text = nsm_world_read_file(w, nsm_world_printf(w, "%s/fs/README.md", source));
        if (text && strstr(text, nsm_world_printf(w, "\n%s\n", line)))
                return true;
        fprintf(stderr, "fs/README.md does not say: %s\n", line);
        return false;
}
