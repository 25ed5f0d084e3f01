/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands and functions, what they print and how they end; the supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/harness/private.h"

/* ---- processes ---- */

static int memory_file(void)
{
        int fd = memfd_create("nsm-output", MFD_CLOEXEC);

        if (fd < 0)
                nsm_harness_die("memfd_create: %s", strerror(errno));
        return fd;
}

/* A process that writes into memory, and the other ends of its descriptors. */
static struct nsm_process *new_process(struct nsm_world *world, int *ret_status_w)
{
        struct nsm_process *p = nsm_world_keep(world, sizeof(*p));
        int status[2];

        if (pipe2(status, O_CLOEXEC) < 0)
                nsm_harness_die("pipe2: %s", strerror(errno));
        p->world = world;
        p->out_fd = memory_file();
        p->err_fd = memory_file();
        p->status_fd = status[0];
        *ret_status_w = status[1];
        nsm_world_keep_fd(world, &p->out_fd);
        nsm_world_keep_fd(world, &p->err_fd);
        nsm_world_keep_fd(world, &p->status_fd);
        return p;
}

struct nsm_process *nsm_process_start(struct nsm_world *world, pid_t enter, const char *command)
{
        const struct nsm_guardian_request request = {.op = NSM_GUARDIAN_SPAWN, .enter = enter};
        const char *const texts[] = {command, NULL};
        cleanup_fd int status_w = -1;
        struct nsm_process *p = new_process(world, &status_w);

        p->pid = nsm_guardian_ask(world, &request, texts, (int[]){p->out_fd, p->err_fd, status_w},
                                  3);
        return p;
}

static char *take_text(struct nsm_world *world, int *fd, size_t *ret_len)
{
        struct stat st;
        char *text;

        if (fstat(*fd, &st) < 0)
                nsm_harness_die("reading an output: %s", strerror(errno));
        text = nsm_world_keep(world, (size_t)st.st_size + 1);
        if (pread(*fd, text, (size_t)st.st_size, 0) != st.st_size)
                nsm_harness_die("reading an output: %s", strerror(errno));
        close(nsm_take_fd(fd));
        *ret_len = (size_t)st.st_size;
        return text;
}

static int wait_readable(int fd, int limit_ms)
{
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        int r;

        do
                r = poll(&polled, 1, limit_ms);
        while (r < 0 && errno == EINTR);
        return r;
}

struct nsm_output *nsm_process_wait(struct nsm_process *p, int limit_ms)
{
        struct nsm_output *o = nsm_world_keep(p->world, sizeof(*o));
        bool late = wait_readable(p->status_fd, limit_ms) == 0;
        int status;

        if (late)
                kill(p->pid, SIGKILL);
        if (wait_readable(p->status_fd, NSM_HARNESS_LIMIT_MS) != 1 ||
            read(p->status_fd, &status, sizeof(status)) != sizeof(status))
                nsm_harness_die("process %d does not end", p->pid);
        close(nsm_take_fd(&p->status_fd));
        o->status = late ? -ETIME
                         : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        o->out = take_text(p->world, &p->out_fd, &o->out_len);
        o->err = take_text(p->world, &p->err_fd, &o->err_len);
        return o;
}

/* ---- commands ---- */

__attribute__((format(printf, 3, 0)))
static struct nsm_process *start_format(struct nsm_world *world, pid_t enter, const char *fmt,
                                        va_list args)
{
        cleanup_free char *command = NULL;

        if (vasprintf(&command, fmt, args) < 0)
                nsm_harness_die("no memory");
        return nsm_process_start(world, enter, command);
}

/* Ends the test unless it went well; says what the command was. */
__attribute__((format(printf, 3, 0)))
static const char *must(struct nsm_output *o, const char *where, const char *fmt, va_list args)
{
        cleanup_free char *command = NULL;

        if (o->status != 0 && vasprintf(&command, fmt, args) >= 0)
                nsm_harness_die("%s: %s\nended with %d\n%s%s", where, command, o->status, o->out,
                                o->err);
        return o->out;
}

struct nsm_process *nsm_world_spawn(struct nsm_world *world, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;

        va_start(args, fmt);
        p = start_format(world, 0, fmt, args);
        va_end(args);
        return p;
}

struct nsm_output *nsm_world_run(struct nsm_world *world, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;

        va_start(args, fmt);
        p = start_format(world, 0, fmt, args);
        va_end(args);
        return nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
}

const char *nsm_world_must(struct nsm_world *world, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;
        const char *out;

        va_start(args, fmt);
        p = start_format(world, 0, fmt, args);
        va_end(args);
        va_start(args, fmt);
        out = must(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS), "on the host", fmt, args);
        va_end(args);
        return out;
}

struct nsm_process *nsm_container_spawn(struct nsm_fake_container *container, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;

        va_start(args, fmt);
        p = start_format(container->world, container->pid, fmt, args);
        va_end(args);
        return p;
}

