/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command's table of subcommands, and how one is called. Each stands in a
 * file of its own. What a subcommand takes is written down once, in its tables:
 * parsing, help and completion read them there.
 */
#ifndef NSM_NSMOUNT_COMMAND_H
#define NSM_NSMOUNT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fs/base/error.h"

/* A wrong command line: the usage follows, and the exit status is 2. Beyond any errno. */
#define NSM_CODE_USAGE (-4096)

enum nsm_exit {
        NSM_EXIT_DONE = 0,
        NSM_EXIT_FAILED = 1, /* refused or failed; nothing half done */
        NSM_EXIT_USAGE = 2,
};

#define NSM_OPTIONS_MAX 24 /* of one subcommand, the global ones included */

enum nsm_times {
        NSM_ONCE,
        NSM_OFTEN,
        NSM_PER_VOLUME, /* what it speaks of was named before it */
};

struct nsm_option {
        const char *name;     /* without the dashes; NULL ends a table */
        const char *argument; /* its name in the help, or NULL for a switch */
        const char *help;
        enum nsm_times times;
};

/* An option as it was given. */
struct nsm_given {
        const struct nsm_option *option;
        const char *value; /* NULL for a switch */
};

struct nsm_command;

/* One call of a subcommand; constant once it runs. */
struct nsm_invocation {
        const struct nsm_command *command;
        const char *config_dir;
        const char *runtime_dir;
        size_t n_args;
        const char *const *args;
        size_t n_given;
        const struct nsm_given *given; /* in the order of the command line */
        FILE *notes;                   /* lines for stderr that follow the error */
};

struct nsm_command {
        const char *name;     /* "attach", "tenant add" */
        const char *usage;    /* its arguments and main options, behind the name */
        const char *words[2]; /* the arguments alone, for who left one out */
        const char *help;     /* one line */
        const char *more;     /* further lines of its help, or NULL */
        const char *example;
        size_t min_args, max_args;
        const struct nsm_option *options; /* NULL: none of its own */
        /* 0, or a negative errno or NSM_CODE_USAGE with @err. */
        int (*run)(const struct nsm_invocation *inv, struct nsm_error *err);
};

/* Ended by NULL. */
extern const struct nsm_command *const nsm_commands[];

/* The options that every subcommand takes. */
extern const struct nsm_option nsm_global_options[];

extern const struct nsm_command nsm_command_attach;
extern const struct nsm_command nsm_command_detach;
extern const struct nsm_command nsm_command_list;
extern const struct nsm_command nsm_command_mount;
extern const struct nsm_command nsm_command_reload;
extern const struct nsm_command nsm_command_tenant_add;
extern const struct nsm_command nsm_command_tenant_list;
extern const struct nsm_command nsm_command_tenant_rm;
extern const struct nsm_command nsm_command_tenant_set;
extern const struct nsm_command nsm_command_tenant_show;
extern const struct nsm_command nsm_command_unmount;

/* The value of an option; NULL when it was not given. */
const char *nsm_invocation_value(const struct nsm_invocation *inv, const char *name);

bool nsm_invocation_has(const struct nsm_invocation *inv, const char *name);

/* Records a wrong command line; returns NSM_CODE_USAGE. */
int nsm_usage_error(struct nsm_error *err, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

#endif
