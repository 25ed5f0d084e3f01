/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/remote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/parse.h"
#include "fs/base/sys.h"
#include "tools/control/client.h"

/* Those that the error's one line had no room for follow it. */
static void note_holders(FILE *notes, const json_t *holders, const char *text)
{
        const json_t *holder, *what;
        size_t i, j;

        json_array_foreach (holders, i, holder) {
                const char *sep = ": ";
                char named[32];

                snprintf(named, sizeof named, " %" JSON_INTEGER_FORMAT " (",
                         json_integer_value(json_object_get(holder, "pid")));
                if (strstr(text, named))
                        continue;
                fprintf(notes, "  pid %" JSON_INTEGER_FORMAT " (%s)",
                        json_integer_value(json_object_get(holder, "pid")),
                        json_string_value(json_object_get(holder, "command")) ?: "?");
                json_array_foreach (json_object_get(holder, "holds"), j, what) {
                        fprintf(notes, "%s%s", sep, json_string_value(what) ?: "?");
                        sep = ", ";
                }
                fputc('\n', notes);
        }
}

/* On a terminal only; the line goes when the answer comes. */
static void say_waiting(void *told, unsigned seconds)
{
        *(bool *)told = true;
        fprintf(stderr, "\rwaiting for another request, or for the view to start: %u s", seconds);
}

int nsm_remote_call(const struct nsm_invocation *inv, const char *method, json_t *parameters,
                    int fd, json_t **ret_reply, struct nsm_error *err)
{
        cleanup_client struct nsm_client *client = NULL;
        bool told = false;
        int r = 0;

        if (!parameters)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_client_connect(inv->runtime_dir, &client, err);
        if (r == 0 && isatty(STDERR_FILENO))
                nsm_client_tell_waits(client, say_waiting, &told);
        if (r == 0)
                r = nsm_client_call(client, method, parameters, &fd, fd >= 0, ret_reply, err);
        if (told)
                fputs("\r\033[K", stderr);
        json_decref(parameters);
        if (r < 0 && client)
                note_holders(inv->notes, json_object_get(nsm_client_error(client), "holders"),
                             err->text);
        return r;
}

/* The process that @tid is a thread of; 0 when it is none. */
static pid_t find_leader(pid_t tid)
{
        char path[64], line[256];
        cleanup_file FILE *f = NULL;
        pid_t leader = 0;

        snprintf(path, sizeof path, "/proc/%d/status", tid);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "Tgid:\t", 6) == 0 && nsm_parse_pid(line + 6, &leader) == 0)
                        break;
        }
        return leader == tid ? 0 : leader;
}

int nsm_remote_open_process(const struct nsm_invocation *inv, struct nsm_error *err)
{
        const char *text = nsm_invocation_value(inv, "pid");
        pid_t pid, leader;
        int fd;

        if (!text)
                return nsm_usage_error(err, "%s: --pid is missing", inv->command->name);
        if (nsm_parse_pid(text, &pid) < 0)
                return nsm_usage_error(err, "--pid '%s': this is no process id", text);
        fd = nsm_sys_pidfd_open(pid);
        if (fd >= 0)
                return fd;
        /* The kernel's answer to a thread's id has changed over time; /proc's has not. */
        leader = find_leader(pid);
        if (leader > 0)
                return nsm_error_set(err, -EINVAL,
                                     "pid %d: is a thread of process %d: name the process", pid,
                                     leader);
        if (fd == -ESRCH || fd == -EINVAL)
                return nsm_error_set(err, -ESRCH,
                                     "pid %d: there is no such process: has the container ended?",
                                     pid);
        return nsm_error_set(err, fd, "pid %d: cannot open it: %s", pid, strerror(-fd));
}

int nsm_remote_absolute(const char *path, char **ret, struct nsm_error *err)
{
        cleanup_free char *here = NULL;

        if (!*path)
                return nsm_usage_error(err, "the directory's name is empty");
        if (*path == '/')
                *ret = strdup(path);
        else if (!(here = getcwd(NULL, 0)))
                return nsm_error_set(err, -errno, "%s: the working directory is gone: %m", path);
        else if (asprintf(ret, "%s/%s", strcmp(here, "/") ? here : "",
                          strncmp(path, "./", 2) ? path : path + 2) < 0)
                *ret = NULL;
        return *ret ? 0 : nsm_error_set(err, -ENOMEM, "out of memory");
}