struct nsm_output *nsm_container_run(struct nsm_fake_container *container, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;

        va_start(args, fmt);
        p = start_format(container->world, container->pid, fmt, args);
        va_end(args);
        return nsm_process_wait(p, NSM_HARNESS_LIMIT_MS);
}

const char *nsm_container_must(struct nsm_fake_container *container, const char *fmt, ...)
{
        va_list args;
        struct nsm_process *p;
        const char *out;

        va_start(args, fmt);
        p = start_format(container->world, container->pid, fmt, args);
        va_end(args);
        va_start(args, fmt);
        out = must(nsm_process_wait(p, NSM_HARNESS_LIMIT_MS), "in a container", fmt, args);
        va_end(args);
        return out;
}

/* ---- functions ---- */

/* In the forked process: the function, in a child of its own once in a pid namespace. */
__attribute__((noreturn)) static void call_inside(pid_t enter, int (*fn)(void *), void *arg)
{
        int status = 0;
        pid_t pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (enter) {
                int r = nsm_guardian_enter(enter);

                if (r < 0) {
                        fprintf(stderr, "entering the namespaces of %d: %s\n", enter, strerror(-r));
                        _exit(126);
                }
        }
        pid = fork();
        if (pid < 0)
                _exit(126);
        if (pid == 0) {
                int r;

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                r = fn(arg);
                fflush(NULL);
                _exit(r);
        }
        if (waitpid(pid, &status, 0) < 0)
                _exit(126);
        _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static struct nsm_output *call(struct nsm_world *world, pid_t enter, int (*fn)(void *), void *arg)
{
        cleanup_fd int status_w = -1;
        struct nsm_process *p = new_process(world, &status_w);
        int status;

        fflush(NULL);
        p->pid = fork();
        if (p->pid < 0)
                nsm_harness_die("fork: %s", strerror(errno));
        if (p->pid == 0) {
                if (dup2(p->out_fd, 1) < 0 || dup2(p->err_fd, 2) < 0)
                        _exit(126);
                call_inside(enter, fn, arg);
        }
        /* Its own death closes the last end of the status pipe but ours: wait for that. */
        close(nsm_take_fd(&status_w));
        if (wait_readable(p->status_fd, NSM_HARNESS_LIMIT_MS) == 0)
                kill(p->pid, SIGKILL);
        if (waitpid(p->pid, &status, 0) != p->pid)
                nsm_harness_die("waitpid: %s", strerror(errno));

        struct nsm_output *o = nsm_world_keep(world, sizeof(*o));
        o->status = WIFSIGNALED(status) ? -ETIME : WEXITSTATUS(status);
        o->out = take_text(world, &p->out_fd, &o->out_len);
        o->err = take_text(world, &p->err_fd, &o->err_len);
        return o;
}

struct nsm_output *nsm_world_call(struct nsm_world *world, int (*fn)(void *), void *arg)
{
        return call(world, 0, fn, arg);
}

struct nsm_output *nsm_container_call(struct nsm_fake_container *container, int (*fn)(void *),
                                      void *arg)
{
        return call(container->world, container->pid, fn, arg);
}

/* ---- the supervisor ---- */

static bool control_answers(void *arg)
{
        struct nsm_world *world = arg;
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        struct ucred peer;
        socklen_t size = sizeof(peer);

        snprintf(name.sun_path, sizeof(name.sun_path), "%s/control", world->runtime_dir);
        /* A helper of a supervisor that was killed may still hold the former socket. */
        return connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0 &&
               getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
               peer.pid == world->supervisor;
}

static bool answers_or_ended(void *arg)
{
        struct nsm_world *world = arg;

        return control_answers(world) || wait_readable(world->own->supervisor->status_fd, 0) != 0;
}

void nsm_world_start_supervisor(struct nsm_world *world)
{
        cleanup_free char *command = NULL;

        if (world->supervisor)
                nsm_harness_die("a supervisor is running already");
        if (asprintf(&command, "exec nsmountd -f >>%s 2>&1", world->log) < 0)
                nsm_harness_die("no memory");
        world->own->supervisor = nsm_process_start(world, 0, command);
        world->supervisor = world->own->supervisor->pid;
        nsm_wait_until(NSM_HARNESS_LIMIT_MS, answers_or_ended, world);
        if (!control_answers(world)) {
                const char *log = nsm_world_read_file(world, world->log);
                nsm_harness_die("nsmountd does not answer:\n%s", log ? log : "(no log)");
        }
}

int nsm_world_end_supervisor(struct nsm_world *world, int sig)
{
        if (!world->supervisor)
                nsm_harness_die("no supervisor is running");
        kill(world->supervisor, sig);
        world->supervisor = 0;
        return nsm_process_wait(world->own->supervisor, NSM_HARNESS_LIMIT_MS)->status;
}
