/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/config.h"
#include "tools/nsmount/similar.h"

#define RUNTIME_DIR_DEFAULT "/run/nsmount"

/* What getopt_long() returns for a long option: its place in the table, above all letters. */
#define LONG_BASE 256

const struct nsm_option nsm_global_options[] = {
        { "config", "DIR",
          "configuration (NSMOUNT_CONFIG; default " NSM_CONFIG_DIR_DEFAULT ")", NSM_ONCE },
        { "runtime-dir", "DIR",
          "where nsmountd listens (NSMOUNT_RUNTIME_DIR; default " RUNTIME_DIR_DEFAULT ")",
          NSM_ONCE },
        { "help", NULL, "say how it is used, and end", NSM_ONCE },
        { "version", NULL, "say the version, and end", NSM_ONCE },
        { 0 },
};

int nsm_usage_error(struct nsm_error *err, const char *fmt, ...)
{
        char text[NSM_ERROR_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        return nsm_error_set(err, NSM_CODE_USAGE, "%s", text);
}

static const struct nsm_given *find_given(const struct nsm_invocation *inv, const char *name)
{
        for (size_t i = inv->n_given; i > 0; i--) {
                const struct nsm_option *option = inv->given[i - 1].option;

                if (option && strcmp(option->name, name) == 0)
                        return &inv->given[i - 1];
        }
        return NULL;
}

const char *nsm_invocation_value(const struct nsm_invocation *inv, const char *name)
{
        const struct nsm_given *given = find_given(inv, name);

        return given ? given->value : NULL;
}

bool nsm_invocation_has(const struct nsm_invocation *inv, const char *name)
{
        return find_given(inv, name) != NULL;
}

/* The options of one subcommand and the global ones, as getopt_long() wants them. */
struct table {
        const struct nsm_option *options[NSM_OPTIONS_MAX];
        struct option longs[NSM_OPTIONS_MAX + 1];
        size_t n;
};

static void add_options(struct table *t, const struct nsm_option *options)
{
        for (; options && options->name && t->n < NSM_OPTIONS_MAX; options++, t->n++) {
                t->options[t->n] = options;
                t->longs[t->n] = (struct option){
                        .name = options->name,
                        .has_arg = options->argument ? required_argument : no_argument,
                        .val = LONG_BASE + (int)t->n,
                };
        }
        t->longs[t->n] = (struct option){ 0 };
}

/*
 * Whether @value is one of the options of @t, written as such: what stands there
 * when a shell's unquoted variable was empty.
 */
static bool is_option(const struct table *t, const char *value)
{
        for (size_t i = 0; i < t->n && strncmp(value, "--", 2) == 0; i++) {
                size_t n = strlen(t->options[i]->name);

                if (strncmp(value + 2, t->options[i]->name, n) == 0 &&
                    (value[2 + n] == '\0' || value[2 + n] == '='))
                        return true;
        }
        return false;
}

static int take_option(struct nsm_command_line *line, const struct nsm_option *option,
                       const char *value, struct nsm_error *err)
{
        struct nsm_invocation *inv = &line->invocation;

        if (strcmp(option->name, "help") == 0)
                line->wish = NSM_WISH_HELP;
        else if (strcmp(option->name, "version") == 0 && line->wish == NSM_WISH_RUN)
                line->wish = NSM_WISH_VERSION;
        else if (strcmp(option->name, "config") == 0)
                inv->config_dir = value;
        else if (strcmp(option->name, "runtime-dir") == 0)
                inv->runtime_dir = value;
        else if (option->times == NSM_ONCE && nsm_invocation_has(inv, option->name))
                return nsm_usage_error(err, "--%s is given twice", option->name);
        else
                line->given[inv->n_given++] = (struct nsm_given){ option, value };
        return 0;
}

/*
 * Takes the options of argv[1..]. Stops at the first other word when
 * @stop_at_word, otherwise moves the other words to the end, to argv[optind] on.
 */
static int take_options(struct nsm_command_line *line, int argc, char **argv, bool stop_at_word,
                        struct nsm_error *err)
{
        struct table table = { 0 };
        const struct nsm_command *command = line->invocation.command;
        int c, r = 0;

        add_options(&table, command ? command->options : NULL);
        add_options(&table, nsm_global_options);
        optind = 0;
        opterr = 0;
        while (r == 0 && (c = getopt_long(argc, argv, stop_at_word ? "+:hV" : ":hV", table.longs,
                                          NULL)) != -1) {
                const struct nsm_option *option =
                        c >= LONG_BASE ? table.options[c - LONG_BASE] : NULL;

                if (c == 'h')
                        line->wish = NSM_WISH_HELP;
                else if (c == 'V')
                        line->wish = NSM_WISH_VERSION;
                else if (c == ':')
                        r = nsm_usage_error(err, "%s wants a value", argv[optind - 1]);
                else if (option && optarg == argv[optind - 1] && is_option(&table, optarg))
                        r = nsm_usage_error(err, "--%s wants a value, and not the option %s",
                                            option->name, optarg);
                else if (option)
                        r = take_option(line, option, optarg, err);
                else if (optopt >= LONG_BASE)
                        r = nsm_usage_error(err, "%s: this option takes no value",
                                            argv[optind - 1]);
                else if (optopt)
                        r = nsm_usage_error(err, "-%c: unknown option", optopt);
                else
                        r = nsm_usage_error(err, "%s: unknown option", argv[optind - 1]);
        }
        return r;
}

/*
 * Finds the subcommand that argv begins with; returns how many words name it, 0
 * when there is none. "tenant" alone names none, and neither does "tenant help".
 */
static int find_command(int argc, char **argv, const struct nsm_command **ret)
{
        for (const struct nsm_command *const *p = nsm_commands; *p; p++) {
                const char *space = strchr((*p)->name, ' ');
                size_t first = space ? (size_t)(space - (*p)->name) : strlen((*p)->name);

                if (strlen(argv[0]) != first || strncmp(argv[0], (*p)->name, first) != 0)
                        continue;
                if (!space || (argc > 1 && strcmp(argv[1], space + 1) == 0)) {
                        *ret = *p;
                        return space ? 2 : 1;
                }
        }
        return 0;
}

static bool is_group(const char *word)
{
        size_t n = strlen(word);

        for (const struct nsm_command *const *p = nsm_commands; *p; p++) {
                if (strncmp((*p)->name, word, n) == 0 && (*p)->name[n] == ' ')
                        return true;
        }
        return false;
}

static int unknown_command(int argc, char **argv, struct nsm_error *err)
{
        const char *word = argv[0], *meant;

        if (is_group(word) && argc < 2)
                return nsm_usage_error(err, "%s: which? add, set, rm, show or list", word);
        if (is_group(word))
                word = argv[1];
        meant = nsm_similar_find(word);
        if (meant)
                return nsm_usage_error(err, "%s: unknown subcommand: did you mean %s?", word,
                                       meant);
        return nsm_usage_error(err, "%s: unknown subcommand: see nsmount help", word);
}

/* "help", "help attach", "version": words where others write options. */
static int take_word(struct nsm_command_line *line, int argc, char **argv, struct nsm_error *err)
{
        if (strcmp(argv[0], "version") == 0) {
                line->wish = NSM_WISH_VERSION;
                return 0;
        }
        line->wish = NSM_WISH_HELP;
        if (argc < 2 || find_command(argc - 1, argv + 1, &line->invocation.command) > 0)
                return 0;
        if (!is_group(argv[1]) || argc > 2)
                return unknown_command(argc - 1, argv + 1, err);
        line->group = argv[1];
        return 0;
}

static int check_words(const struct nsm_invocation *inv, struct nsm_error *err)
{
        const struct nsm_command *command = inv->command;

        if (inv->n_args < command->min_args)
                return nsm_usage_error(err, "%s: %s is missing", command->name,
                                       command->words[inv->n_args]);
        if (inv->n_args > command->max_args)
                return nsm_usage_error(err, "%s: '%s' is one word too many", command->name,
                                       inv->args[command->max_args]);
        return 0;
}

static void set_directories(struct nsm_invocation *inv)
{
        const char *config = getenv("NSMOUNT_CONFIG"), *runtime = getenv("NSMOUNT_RUNTIME_DIR");

        inv->config_dir = config && *config ? config : NSM_CONFIG_DIR_DEFAULT;
        inv->runtime_dir = runtime && *runtime ? runtime : RUNTIME_DIR_DEFAULT;
}

int nsm_command_line_parse(int argc, char **argv, struct nsm_command_line *ret,
                           struct nsm_error *err)
{
        struct nsm_invocation *inv = &ret->invocation;
        int words, r;

        set_directories(inv);
        ret->args = calloc((size_t)argc + 1, sizeof *ret->args);
        ret->given = calloc((size_t)argc + 1, sizeof *ret->given);
        if (!ret->args || !ret->given)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        inv->args = ret->args;
        inv->given = ret->given;

        r = take_options(ret, argc, argv, true, err);
        if (r < 0 || ret->wish != NSM_WISH_RUN)
                return r;
        argc -= optind;
        argv += optind;
        if (argc == 0)
                return nsm_usage_error(err, "no subcommand: see nsmount help");
        if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "version") == 0)
                return take_word(ret, argc, argv, err);
        words = find_command(argc, argv, &inv->command);
        if (words == 0 && is_group(argv[0]) && argc > 1 &&
            (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
                ret->wish = NSM_WISH_HELP;
                ret->group = argv[0];
                return 0;
        }
        if (words == 0)
                return unknown_command(argc, argv, err);

        /* getopt_long() takes the word before the options for the program's name. */
        r = take_options(ret, argc - words + 1, argv + words - 1, false, err);
        if (r < 0 || ret->wish != NSM_WISH_RUN)
                return r;
        for (int i = optind + words - 1; i < argc; i++)
                ret->args[inv->n_args++] = argv[i];
        return check_words(inv, err);
}

void nsm_command_line_clear(struct nsm_command_line *line)
{
        free(line->args);
        free(line->given);
        *line = (struct nsm_command_line){ 0 };
}
