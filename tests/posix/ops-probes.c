/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probes of several processes, limits, and what has no name; all probes by name. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/posix/probes.h"

#define RECORDS 100
#define WRITERS 4

int px_probe_file(const char *name, char c)
{
        char bytes[PX_PROBE_SIZE];
        int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        memset(bytes, c, sizeof bytes);
        return fd >= 0 && write(fd, bytes, sizeof bytes) == PX_PROBE_SIZE ? fd : -1;
}

char px_probe_byte(int fd, off_t at)
{
        char c = '?';

        return pread(fd, &c, 1, at) == 1 ? c : '?';
}

int px_probe_child(int (*fn)(void *arg), void *arg, int *ret_signal)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                const struct rlimit none = { 0, 0 };

                _exit(setrlimit(RLIMIT_CORE, &none) < 0 ? 1 : fn(arg));
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
                return -1;
        if (ret_signal)
                *ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- several writers ---- */

struct writer {
        int number;
        bool shares_offset;
        int fd;
};

/* Records "<N....>" whose length goes with their number. */
static int write_records(void *arg)
{
        const struct writer *w = arg;
        char record[64];
        int fd = w->shares_offset ? w->fd : open("log", O_WRONLY | O_APPEND | O_CLOEXEC);

        for (int i = 0; i < RECORDS; i++) {
                int len = 10 + (w->number * 7 + i) % 40;

                memset(record, 'a' + w->number, sizeof record);
                record[0] = '<';
                record[len - 1] = '>';
                MUST(write(fd, record, (size_t)len) == len);
        }
        return 0;
}

static int check_records(size_t expected)
{
        cleanup_fd int fd = open("log", O_RDONLY | O_CLOEXEC);
        static char all[WRITERS * RECORDS * 64];
        ssize_t size = pread(fd, all, sizeof all, 0);
        size_t records = 0;

        MUST(size > 0);
        for (char *at = all, *end; at < all + size; at = end + 1, records++) {
                MUST(at[0] == '<');
                end = memchr(at, '>', (size_t)(all + size - at));
                MUST(end);
                for (char *c = at + 2; c < end; c++)
                        MUST(*c == at[1]);
        }
        MUST(records == expected);
        return 0;
}

static int write_at_once(bool shares_offset)
{
        cleanup_fd int fd = open("log", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        pid_t pids[WRITERS];
        int status, bad = 0;

        MUST(fd >= 0);
        for (int i = 0; i < WRITERS; i++) {
                struct writer w = { i, shares_offset, fd };

                pids[i] = fork();
                if (pids[i] == 0)
                        _exit(write_records(&w) ? 1 : 0);
        }
        for (int i = 0; i < WRITERS; i++)
                bad |= waitpid(pids[i], &status, 0) != pids[i] || status != 0;
        MUST(!bad);
        return check_records(WRITERS * RECORDS);
}

static int probe_appended_by_several(struct px *px)
{
        return write_at_once(false);
}

static int probe_written_by_several(struct px *px)
{
        return write_at_once(true);
}

/* ---- limits ---- */

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
        signals = signals + 1;
}

/* The results of writing and growing about a limit of 5,000 bytes, and signals sent. */
static int grow_past_limit(void *arg)
{
        struct rlimit limit = { 5000, 5000 };
        struct sigaction sa = { .sa_handler = count_signal };
        cleanup_fd int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

        MUST(fd >= 0 && sigaction(SIGXFSZ, &sa, NULL) == 0);
        MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        MUST(pwrite(fd, "0123456789", 10, 4995) == 5 && signals == 0);
        MUST(pwrite(fd, "x", 1, 5000) < 0 && errno == EFBIG && signals == 1);
        MUST(pwrite(fd, "x", 1, 70000) < 0 && errno == EFBIG && signals == 2);
        MUST(ftruncate(fd, 5001) < 0 && errno == EFBIG && signals == 3);
        MUST(ftruncate(fd, 5000) == 0 && truncate("f", 6000) < 0 && errno == EFBIG);
        MUST(signals == 4 && fallocate(fd, 0, 0, 5000) == 0);
        MUST(fallocate(fd, 0, 0, 5001) < 0 && errno == EFBIG && signals == 5);
        MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9000) == 0 && signals == 5);
        MUST(pwrite(fd, "x", 1, 10) == 1 && lseek(fd, 0, SEEK_END) == 5000);
        return 0;
}

