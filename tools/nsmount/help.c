/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/help.h"

#include <string.h>

#define COLUMN 28 /* where the explanations begin */

void nsm_help_print_usage(FILE *out, const struct nsm_command *command)
{
        if (command)
                fprintf(out, "Usage: nsmount %s%s%s\n", command->name, *command->usage ? " " : "",
                        command->usage);
        else
                fputs("Usage: nsmount [--config DIR] [--runtime-dir DIR] SUBCOMMAND ...\n"
                      "       nsmount help [SUBCOMMAND]\n",
                      out);
}

static void print_options(FILE *out, const struct nsm_option *options)
{
        for (; options && options->name; options++) {
                int n = fprintf(out, "  --%s%s%s", options->name, options->argument ? " " : "",
                                options->argument ? options->argument : "");

                fprintf(out, "%*s%s%s\n", n < COLUMN ? COLUMN - n : 1, "", options->help,
                        options->times == NSM_OFTEN ? " (repeatable)" : "");
        }
}

/* Those whose name begins with @prefix. */
static void print_commands(FILE *out, const char *prefix)
{
        for (const struct nsm_command *const *p = nsm_commands; *p; p++) {
                if (strncmp((*p)->name, prefix, strlen(prefix)) == 0)
                        fprintf(out, "  %-*s%s\n", COLUMN - 2, (*p)->name, (*p)->help);
        }
}

static void print_all(FILE *out)
{
        nsm_help_print_usage(out, NULL);
        fputs("\nGives tenants their own root filesystems out of shared storage.\n\n"
              "Subcommands:\n",
              out);
        print_commands(out, "");
        fputs("\nOptions, before or behind the subcommand:\n", out);
        print_options(out, nsm_global_options);
        fputs("\nExit status: 0 done; 1 refused or failed, nothing half done; 2 wrong usage.\n"
              "More: nsmount help SUBCOMMAND, nsmount(1), nsmount.conf(5), nsmountd(8).\n",
              out);
}

void nsm_help_print(FILE *out, const struct nsm_command *command)
{
        if (!command) {
                print_all(out);
                return;
        }
        nsm_help_print_usage(out, command);
        fprintf(out, "\n%s\n", command->help);
        if (command->more)
                fprintf(out, "\n%s", command->more);
        if (command->options && command->options->name) {
                fputs("\nOptions:\n", out);
                print_options(out, command->options);
        }
        fputs("\nOptions of every subcommand:\n", out);
        print_options(out, nsm_global_options);
        fprintf(out, "\nExample:\n  %s\n", command->example);
}

void nsm_help_print_group(FILE *out, const char *group)
{
        char prefix[32];

        snprintf(prefix, sizeof prefix, "%s ", group);
        fprintf(out, "Usage: nsmount %s SUBCOMMAND ...\n\nSubcommands:\n", group);
        print_commands(out, prefix);
        fprintf(out, "\nMore: nsmount help %s SUBCOMMAND, nsmount(1).\n", group);
}
