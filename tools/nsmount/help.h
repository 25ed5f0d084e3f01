/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Help, from the tables of the subcommands. */
#ifndef NSM_NSMOUNT_HELP_H
#define NSM_NSMOUNT_HELP_H

#include <stdio.h>

#include "tools/nsmount/command.h"

/* "Usage: ..." of one subcommand, or of the whole when @command is NULL. */
void nsm_help_print_usage(FILE *out, const struct nsm_command *command);

/* All that there is to say about one, or about the whole. */
void nsm_help_print(FILE *out, const struct nsm_command *command);

/* The subcommands whose first word is @group, such as "tenant". */
void nsm_help_print_group(FILE *out, const char *group);

#endif
