/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the text of a configuration file line by line: sections, settings, and
 * comments on their own line. Pure.
 *
 * Why not inih: as distributions build it, it cuts a section's name after 49
 * bytes (a volume's name has up to 63) and a line after 199 (a path has 4095)
 * without an error, cuts values at " ;", takes an indented line for more of the
 * setting before it, says nothing of a section without settings, and gives no
 * line number to its caller. All of that would have to be looked at again from
 * outside; and what edits a file needs to know where each line begins.
 */
#ifndef NSM_CONFIG_INI_H
#define NSM_CONFIG_INI_H

#include <limits.h>
#include <stddef.h>

#include "fs/base/error.h"

#define NSM_INI_NAME_MAX 127
#define NSM_INI_VALUE_MAX (PATH_MAX + 127)

enum nsm_ini_kind {
        NSM_INI_BLANK,   /* nothing, or a comment */
        NSM_INI_SECTION, /* [name] */
        NSM_INI_SETTING, /* name = value */
};

struct nsm_ini_line {
        enum nsm_ini_kind kind;
        size_t begin, end; /* offsets into the text; end is behind the newline */
        char name[NSM_INI_NAME_MAX + 1];
        char value[NSM_INI_VALUE_MAX + 1]; /* blanks around it are taken off; may be empty */
};

struct nsm_ini_scanner {
        const char *text; /* borrowed */
        size_t size;
        size_t at;
        unsigned line; /* number of the line that was read last, from 1 */
};

/*
 * Reads the next line. 1: *ret holds it; 0: the text is at its end; -EINVAL: the
 * line is neither of the three, is too long, or holds a control character. @err
 * then says so; scanner->line is the line's number.
 */
int nsm_ini_next(struct nsm_ini_scanner *scanner, struct nsm_ini_line *ret, struct nsm_error *err);

#endif
