/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the words of a command line to an invocation. Uses getopt_long(3): one thread. */
#ifndef NSM_NSMOUNT_OPTIONS_H
#define NSM_NSMOUNT_OPTIONS_H

#include "tools/nsmount/command.h"

/* What a command line asks for. */
enum nsm_wish {
        NSM_WISH_RUN,
        NSM_WISH_HELP, /* of invocation.command; of the whole when that is NULL */
        NSM_WISH_VERSION,
};

struct nsm_command_line {
        enum nsm_wish wish;
        const char *group; /* "tenant": help for all of its subcommands; or NULL */
        struct nsm_invocation invocation;
        const char **args;       /* owned, what invocation points to */
        struct nsm_given *given; /* owned, likewise */
};

/*
 * Parses. Directories that are not given come from NSMOUNT_CONFIG and
 * NSMOUNT_RUNTIME_DIR, or are the defaults. 0, NSM_CODE_USAGE or -ENOMEM;
 * after a failure invocation.command is the subcommand, if one was found.
 * @argv's words are borrowed and may change their order.
 */
int nsm_command_line_parse(int argc, char **argv, struct nsm_command_line *ret,
                           struct nsm_error *err);

void nsm_command_line_clear(struct nsm_command_line *line);

#endif
