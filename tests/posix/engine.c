/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs cases: steps, users, expectations, counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/posix/engine.h"

#define FAILURES_SHOWN 60 /* of one subject on one place; all are counted */
#define SCRIPT_MAX 65536
#define CASES_AT_ONCE 150 /* in one process, which the harness gives a minute */

void px_die(struct px *px, const char *fmt, ...)
{
        va_list args;

        fprintf(stderr, "posix: %s: %s: `%s`: ", px->subject->name, px->case_name, px->step);
        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);
        fprintf(stderr, "\n");
        _exit(120);
}

/* ---- assertions ---- */

#define STEP_MARK "\x1e" /* begins each step in the log */

static void keep(struct px *px, const char *actual)
{
        size_t len = strlen(actual) + 1;

        if (sizeof(struct px_log) + px->log->used + len > PX_LOG_BYTES)
                px_die(px, "more results than the log has room for");
        memcpy(px->log->text + px->log->used, actual, len);
        px->log->used += len;
}

/* Results are compared step by step: a place may leave steps out. */
static void mark_step(struct px *px)
{
        const struct px_log *r = px->reference;

        keep(px, STEP_MARK);
        while (r && px->reference_at < r->used) {
                const char *text = r->text + px->reference_at;

                px->reference_at += strlen(text) + 1;
                if (strcmp(text, STEP_MARK) == 0)
                        break;
        }
}

/* What the reference got at the same point, or NULL. */
static const char *next_of_reference(struct px *px)
{
        const struct px_log *r = px->reference;
        const char *text;

        if (!r || px->reference_at >= r->used)
                return NULL;
        text = r->text + px->reference_at;
        if (strcmp(text, STEP_MARK) == 0)
                return NULL;
        px->reference_at += strlen(text) + 1;
        return text;
}

static void say(struct px *px, const char *text)
{
        size_t used = strlen(px->log->report);

        snprintf(px->log->report + used, sizeof px->log->report - used, "%s", text);
}

/* Printable: what a name or a content holds may be anything. */
static void say_text(struct px *px, const char *text)
{
        char out[1200];
        size_t used = 0;

        for (; *text && used < 900; text++)
                used += (size_t)snprintf(out + used, sizeof out - used,
                                         (unsigned char)*text < ' ' && *text != '\n' ? "\\x%02x"
                                                                                     : "%c",
                                         (unsigned char)*text);
        out[used] = '\0';
        say(px, out);
        say(px, *text ? "..." : "");
}

static void report(struct px *px, const char *what, const char *expected, const char *actual)
{
        char line[1024];

        if (px->log->failures++ >= FAILURES_SHOWN || px->case_failures++ >= 5)
                return;
        snprintf(line, sizeof line, "on %s: %s: %s: `%s`%s%s%s%s: expected ", px->place->name,
                 px->subject->name, px->case_name, px->step, *px->user ? " as " : "", px->user,
                 what ? ", " : "", what ? what : "");
        say(px, line);
        say_text(px, expected);
        say(px, ", got ");
        say_text(px, actual);
        say(px, "\n");
}

static bool is_error(const char *result)
{
        return result[0] == 'E' && result[1] >= '0' && result[1] <= 'Z';
}

/* One of "A|B"; "ok": anything but the name of an error. */
static bool is_one_of(const char *expected, const char *actual)
{
        if (strcmp(expected, "ok") == 0)
                return !is_error(actual);
        if (strcmp(expected, actual) == 0)
                return true;
        while (*expected) {
                size_t len = strcspn(expected, "|");

                if (strncmp(expected, actual, len) == 0 && !actual[len])
                        return true;
                expected += len + (expected[len] == '|');
        }
        return false;
}

/* What the kernel would have said first, the worker says last; access(2) it is not asked. */
static bool worker_may_differ(const struct px *px, const char *theirs, const char *actual)
{
        return is_error(theirs) && (is_error(actual) || strstr(px->step, "W_OK"));
}

void px_check(struct px *px, const char *what, const char *expected, const char *actual)
{
        const char *theirs = next_of_reference(px);

        keep(px, actual);
        px->log->assertions++;
        if (strcmp(expected, "~") == 0) {
                if (!px->reference)
                        return;
                if (px->place->unlocked && theirs && worker_may_differ(px, theirs, actual))
                        return;
                if (!theirs || strcmp(theirs, actual) != 0)
                        report(px, what, theirs ? theirs : "(nothing)", actual);
        } else if (!is_one_of(expected, actual)) {
                report(px, what, expected, actual);
        }
}

/* ---- steps ---- */

static bool place_matches(const struct px_place *place, const char *word, size_t len)
{
        const char *const names[] = { place->name, place->tenant ? "tenant" : "host",
                                      place->view ? "view" : "ext4" };

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strncmp(names[i], word, len) == 0 && !names[i][len])
                        return true;
        return false;
}

/* The words after '=': the last that is for this place. */
static const char *expectation(const struct px *px, char **words)
{
        const char *found = "ok";

        for (; *words; words++) {
                size_t len = strcspn(*words, ":");

                if (!(*words)[len])
                        found = *words;
                else if (place_matches(px->place, *words, len))
                        found = *words + len + 1;
        }
        return found;
}

static const struct px_operation *find_operation(const char *name)
{
        const struct px_operation *const tables[] = { px_ops_names, px_ops_files,
                                                      px_ops_attributes, px_ops_times,
                                                      px_ops_xattrs, px_ops_data, px_ops_probes };

        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
                for (const struct px_operation *op = tables[i]; op->name; op++)
                        if (strcmp(op->name, name) == 0)
                                return op;
        return NULL;
}

