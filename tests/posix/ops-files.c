/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/posix/engine.h"

static int result(int64_t r)
{
        return r < 0 ? -errno : (int)r;
}

/* open SLOT PATH FLAGS [MODE]; slot `-`: closed at once */
static int op_open(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[1]);
        int fd = openat(p.fd, p.name, px_flags(px, a[2]) | O_CLOEXEC,
                        n > 3 ? (mode_t)px_number(px, a[3]) : 0);

        if (fd < 0)
                return -errno;
        if (a[0][0] == '-') {
                close(fd);
                return 0;
        }
        int slot = px_slot(px, a[0]);
        if (px->slots[slot] >= 0)
                close(px->slots[slot]);
        px->slots[slot] = fd;
        return 0;
}

static int op_close(struct px *px, char **a, int n)
{
        int slot = px_slot(px, a[0]), fd = px->slots[slot];

        px->slots[slot] = -1;
        return result(close(fd));
}

static int op_create(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        int fd = openat(p.fd, p.name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                        n > 1 ? (mode_t)px_number(px, a[1]) : 0644);

        return fd < 0 ? -errno : result(close(fd));
}

static int op_write(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];

        return result(n > 2 ? pwrite(fd, a[1], strlen(a[1]), px_number(px, a[2]))
                            : write(fd, a[1], strlen(a[1])));
}

static int op_read(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];
        size_t room = (size_t)px_number(px, a[1]);
        ssize_t len = n > 2 ? pread(fd, px->text, room, px_number(px, a[2]))
                            : read(fd, px->text, room);

        px->text[len < 0 ? 0 : len] = '\0';
        return result(len);
}