static int probe_file_size_limit(struct px *px)
{
        return px_probe_child(grow_past_limit, NULL, NULL);
}

static int exceed_limit(void *arg)
{
        struct rlimit limit = { 10, 10 };
        cleanup_fd int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

        MUST(fd >= 0 && signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
        MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        return (int)pwrite(fd, "x", 1, 10);
}

static int probe_file_size_signal(struct px *px)
{
        int sig;

        MUST(px_probe_child(exceed_limit, NULL, &sig) == -1 && sig == SIGXFSZ);
        return 0;
}

/* ---- what has no name any more ---- */

static int probe_nameless(struct px *px)
{
        cleanup_fd int fd = px_probe_file("f", 'a');
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        struct stat st;
        char path[32];

        MUST(unlink("f") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
        MUST(pwrite(fd, "b", 1, 0) == 1 && px_probe_byte(fd, 0) == 'b' && ftruncate(fd, 100) == 0);
        MUST(fchmod(fd, 0600) == 0 && fchown(fd, 0, 0) == 0 && futimens(fd, NULL) == 0);
        MUST(fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0);
        MUST(fsync(fd) == 0 && fallocate(fd, 0, 0, 9000) == 0);
        MUST(fstat(fd, &st) == 0 && st.st_size == 9000 && (st.st_mode & 07777) == 0600);
        MUST(linkat(fd, "", AT_FDCWD, "back", AT_EMPTY_PATH) < 0 && errno == ENOENT);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        cleanup_fd int again = open(path, O_RDWR | O_CLOEXEC);
        MUST(again >= 0 && px_probe_byte(again, 0) == 'b' && truncate(path, 1) == 0);
        MUST(fstat(again, &st) == 0 && st.st_size == 1);
        /* The name is free, and means another file. */
        cleanup_fd int other = px_probe_file("f", 'o');
        MUST(px_probe_byte(fd, 0) == 'b' && px_probe_byte(other, 0) == 'o');
        return 0;
}

/* ---- FIFOs and sockets ---- */

static int write_to_fifo(void *arg)
{
        cleanup_fd int fd = open("p", O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, "hello", 5) == 5 ? 0 : 1;
}

static int probe_fifo(struct px *px)
{
        char got[16];
        pid_t pid;
        int status;

        MUST(mkfifo("p", 0600) == 0);
        MUST(open("p", O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0 && errno == ENXIO);
        pid = fork();
        if (pid == 0)
                _exit(write_to_fifo(NULL));
        cleanup_fd int fd = open("p", O_RDONLY | O_CLOEXEC); /* waits for the writer */
        MUST(fd >= 0 && read(fd, got, sizeof got) == 5 && memcmp(got, "hello", 5) == 0);
        MUST(waitpid(pid, &status, 0) == pid && status == 0 && read(fd, got, 1) == 0);
        cleanup_fd int both = open("p", O_RDWR | O_TRUNC | O_CLOEXEC);
        MUST(both >= 0 && lseek(both, 0, SEEK_SET) < 0 && errno == ESPIPE);
        MUST(truncate("p", 0) < 0 && errno == EINVAL);
        return 0;
}

static int probe_socket(struct px *px)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "s" };
        struct sockaddr_un moved = { .sun_family = AF_UNIX, .sun_path = "t" };
        cleanup_fd int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cleanup_fd int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cleanup_fd int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        MUST(bind(server, (struct sockaddr *)&at, sizeof at) == 0 && listen(server, 5) == 0);
        MUST(bind(late, (struct sockaddr *)&at, sizeof at) < 0 && errno == EADDRINUSE);
        MUST(open("s", O_RDWR | O_CLOEXEC) < 0 && errno == ENXIO);
        MUST(rename("s", "t") == 0);
        MUST(connect(client, (struct sockaddr *)&at, sizeof at) < 0 && errno == ENOENT);
        MUST(connect(client, (struct sockaddr *)&moved, sizeof moved) == 0);
        close(nsm_take_fd(&server));
        MUST(connect(late, (struct sockaddr *)&moved, sizeof moved) < 0 && errno == ECONNREFUSED);
        return 0;
}

/* ---- programs ---- */

static int copy_program(const char *from, const char *to)
{
        cleanup_fd int in = open(from, O_RDONLY | O_CLOEXEC);
        cleanup_fd int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        char buf[65536];
        ssize_t len;

        while ((len = read(in, buf, sizeof buf)) > 0)
                if (write(out, buf, (size_t)len) != len)
                        return -1;
        return len == 0 && out >= 0 ? 0 : -1;
}

static int execute(void *arg)
{
        execl(arg, arg, (char *)NULL);
        return errno == ETXTBSY ? 26 : 126;
}

static int probe_programs(struct px *px)
{
        static char program[] = "./program", script[] = "./script";
        static const char text[] = "#!/bin/sh\ntest $0 = ./script && exit 7\n";

        /* What has just been written runs, and can be written again when it has ended. */
        for (int i = 0; i < 10; i++) {
                MUST(copy_program("/bin/true", program) == 0);
                MUST(px_probe_child(execute, program, NULL) == 0);
        }
        cleanup_fd int writer = open(program, O_WRONLY | O_CLOEXEC);
        MUST(writer >= 0 && px_probe_child(execute, program, NULL) == 26);
        close(nsm_take_fd(&writer));
        MUST(px_probe_child(execute, program, NULL) == 0 && chmod(program, 0644) == 0);
        MUST(px_probe_child(execute, program, NULL) == 126);
        cleanup_fd int fd = open(script, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        MUST(write(fd, text, sizeof text - 1) == sizeof text - 1);
        close(nsm_take_fd(&fd));
        MUST(px_probe_child(execute, script, NULL) == 7);
        return 0;
}

/* ---- what the kernel decides ---- */

static int probe_epoll(struct px *px)
{
        cleanup_fd int fd = px_probe_file("f", 'a'), epoll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event event = { .events = EPOLLIN };

        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int probe_read_nowait(struct px *px)
{
        cleanup_fd int fd = px_probe_file("f", 'a');
        char c;
        struct iovec iov = { &c, 1 };

        return preadv2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 ? -errno : 0;
}

static int probe_direct_odd_buffer(struct px *px)
{
        _Alignas(4096) static char block[8192];
        cleanup_fd int fd = px_probe_file("f", 'a');

        nsm_close_fd(fd);
        fd = open("f", O_RDONLY | O_DIRECT | O_CLOEXEC);

        return pread(fd, block + 1, 4096, 0) < 0 ? -errno : 0;
}

static const struct px_probe probes[] = {
        { "programs", probe_programs },
        { "epoll", probe_epoll },
        { "read-nowait", probe_read_nowait },
        { "direct-odd-buffer", probe_direct_odd_buffer },
        { "appended-by-several", probe_appended_by_several },
        { "written-by-several", probe_written_by_several },
        { "file-size-limit", probe_file_size_limit },
        { "file-size-signal", probe_file_size_signal },
        { "nameless", probe_nameless },
        { "fifo", probe_fifo },
        { "socket", probe_socket },
        { NULL },
};

/* probe NAME: 0, or the line of this file that did not hold; or what the probe wrote */
static int op_probe(struct px *px, char **a, int n)
{
        static const struct px_probe *const tables[] = { probes, px_probes_mappings };

        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
                for (const struct px_probe *probe = tables[i]; probe->name; probe++)
                        if (strcmp(probe->name, a[0]) == 0)
                                return probe->run(px);
        px_die(px, "no probe %s", a[0]);
}

const struct px_operation px_ops_probes[] = {
        { "probe", op_probe, 1, 1 },
        { NULL },
};
