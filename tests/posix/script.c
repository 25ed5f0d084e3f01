/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of cases: variables, words, arguments. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/posix/engine.h"

static const struct {
        const char *name, *values;
} lists[] = {
        { "%all", "file,dir,fifo,sock,link,char,block" },
        { "%files", "file,fifo,sock,link,char,block" },
        { "%nolink", "file,dir,fifo,sock,char,block" },
        { "%plain", "file,dir,fifo,sock,link" },
        /* Every operation on one path; `there` is a file that exists. */
        { "%paths", "open+-+$P+O_RDONLY|O_NONBLOCK,open+-+$P+O_RDONLY|O_NONBLOCK|O_NOFOLLOW,"
                    "open+-+$P+O_PATH,"
                    "open+-+$P+O_RDONLY|O_DIRECTORY,open+-+$P+O_WRONLY|O_NONBLOCK|O_CREAT+0644,"
                    "open+-+$P+O_WRONLY|O_CREAT|O_EXCL+0644,open+-+$P+O_WRONLY|O_NONBLOCK|O_TRUNC,"
                    "mkdir+$P,rmdir+$P,unlink+$P,link+$P+new,link+there+$P,symlink+there+$P,"
                    "readlink+$P,mkfifo+$P,mknod+$P+sock+0644,mknod+$P+file+0644,"
                    "mknod+$P+char+0644+0+0,rename+$P+new,"
                    "rename+there+$P,rename+$P+there,rename+there+$P+RENAME_NOREPLACE,"
                    "rename+there+$P+RENAME_EXCHANGE,"
                    "chmod+$P+0600,chown+$P+0+0,lchown+$P+0+0,truncate+$P+0,truncate+$P+100,"
                    "utimens+$P,utimens+$P+1+2,lutimens+$P+1+2,access+$P+F_OK,"
                    "access+$P+R_OK,access+$P+W_OK,access+$P+X_OK,chdir+$P,stat+$P,follow+$P" },
};

#define VARIABLES_MAX 8

struct variable {
        char name; /* a small letter: repeats steps, not cases */
        char values[2048];
        char value[128]; /* of this combination */
};

static size_t count_values(const char *values)
{
        size_t n = 1;

        for (; *values; values++)
                n += *values == ',';
        return n;
}

static void nth_value(const char *values, size_t n, char *ret, size_t size)
{
        while (n--)
                values = strchr(values, ',') + 1;
        snprintf(ret, size, "%.*s", (int)strcspn(values, ","), values);
}

/* Copies values, and lists for their names. */
static void take_values(const char *from, size_t len, char *ret, size_t size)
{
        size_t used = 0;

        for (const char *end = from + len; from < end;) {
                size_t n = strcspn(from, ", ");
                const char *value = from;
                size_t value_len = n;

                for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
                        if (strlen(lists[i].name) == n && strncmp(lists[i].name, from, n) == 0) {
                                value = lists[i].values;
                                value_len = strlen(value);
                        }
                }
                if (used + value_len + 2 > size)
                        nsm_harness_die("posix: values of more than %zu bytes", size);
                used += (size_t)snprintf(ret + used, size - used, "%s%.*s", used ? "," : "",
                                         (int)value_len, value);
                from += n + 1;
        }
}

/* "T=a,b U=%all": takes them apart. Returns how many variables there are. */
static size_t parse_each(const char *each, struct variable *v)
{
        size_t n = 0;

        while (each && *each && n < VARIABLES_MAX) {
                size_t len = strcspn(each, " ");

                if (len < 3 || each[1] != '=')
                        nsm_harness_die("posix: variables '%s'", each);
                v[n].name = each[0];
                take_values(each + 2, len - 2, v[n].values, sizeof v[n].values);
                n++;
                each += len + strspn(each + len, " ");
        }
        return n;
}

/* A value's '+' becomes a space. */
static void substitute(const char *text, const struct variable *v, size_t n, char *ret,
                       size_t size)
{
        size_t used = 0;

        for (; *text && used + 1 < size; text++) {
                const char *value = NULL;

                for (size_t i = 0; *text == '$' && i < n; i++)
                        if (v[i].name == text[1])
                                value = v[i].value;
                if (*text == '$' && !value)
                        nsm_harness_die("posix: no variable %.2s", text);
                if (!value) {
                        ret[used++] = *text;
                        continue;
                }
                for (; *value && used + 1 < size; value++)
                        ret[used++] = *value == '+' ? ' ' : *value;
                text++;
        }
        if (used + 1 >= size)
                nsm_harness_die("posix: a case of more than %zu bytes", size);
        ret[used] = '\0';
}

/* The variable with a small letter that a step names, or NULL. */
static struct variable *repeated_by(const char *step, size_t len, struct variable *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k + 1 < len; k++)
                        if (islower(v[i].name) && step[k] == '$' && step[k + 1] == v[i].name)
                                return &v[i];
        return NULL;
}