/* put PATH TEXT: opens, truncates, writes, closes */
static int op_put(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        int fd = openat(p.fd, p.name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        int r;

        if (fd < 0)
                return -errno;
        r = result(write(fd, a[1], strlen(a[1])));
        close(fd);
        return r < 0 ? r : 0;
}

static int op_get(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        int fd = openat(p.fd, p.name, O_RDONLY | O_CLOEXEC);
        ssize_t len;

        if (fd < 0)
                return -errno;
        len = read(fd, px->text, sizeof px->text - 1);
        px->text[len < 0 ? 0 : len] = '\0';
        if (len == 0)
                strcpy(px->text, "(empty)");
        close(fd);
        return result(len);
}

static int op_truncate(struct px *px, char **a, int n)
{
        return result(truncate(a[0], px_number(px, a[1])));
}

static int op_ftruncate(struct px *px, char **a, int n)
{
        return result(ftruncate(px->slots[px_slot(px, a[0])], px_number(px, a[1])));
}

/* fallocate SLOT MODE OFFSET LENGTH */
static int op_fallocate(struct px *px, char **a, int n)
{
        return result(fallocate(px->slots[px_slot(px, a[0])], px_flags(px, a[1]),
                                px_number(px, a[2]), px_number(px, a[3])));
}

/* lseek SLOT OFFSET WHENCE */
static int op_lseek(struct px *px, char **a, int n)
{
        return result(lseek(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                            (int)px_number(px, a[2])));
}

static int op_fsync(struct px *px, char **a, int n)
{
        return result(fsync(px->slots[px_slot(px, a[0])]));
}

/* program PATH: a program that pauses; run PATH SECONDS-LESS: executes it and says how it went */
static int op_program(struct px *px, char **a, int n)
{
        char block[65536];
        int in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
        int out = open(a[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        ssize_t len = -1;

        while (in >= 0 && out >= 0 && (len = read(in, block, sizeof block)) > 0)
                if (write(out, block, (size_t)len) != len)
                        break;
        if (in >= 0)
                close(in);
        if (out >= 0)
                close(out);
        return len == 0 ? 0 : -errno;
}

/* spawn SLOT PATH: runs a program until its slot is closed; exec'ed when this returns */
static int op_spawn(struct px *px, char **a, int n)
{
        int slot = px_slot(px, a[0]), hold[2], error[2], e = 0;
        pid_t pid;

        if (pipe2(hold, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                char *const argv[] = { (char *)"cat", NULL };

                dup2(hold[0], 0);
                execv(a[1], argv);
                e = errno;
                if (write(error[1], &e, sizeof e) < 0)
                        _exit(1);
                _exit(1);
        }
        close(hold[0]);
        close(error[1]);
        if (read(error[0], &e, sizeof e) <= 0)
                e = 0; /* closed by exec */
        close(error[0]);
        if (e) {
                close(hold[1]);
                waitpid(pid, NULL, 0);
                return -e;
        }
        px->slots[slot] = hold[1];
        return 0;
}

/* reap SLOT: ends what `spawn` began, and waits for it */
static int op_reap(struct px *px, char **a, int n)
{
        int slot = px_slot(px, a[0]);

        close(px->slots[slot]);
        px->slots[slot] = -1;
        return wait(NULL) < 0 ? -errno : 0;
}

/* run PATH: executes a program that ends at once */
static int op_run(struct px *px, char **a, int n)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                char *const argv[] = { (char *)"true", NULL };

                execv(a[0], argv);
                _exit(errno);
        }
        return waitpid(pid, &status, 0) < 0 ? -errno : -WEXITSTATUS(status);
}

static int op_posix_fallocate(struct px *px, char **a, int n)
{
        return -posix_fallocate(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                                px_number(px, a[2]));
}

/* bytes SLOT OFFSET N: what is there, as hexadecimal digits */
static int op_bytes(struct px *px, char **a, int n)
{
        unsigned char bytes[PX_TEXT_MAX / 2 - 1];
        size_t room = (size_t)px_number(px, a[2]);
        ssize_t len = pread(px->slots[px_slot(px, a[0])], bytes,
                            room < sizeof bytes ? room : sizeof bytes, px_number(px, a[1]));

        for (ssize_t i = 0; i < len; i++)
                snprintf(px->text + 2 * i, 3, "%02x", bytes[i]);
        return result(len);
}

/* blob PATH SIZE: a file with so many bytes */
static int op_blob(struct px *px, char **a, int n)
{
        char block[4096];
        int64_t left = px_number(px, a[1]);
        int fd = open(a[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ssize_t len = 0;

        memset(block, 'x', sizeof block);
        for (; fd >= 0 && left > 0; left -= len) {
                len = write(fd, block, left < (int64_t)sizeof block ? (size_t)left : sizeof block);
                if (len <= 0)
                        break;
        }
        if (fd < 0 || len < 0)
                return -errno;
        return result(close(fd));
}

static int op_fsynced(struct px *px, char **a, int n)
{
        int fd = open(a[0], O_RDONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        r = result(fsync(fd));
        close(fd);
        return r;
}

const struct px_operation px_ops_files[] = {
        { "open", op_open, 3, 4 },           { "close", op_close, 1, 1 },
        { "create", op_create, 1, 2 },       { "write", op_write, 2, 3 },
        { "read", op_read, 2, 3 },           { "put", op_put, 2, 2 },
        { "get", op_get, 1, 1 },             { "truncate", op_truncate, 2, 2 },
        { "ftruncate", op_ftruncate, 2, 2 }, { "fallocate", op_fallocate, 4, 4 },
        { "lseek", op_lseek, 3, 3 },         { "fsync", op_fsync, 1, 1 },
        { "program", op_program, 1, 1 },     { "spawn", op_spawn, 2, 2 },
        { "reap", op_reap, 1, 1 },           { "run", op_run, 1, 1 },
        { "bytes", op_bytes, 3, 3 },         { "blob", op_blob, 2, 2 },
        { "fsynced", op_fsynced, 1, 1 },
        { "posixfallocate", op_posix_fallocate, 3, 3 },
        { NULL, NULL, 0, 0 },
};
