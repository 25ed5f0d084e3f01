/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, busybox systems, and waiting. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/harness/private.h"

const char *nsm_world_read_file(struct nsm_world *world, const char *path)
{
        cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
        cleanup_free char *text = NULL;
        size_t len = 0, size = 0;
        ssize_t n;

        if (fd < 0)
                return NULL;
        do { /* sizes of files in /proc are not known before */
                if (size - len < 4096) {
                        size = size ? size * 2 : 16384;
                        text = realloc(text, size);
                        if (!text)
                                nsm_harness_die("no memory");
                }
                n = read(fd, text + len, size - len - 1);
                len += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        if (n < 0)
                return NULL;

        char *kept = nsm_world_keep(world, len + 1);
        memcpy(kept, text, len);
        return kept;
}

static void write_file(const char *path, const char *text)
{
        cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                nsm_harness_die("%s: %s", path, strerror(errno));
}

void nsm_world_write_file(struct nsm_world *world, const char *path, const char *text)
{
        (void)world;
        write_file(path, text);
}

/* ---- a busybox system ---- */

/* Makes @path below @dir the id's; @path is kept apart so that nothing is followed. */
static void own(int dir, const char *path, uint32_t id)
{
        if (fchownat(dir, path, id, id, AT_SYMLINK_NOFOLLOW) < 0)
                nsm_harness_die("%s: %s", path, strerror(errno));
}

static void copy_busybox(int dir, uint32_t id)
{
        cleanup_fd int in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
        cleanup_fd int out = openat(dir, "bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        ssize_t n;

        if (in < 0 || out < 0)
                nsm_harness_die("/bin/busybox (package busybox-static): %s", strerror(errno));
        while ((n = sendfile(out, in, NULL, 1 << 24)) > 0)
                ;
        if (n < 0)
                nsm_harness_die("copying busybox: %s", strerror(errno));
        own(dir, "bin/busybox", id);
}

static void link_applets(int dir, uint32_t id)
{
        cleanup_free char *line = NULL;
        size_t size = 0;
        FILE *list = popen("/bin/busybox --list", "re");

        while (list && getline(&line, &size, list) > 0) {
                char path[PATH_MAX];

                line[strcspn(line, "\n")] = '\0';
                snprintf(path, sizeof(path), "bin/%s", line);
                if (strcmp(line, "busybox") == 0)
                        continue;
                if (symlinkat("busybox", dir, path) < 0)
                        nsm_harness_die("%s: %s", path, strerror(errno));
                own(dir, path, id);
        }
        if (!list || pclose(list) != 0)
                nsm_harness_die("busybox --list failed");
}

void nsm_fill_busybox(const char *where, const char *hostname, uint32_t id)
{
        static const struct {
                const char *name;
                mode_t mode;
                uint32_t user;
        } dirs[] = {
                {"bin", 0755, 0},  {"etc", 0755, 0},  {"proc", 0755, 0},
                {"sys", 0755, 0},  {"dev", 0755, 0},  {"run", 0755, 0},
                {"tmp", 01777, 0}, {"root", 0700, 0}, {"home", 0755, 0},
                {"var", 0755, 0},  {"mnt", 0755, 0},  {"home/user", 0755, 1000},
        };
        static const char *const files[] = {"etc/hostname", "etc/passwd", "etc/group",
                                            "home/user/hello"};
        cleanup_fd int dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX], text[256];

        if (dir < 0)
                nsm_harness_die("%s: %s", where, strerror(errno));
        for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
                if (mkdirat(dir, dirs[i].name, dirs[i].mode) < 0 ||
                    fchmodat(dir, dirs[i].name, dirs[i].mode, 0) < 0)
                        nsm_harness_die("%s/%s: %s", where, dirs[i].name, strerror(errno));
                own(dir, dirs[i].name, id + dirs[i].user);
        }
        copy_busybox(dir, id);
        link_applets(dir, id);
        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
                static const char *const texts[] = {
                        NULL,
                        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
                        "root:x:0:\nuser:x:1000:\n", NULL};

                snprintf(path, sizeof(path), "%s/%s", where, files[i]);
                snprintf(text, sizeof(text), "%s\n", hostname);
                write_file(path, texts[i] ? texts[i] : text);
                own(dir, files[i], id + (i == 3 ? 1000 : 0));
        }
        own(dir, ".", id);
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool nsm_wait_until(int limit_ms, bool (*condition)(void *), void *arg)
{
        int64_t end = now_ms() + limit_ms;
        const struct timespec pause = {0, 5000000};

        while (!condition(arg)) {
                if (now_ms() >= end)
                        return false;
                nanosleep(&pause, NULL);
        }
        return true;
}

bool nsm_process_lives(pid_t pid)
{
        char path[64], line[512];
        cleanup_file FILE *f = NULL;
        const char *state;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f || !fgets(line, sizeof(line), f))
                return false;
        state = strrchr(line, ')'); /* the name may hold anything */
        return state && state[1] && state[2] != 'Z' && state[2] != 'X';
}

struct sleeper {
        pid_t pid;
        long number;
};

static bool is_asleep(void *arg)
{
        const struct sleeper *s = arg;
        char path[64], line[64];
        cleanup_file FILE *f = NULL;
        long number;

        snprintf(path, sizeof(path), "/proc/%d/syscall", s->pid);
        f = fopen(path, "re");
        return f && fgets(line, sizeof(line), f) && sscanf(line, "%ld", &number) == 1 &&
               number == s->number; /* else "running" */
}

bool nsm_process_wait_asleep(pid_t pid, long number, int limit_ms)
{
        struct sleeper s = { pid, number };

        return nsm_wait_until(limit_ms, is_asleep, &s);
}

static bool is_gone(void *arg)
{
        return !nsm_process_lives(*(pid_t *)arg);
}

bool nsm_process_wait_gone(pid_t pid, int limit_ms)
{
        return nsm_wait_until(limit_ms, is_gone, &pid);
}