static void run_operation(struct px *px, const char *user, char **words, int n,
                          const char *expected)
{
        static char buffers[PX_WORDS_MAX][PX_TEXT_MAX];
        const struct px_operation *op = find_operation(words[0]);
        char *args[PX_WORDS_MAX + 1] = { NULL };
        char result[32], want[PX_TEXT_MAX];
        int r;

        if (!op)
                px_die(px, "no operation %s", words[0]);
        if (n - 1 < op->min || n - 1 > op->max)
                px_die(px, "%d arguments, not %d to %d", n - 1, op->min, op->max);
        for (int i = 1; i < n; i++) {
                px_script_argument(px, words[i], buffers[i - 1], sizeof *buffers);
                args[i - 1] = buffers[i - 1];
        }
        px->text[0] = '\0';
        snprintf(px->user, sizeof px->user, "%s", user);
        bool other = px_become(px, user);
        r = op->op(px, args, n - 1);
        if (other)
                px_become_root();
        px_script_argument(px, expected, want, sizeof want);
        const char *actual = r >= 0 && *px->text ? px->text
                                                 : px_result_text(r, result, sizeof result);
        if (getenv("NSM_POSIX_SHOW"))
                fprintf(stderr, "%s: %s: `%s` as %s = %s\n", px->place->name, px->case_name,
                        px->step, user, actual);
        px_check(px, NULL, want, actual);
}

static void run_step(struct px *px, char *step, char *user, size_t user_size)
{
        char *words[PX_WORDS_MAX];
        const char *acting = user;
        int n, first = 0, end;

        mark_step(px);
        step += strspn(step, " \t\n");
        snprintf(px->step, sizeof px->step, "%s", step);
        n = px_script_words(step, words, PX_WORDS_MAX);
        if (n > 0 && words[0][0] == '?') {
                if (!place_matches(px->place, words[0] + 1, strlen(words[0] + 1)))
                        return;
                first++;
        }
        if (first < n && words[first][0] == '@')
                acting = words[first++] + 1;
        if (first >= n)
                return;
        if (strcmp(words[first], "as") == 0 && n - first == 2) {
                snprintf(user, user_size, "%s", words[first + 1]);
                return;
        }
        for (end = first; end < n && strcmp(words[end], "=") != 0; end++)
                ;
        const char *expected = end < n ? expectation(px, words + end + 1) : "ok";
        run_operation(px, acting, words + first, end - first, expected);
}

/* ---- cases ---- */

static void begin_case(struct px *px, const char *name)
{
        px->case_name = name;
        px->case_failures = 0;
        px->n_watches = 0;
        snprintf(px->step, sizeof px->step, "(beginning)");
        umask(0);
        snprintf(px->case_dir, sizeof px->case_dir, "tree");
        if (!px->subject->read_only)
                snprintf(px->case_dir, sizeof px->case_dir, "c%zu", px->log->n_cases);
        if (px->log->n_cases == sizeof px->log->case_at / sizeof *px->log->case_at)
                px_die(px, "more cases than the log has room for");
        px->log->case_at[px->log->n_cases] = px->log->used;
        if (px->reference)
                px->reference_at = px->reference->case_at[px->log->n_cases];
        px->log->n_cases++;
        if (!px->subject->read_only && mkdirat(px->place_fd, px->case_dir, 0755) < 0)
                px_die(px, "mkdir: %s", strerror(errno));
        px->case_fd = openat(px->place_fd, px->case_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (px->case_fd < 0 || fchdir(px->case_fd) < 0)
                px_die(px, "entering: %s", strerror(errno));
}

static void end_case(struct px *px)
{
        umask(0);
        for (int i = 0; i < PX_SLOTS; i++) {
                if (px->slots[i] >= 0)
                        close(px->slots[i]);
                px->slots[i] = -1;
        }
        snprintf(px->step, sizeof px->step, "(what is there at the end)");
        px->user[0] = '\0';
        mark_step(px);
        px_check_tree(px);
        close(px->case_fd);
}

static void run_case(struct px *px, const char *name, char *script)
{
        char user[64] = "root";

        begin_case(px, name);
        for (char *step; (step = strsep(&script, ";\n"));)
                run_step(px, step, user, sizeof user);
        end_case(px);
}

static bool is_wanted(const char *name)
{
        const char *wanted = getenv("NSM_POSIX_CASE");

        return !wanted || strstr(name, wanted);
}

void px_run_some(const struct px_subject *subject, const struct px_place *place,
                 struct px_log *log, const struct px_log *reference)
{
        struct px *px = calloc(1, sizeof *px);
        char *script = malloc(SCRIPT_MAX), name[512];

        if (!px || !script || !(px->watches = calloc(PX_WATCHES, sizeof *px->watches)))
                nsm_harness_die("no memory");
        px->subject = subject;
        px->place = place;
        px->log = log;
        px->reference = reference;
        px->case_name = subject->name;
        for (int i = 0; i < PX_SLOTS; i++)
                px->slots[i] = -1;
        px->place_fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (px->place_fd < 0)
                px_die(px, "%s: %s", place->dir, strerror(errno));
        size_t end = log->seen + CASES_AT_ONCE, at = 0;
        for (size_t i = 0; i < subject->n && at < end; i++)
                for (size_t k = 0; at < end && px_script_expand(&subject->cases[i], k, name,
                                                                sizeof name, script,
                                                                SCRIPT_MAX); k++, at++)
                        if (at >= log->seen && is_wanted(name))
                                run_case(px, name, script);
        log->finished = at < end;
        log->seen = at;
        close(px->place_fd);
        free(px->watches);
        free(script);
        free(px);
}
