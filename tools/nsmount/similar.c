/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/similar.h"

#include <stdint.h>
#include <string.h>

#include "tools/nsmount/command.h"

#define WORD_MAX 16 /* no subcommand's word is longer */
#define TYPOS_MAX 2

static size_t min(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* How many letters to add, drop or replace, to make one of the other (Levenshtein). */
static size_t count_typos(const char *a, const char *b)
{
        size_t n = strlen(b), row[WORD_MAX + 1];

        if (strlen(a) > WORD_MAX || n > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 0; a[i]; i++) {
                size_t corner = row[0];

                row[0] = i + 1;
                for (size_t j = 0; j < n; j++) {
                        size_t replaced = corner + (a[i] != b[j]);

                        corner = row[j + 1];
                        row[j + 1] = min(replaced, min(corner, row[j]) + 1);
                }
        }
        return row[n];
}

/* Half of a word must be right, and the first letter counts: "umount" is "unmount", not "mount". */
static size_t rate(const char *word, const char *name)
{
        size_t typos = count_typos(word, name);

        if (typos > TYPOS_MAX || 2 * typos > strlen(word))
                return SIZE_MAX;
        return 2 * typos + (word[0] != name[0]);
}

const char *nsm_similar_find(const char *word)
{
        size_t least = rate(word, "tenant");
        const char *best = least < SIZE_MAX ? "tenant" : NULL;

        for (const struct nsm_command *const *p = nsm_commands; *p; p++) {
                const char *space = strchr((*p)->name, ' ');
                size_t rating = rate(word, space ? space + 1 : (*p)->name);

                if (rating < least) {
                        least = rating;
                        best = (*p)->name;
                }
        }
        return best;
}