static void append(const char *step, char *ret, size_t *used, size_t size)
{
        if (*used + strlen(step) + 2 > size)
                nsm_harness_die("posix: a case of more than %zu bytes", size);
        *used += (size_t)snprintf(ret + *used, size - *used, "%s;", step);
}

/* Each step as often as its variables want, the others' values filled in. */
static void expand_steps(const char *steps, struct variable *v, size_t n, char *ret, size_t size)
{
        size_t used = 0;
        char *one = malloc(size), *once = malloc(size), *step = malloc(size);

        if (!one || !once || !step)
                nsm_harness_die("no memory");
        *ret = '\0';
        for (size_t len; *steps; steps += len + (steps[len] != '\0')) {
                len = strcspn(steps, ";\n");
                snprintf(step, size, "%.*s", (int)len, steps);
                struct variable *repeat = repeated_by(steps, len, v, n);
                for (size_t i = 0; i < (repeat ? count_values(repeat->values) : 1); i++) {
                        if (repeat)
                                nth_value(repeat->values, i, repeat->value, sizeof repeat->value);
                        substitute(step, v, n, once, size);
                        substitute(once, v, n, one, size); /* values may name variables */
                        append(one, ret, &used, size);
                }
        }
        free(one);
        free(once);
        free(step);
}

bool px_script_expand(const struct px_case *c, size_t number, char *name, size_t name_size,
                      char *script, size_t script_size)
{
        struct variable v[VARIABLES_MAX];
        size_t n = parse_each(c->each, v), left = number;
        size_t used = (size_t)snprintf(name, name_size, "%s", c->name);

        for (size_t i = 0; i < n; i++) {
                size_t count = count_values(v[i].values);

                if (islower(v[i].name))
                        continue;
                nth_value(v[i].values, left % count, v[i].value, sizeof v[i].value);
                left /= count;
                used += (size_t)snprintf(name + used, name_size - used, " %c=%s", v[i].name,
                                         v[i].value);
        }
        if (left > 0)
                return false;
        expand_steps(c->steps, v, n, script, script_size);
        return true;
}

int px_script_words(char *step, char **words, int max)
{
        int n = 0;

        for (char *word; (word = strsep(&step, " \t"));) {
                if (!*word)
                        continue;
                if (n == max - 1)
                        nsm_harness_die("posix: too many words");
                words[n++] = word;
        }
        words[n] = NULL;
        return n;
}

/* ---- arguments ---- */

/* A path to @name that is @len bytes long: "./" as often as it takes, and a "/" more. */
static void pad_path(struct px *px, const char *start, const char *name, size_t len, char *ret)
{
        size_t used = strlen(start), rest = strlen(name);
        size_t odd = used + rest <= len && (len - used - rest) % 2 ? 3 : 0;

        if (used + rest + odd > len)
                px_die(px, "no path of %zu bytes to %s", len, name);
        char *end = stpcpy(stpcpy(ret, start), odd ? ".//" : "");
        while ((size_t)(end - ret) + rest < len)
                end = stpcpy(end, "./");
        stpcpy(end, name);
}

/* {n255} {p4095:f} {P4095:f} {d}. Returns the bytes that it stands for in @ret. */
static size_t expand_braces(struct px *px, const char *inside, char *ret, size_t size)
{
        char own[600] = "", *end = NULL;
        size_t len = strtoul(inside + 1, &end, 10);

        if (len + 1 > size)
                px_die(px, "argument of more than %zu bytes", size);
        if (*inside == 'P' || *inside == 'd')
                snprintf(own, sizeof own, "%s/%s/", px->place->dir, px->case_dir);
        switch (*inside) {
        case 'n':
                memset(ret, 'n', len);
                ret[len] = '\0';
                break;
        case 'p':
        case 'P':
                pad_path(px, own, *end == ':' ? end + 1 : "", len, ret);
                break;
        case 'd':
                own[strlen(own) - 1] = '\0';
                snprintf(ret, size, "%s", own);
                break;
        default:
                px_die(px, "{%s}", inside);
        }
        return strlen(ret);
}

static char hex_byte(const char *digits)
{
        const char text[3] = { digits[0], digits[1], '\0' };

        return (char)strtoul(text, NULL, 16);
}

void px_script_argument(struct px *px, const char *word, char *ret, size_t size)
{
        size_t used = 0;

        while (*word && used + 1 < size) {
                if (*word == '{' && strchr(word, '}')) {
                        char inside[300];
                        size_t len = strcspn(word, "}");

                        snprintf(inside, sizeof inside, "%.*s", (int)len - 1, word + 1);
                        used += expand_braces(px, inside, ret + used, size - used);
                        word += len + 1;
                } else if (word[0] == '\\' && word[1] == 'x' && word[2] && word[3]) {
                        ret[used++] = hex_byte(word + 2);
                        word += 4;
                } else if (word[0] == '\\' && word[1] == 's') {
                        ret[used++] = ' ';
                        word += 2;
                } else if (word[0] == '\\' && word[1] == '0') { /* an empty argument */
                        word += 2;
                } else {
                        ret[used++] = *word++;
                }
        }
        ret[used] = '\0';
}
