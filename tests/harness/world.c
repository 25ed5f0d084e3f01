/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The world: directory, ids, guardian, and what lives as long as it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "fs/base/cleanup.h"
#include "tests/harness/private.h"

/* Where host ids of tests begin, and how many worlds there may be at once. */
#define FIRST_ID 0x10000000U
#define WORLDS_MAX 220U

static pid_t test_process; /* whose words Criterion hears; its children are not */

void nsm_harness_die(const char *fmt, ...)
{
        cleanup_free char *text = NULL;
        va_list args;

        va_start(args, fmt);
        if (vasprintf(&text, fmt, args) < 0)
                abort();
        va_end(args);
        fprintf(stderr, "harness: %s\n", text);
        if (getpid() == test_process)
                cr_assert(false, "%s", text); /* --tap drops what a test prints */
        abort();
}

static const char *build_dir(void)
{
        const char *dir = getenv("NSM_BUILD_DIR");

        return dir && *dir ? dir : NSM_HARNESS_BUILD_DIR;
}

const char *nsm_harness_missing(void)
{
        static const char *const programs[] = {"nsmountd", "nsmountfs", "nsmount"};
        char path[PATH_MAX];

        if (geteuid() != 0)
                return "needs root";
        if (access("/dev/fuse", R_OK | W_OK) < 0)
                return "needs /dev/fuse";
        for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
                snprintf(path, sizeof(path), "%s/%s", build_dir(), programs[i]);
                if (access(path, X_OK) < 0)
                        return "needs nsmountd, nsmountfs and nsmount, built";
        }
        return NULL;
}

bool nsm_harness_must_run(void)
{
        const char *ci = getenv("CI"), *must = getenv("NSM_MUST_RUN");

        return (ci && strcmp(ci, "true") == 0) || (must && strcmp(must, "1") == 0);
}

/* ---- what lives as long as the world ---- */

void *nsm_world_keep(struct nsm_world *world, size_t size)
{
        struct nsm_kept *kept = calloc(1, sizeof(*kept) + size);

        if (!kept)
                nsm_harness_die("no memory");
        kept->next = world->own->kept;
        world->own->kept = kept;
        return kept->data;
}

void nsm_world_keep_fd(struct nsm_world *world, int *fd)
{
        struct nsm_descriptor *d = nsm_world_keep(world, sizeof(*d));

        d->fd = fd;
        d->next = world->own->descriptors;
        world->own->descriptors = d;
}

char *nsm_world_printf(struct nsm_world *world, const char *fmt, ...)
{
        va_list args;
        cleanup_free char *text = NULL;
        char *kept;
        int n;

        va_start(args, fmt);
        n = vasprintf(&text, fmt, args);
        va_end(args);
        if (n < 0)
                nsm_harness_die("no memory");
        kept = nsm_world_keep(world, (size_t)n + 1);
        memcpy(kept, text, (size_t)n + 1);
        return kept;
}

/* ---- ids ---- */

/* An abstract socket's name is taken by one process at a time, and leaves no file. */
static int take_ids(struct nsm_world *world)
{
        for (uint32_t i = 0; i < WORLDS_MAX; i++) {
                struct sockaddr_un name = {.sun_family = AF_UNIX};
                /* Tests that run at once begin at different places. */
                uint32_t slot = (i + (uint32_t)getpid()) % WORLDS_MAX;
                int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
                                 "nsmount-test-ids-%u", slot);
                int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

                if (fd < 0)
                        nsm_harness_die("socket: %s", strerror(errno));
                if (bind(fd, (struct sockaddr *)&name,
                         (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n)) == 0) {
                        world->first_id = FIRST_ID + slot * NSM_WORLD_IDS;
                        return fd;
                }
                close(fd);
        }
        nsm_harness_die("all ranges of ids are taken: are %u tests running?", WORLDS_MAX);
}

/* ---- the guardian ---- */

__attribute__((noreturn)) static void become_guardian(struct nsm_world *world, int sock, int lock)
{
        cleanup_free char *path = NULL, *program = NULL;
        int log = open("guardian.log", O_WRONLY | O_CREAT | O_APPEND, 0600);

        if (asprintf(&program, "%s/tests/harness/nsm-guardian", world->build_dir) < 0 ||
            asprintf(&path, "%s:/usr/sbin:/usr/bin:/sbin:/bin", world->build_dir) < 0)
                _exit(1);
        setsid();
        setenv("PATH", path, 1);
        setenv("NSMOUNT_CONFIG", world->config_dir, 1);
        setenv("NSMOUNT_RUNTIME_DIR", world->runtime_dir, 1);
        setenv("LC_ALL", "C", 1);
        /* The lock stays with the guardian: ids are free when the processes are gone. */
        if (dup2(sock, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(lock, 3) < 0 ||
            fcntl(3, F_SETFD, 0) < 0)
                _exit(1);
        close_range(4, UINT_MAX, 0);
        execl(program, "nsm-guardian", world->dir, NULL);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(1);
}

static void start_guardian(struct nsm_world *world)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                nsm_harness_die("socketpair: %s", strerror(errno));
        world->own->guardian_pid = fork();
        if (world->own->guardian_pid < 0)
                nsm_harness_die("fork: %s", strerror(errno));
        if (world->own->guardian_pid == 0) {
                if (chdir(world->dir) < 0)
                        _exit(1);
                become_guardian(world, pair[1], world->own->id_lock);
        }
        close(pair[1]);
        close(nsm_take_fd(&world->own->id_lock));
        world->own->guardian = pair[0];
}

