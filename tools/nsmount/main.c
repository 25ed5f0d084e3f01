/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nsmount(1): finds the subcommand, runs it, and says in one place what failed. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>

#include "fs/base/cleanup.h"
#include "tools/nsmount/help.h"
#include "tools/nsmount/options.h"

static int act(const struct nsm_command_line *line, struct nsm_error *err)
{
        switch (line->wish) {
        case NSM_WISH_HELP:
                if (line->group)
                        nsm_help_print_group(stdout, line->group);
                else
                        nsm_help_print(stdout, line->invocation.command);
                return 0;
        case NSM_WISH_VERSION:
                puts("nsmount " NSM_VERSION);
                return 0;
        case NSM_WISH_RUN:
                break;
        }
        if (!line->invocation.command)
                return nsm_usage_error(err, "no subcommand: see nsmount help");
        return line->invocation.command->run(&line->invocation, err);
}

/* Says what failed, then what is to be said besides. */
static enum nsm_exit report(const struct nsm_command_line *line, const struct nsm_error *err,
                            const char *notes)
{
        fflush(stdout);
        fprintf(stderr, "nsmount: %s\n%s", err->text, notes ? notes : "");
        if (err->code != NSM_CODE_USAGE)
                return NSM_EXIT_FAILED;
        nsm_help_print_usage(stderr, line->invocation.command);
        return NSM_EXIT_USAGE;
}

int main(int argc, char **argv)
{
        struct nsm_command_line line = { 0 };
        struct nsm_error err = { 0 };
        enum nsm_exit status = NSM_EXIT_DONE;
        cleanup_free char *notes = NULL;
        size_t notes_size;
        int r;

        setlocale(LC_CTYPE, "");
        line.invocation.notes = open_memstream(&notes, &notes_size);
        if (!line.invocation.notes)
                r = nsm_error_set(&err, -ENOMEM, "out of memory");
        else
                r = nsm_command_line_parse(argc, argv, &line, &err);
        if (r == 0)
                r = act(&line, &err);
        /* A listing that could not be written is no listing. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && r == 0)
                r = nsm_error_set(&err, -EIO, "standard output: cannot write to it");
        if (line.invocation.notes)
                fclose(line.invocation.notes);
        if (r < 0)
                status = report(&line, &err, notes);
        nsm_command_line_clear(&line);
        return status;
}
