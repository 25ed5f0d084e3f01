/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server of the control socket for tests: io.test, in a process of its own. */
#ifndef NSM_TESTS_CONTROL_KIT_H
#define NSM_TESTS_CONTROL_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fs/base/cleanup.h"
#include "tools/control/channel.h"
#include "tools/control/client.h"
#include "tools/control/interface.h"
#include "tools/control/server.h"

static char dir[64];
static pid_t server_pid;
static struct nsm_call *kept; /* the server's: a call that is answered by the next one */

static void run_echo(struct nsm_call *call, void *context)
{
        nsm_call_reply(call, json_deep_copy(nsm_call_parameters(call)));
}

/* The inode number of what the descriptor "fd" is. */
static void run_stat(struct nsm_call *call, void *context)
{
        json_t *index = json_object_get(nsm_call_parameters(call), "fd");
        cleanup_fd int fd = nsm_call_take_fd(call, json_integer_value(index));
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                nsm_call_fail_text(call, "io.test.Refused", "no such descriptor");
        else
                nsm_call_reply(call, json_pack("{s:I}", "inode", (json_int_t)st.st_ino));
}

static void run_keep(struct nsm_call *call, void *context)
{
        kept = call;
}

static void run_is_kept(struct nsm_call *call, void *context)
{
        nsm_call_reply(call, json_pack("{s:b}", "kept", kept != NULL));
}

static void run_release(struct nsm_call *call, void *context)
{
        if (kept)
                nsm_call_reply(kept, json_pack("{s:b}", "kept", 1));
        kept = NULL;
        nsm_call_reply(call, json_object());
}

static void run_big(struct nsm_call *call, void *context)
{
        json_t *all = json_array();

        for (int i = 0; i < 100000; i++)
                json_array_append_new(all, json_integer(i));
        nsm_call_reply(call, json_pack("{s:o}", "numbers", all));
}

static void run_busy(struct nsm_call *call, void *context)
{
        nsm_call_fail(call, "io.nsmount.Busy", json_pack("{s:s, s:[{s:i}]}", "text", "in use",
                                                         "holders", "pid", 42));
}

static void serve(int fd)
{
        static const struct nsm_server_method methods[] = {
                { "io.test.Echo", run_echo }, { "io.test.Stat", run_stat },
                { "io.test.Keep", run_keep }, { "io.test.Release", run_release },
                { "io.test.Big", run_big },   { "io.test.Busy", run_busy },
                { "io.test.IsKept", run_is_kept },
        };
        static const struct nsm_server_interface interface = {
                "io.test", "interface io.test\n", methods, sizeof methods / sizeof methods[0], NULL,
        };
        struct nsm_server *server;
        sd_event *event;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_event_new(&event) < 0 || nsm_server_new(event, fd, &interface, &server) < 0)
                _exit(1);
        _exit(sd_event_loop(event) < 0);
}

static int listen_in(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", path, NSM_CONTROL_SOCKET);
        cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        cr_assert_eq(listen(fd, 64), 0);
        return fd;
}

static void set_up(void)
{
        int fd;

        if (geteuid() != 0)
                cr_skip_test("needs root: the server serves nobody else");
        strcpy(dir, "/tmp/nsm-control-XXXXXX");
        cr_assert_not_null(mkdtemp(dir));
        fd = listen_in(dir);
        server_pid = fork();
        if (server_pid == 0)
                serve(fd);
        close(fd);
}

static void tear_down(void)
{
        char path[128];

        if (server_pid > 0) {
                kill(server_pid, SIGKILL);
                waitpid(server_pid, NULL, 0);
        }
        snprintf(path, sizeof path, "%s/%s", dir, NSM_CONTROL_SOCKET);
        unlink(path);
        rmdir(dir);
}

#endif