/* Appends one text; dies when the message would get too long. */
static size_t put_text(char *buffer, size_t len, const char *text)
{
        size_t n = strlen(text) + 1;

        if (len + n >= NSM_GUARDIAN_MESSAGE_MAX - 1)
                nsm_harness_die("a request to the guardian of more than %d bytes",
                                NSM_GUARDIAN_MESSAGE_MAX);
        memcpy(buffer + len, text, n);
        return len + n;
}

pid_t nsm_guardian_ask(struct nsm_world *world, const struct nsm_guardian_request *request,
                       const char *const *texts, const int *fds, int n_fds)
{
        cleanup_free char *buffer = calloc(1, NSM_GUARDIAN_MESSAGE_MAX);
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
        struct iovec iov = {buffer, sizeof(*request)};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        struct nsm_guardian_reply reply;

        if (!buffer)
                nsm_harness_die("no memory");
        memcpy(buffer, request, sizeof(*request));
        for (; *texts; texts++)
                iov.iov_len = put_text(buffer, iov.iov_len, *texts);
        if (n_fds > 0) {
                struct cmsghdr *c;

                msg.msg_control = control;
                msg.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
                c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
                memcpy(CMSG_DATA(c), fds, (size_t)n_fds * sizeof(int));
        }
        if (sendmsg(world->own->guardian, &msg, MSG_NOSIGNAL) < 0 ||
            recv(world->own->guardian, &reply, sizeof(reply), 0) != sizeof(reply))
                nsm_harness_die("the guardian is gone (see %s/guardian.log)", world->dir);
        if (reply.error < 0)
                nsm_harness_die("guardian: %s%s%s", reply.text, *reply.text ? ": " : "",
                                strerror(-reply.error));
        return reply.pid;
}

/* ---- the world ---- */

struct nsm_world *nsm_world_new(void)
{
        struct nsm_world *world = calloc(1, sizeof(*world));
        const char *parent = getenv("NSM_TEST_DIR");
        char dir[PATH_MAX];

        test_process = getpid();
        if (!world || !(world->own = calloc(1, sizeof(*world->own))))
                nsm_harness_die("no memory");
        snprintf(dir, sizeof(dir), "%s/nsmount-test-XXXXXX", parent && *parent ? parent : "/tmp");
        if (!mkdtemp(dir)) /* mode 0700 */
                nsm_harness_die("%s: %s", dir, strerror(errno));
        world->dir = nsm_world_printf(world, "%s", dir);
        world->config_dir = nsm_world_printf(world, "%s/etc", dir);
        world->runtime_dir = nsm_world_printf(world, "%s/run", dir);
        world->storage_dir = nsm_world_printf(world, "%s/storage", dir);
        world->log = nsm_world_printf(world, "%s/nsmountd.log", dir);
        world->build_dir = nsm_world_printf(world, "%s", build_dir());
        world->own->id_lock = take_ids(world);
        start_guardian(world);
        if (mkdir(world->config_dir, 0700) < 0 || mkdir(world->runtime_dir, 0700) < 0 ||
            mkdir(world->storage_dir, 0700) < 0 ||
            mkdir(nsm_world_printf(world, "%s/tenants.d", world->config_dir), 0700) < 0)
                nsm_harness_die("%s: %s", dir, strerror(errno));
        nsm_world_write_file(world, nsm_world_printf(world, "%s/nsmount.conf", world->config_dir),
                             nsm_world_printf(world, "[ids]\npool = %u:%u\n",
                                              world->first_id + NSM_WORLD_IDS / 2,
                                              NSM_WORLD_IDS / 2));
        return world;
}

/* What a sanitizer said of a supervisor or a worker must not pass unseen. */
static void check_log(struct nsm_world *world)
{
        const char *log = nsm_world_read_file(world, world->log);

        if (log && (strstr(log, "Sanitizer:") || strstr(log, ": runtime error: ")))
                nsm_harness_die("a sanitizer complains:\n%s", log);
}

void nsm_world_free(struct nsm_world *world)
{
        const struct nsm_guardian_request finish = {.op = NSM_GUARDIAN_FINISH};
        const char *const texts[] = {"", NULL};
        struct nsm_world_private *own;

        if (!world)
                return;
        own = world->own;
        check_log(world);
        nsm_guardian_ask(world, &finish, texts, NULL, 0);
        close(own->guardian);
        waitpid(own->guardian_pid, NULL, 0);
        for (struct nsm_descriptor *d = own->descriptors; d; d = d->next)
                nsm_close_fd(*d->fd);
        while (own->kept) {
                struct nsm_kept *next = own->kept->next;
                free(own->kept);
                own->kept = next;
        }
        free(own);
        free(world);
}

void nsm_world_freep(struct nsm_world **world)
{
        nsm_world_free(*world);
        *world = NULL;
}
