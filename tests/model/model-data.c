/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on data: by descriptors, and by mappings. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "tests/model/model.h"

char *model_buffer(size_t n, long seed)
{
        static char buffer[MODEL_BUFFER] __attribute__((aligned(4096)));

        if (n > sizeof buffer)
                abort();
        for (size_t i = 0; i < n; i++)
                buffer[i] = (char)(seed + (long)(i >> 9) + (long)(i & 63));
        return buffer;
}

uint64_t model_hash(uint64_t hash, const void *data, size_t n)
{
        const unsigned char *at = data;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ at[i]) * 0x100000001b3ULL + 1;
        return hash;
}

static long received(struct model_result *r, const char *data, ssize_t n)
{
        if (n > 0)
                r->hash = model_hash(0, data, (size_t)n);
        return n;
}

/*
 * Whether a file is open with O_DIRECT, and what is asked for suits no disk: how
 * far that goes before it fails depends on where the file has holes.
 */
static bool unsuitable(int fd, long at, long size)
{
        return (fcntl(fd, F_GETFL) & O_DIRECT) && fcntl(fd, F_GETFL) > 0 &&
               (at | size | lseek(fd, 0, SEEK_CUR)) % 512;
}

MODEL_RUN(write_here)
{
        if (unsuitable(s->fd[op->n[0]], 0, op->n[1]))
                return -1;
        return write(s->fd[op->n[0]], model_buffer((size_t)op->n[1], op->n[2]), (size_t)op->n[1]);
}

MODEL_RUN(pwrite)
{
        if (unsuitable(s->fd[op->n[0]], op->n[1], op->n[2]))
                return -1;
        return pwrite(s->fd[op->n[0]], model_buffer((size_t)op->n[2], op->n[3]), (size_t)op->n[2],
                      op->n[1]);
}

MODEL_RUN(read_here)
{
        char *to = model_buffer((size_t)op->n[1], 0);

        if (unsuitable(s->fd[op->n[0]], 0, op->n[1]))
                return -1;
        return received(r, to, read(s->fd[op->n[0]], to, (size_t)op->n[1]));
}

MODEL_RUN(pread)
{
        char *to = model_buffer((size_t)op->n[2], 0);

        if (unsuitable(s->fd[op->n[0]], op->n[1], op->n[2]))
                return -1;
        return received(r, to, pread(s->fd[op->n[0]], to, (size_t)op->n[2], op->n[1]));
}

/*
 * A directory's places are the filesystem's own. Blocks that were allocated and
 * not written are data or a hole by what happens to be cached, and what was
 * stored by a mapping is known to the storage when the kernel has written it.
 */
MODEL_RUN(seek)
{
        struct stat st;

        if (fstat(s->fd[op->n[0]], &st) < 0 || S_ISDIR(st.st_mode) ||
            (s->vague && (op->n[2] == SEEK_DATA || op->n[2] == SEEK_HOLE)))
                return -1;
        return lseek(s->fd[op->n[0]], op->n[1], (int)op->n[2]);
}

MODEL_RUN(truncate)
{
        return truncate(model_path(op->path[0]), op->n[0]);
}

MODEL_RUN(ftruncate)
{
        return ftruncate(s->fd[op->n[0]], op->n[1]);
}

MODEL_RUN(fstat)
{
        r->has_stat = true;
        return statx(s->fd[op->n[0]], "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &r->stat);
}

MODEL_RUN(fallocate)
{
        if (!(op->n[3] & FALLOC_FL_PUNCH_HOLE))
                s->vague = true;
        return fallocate(s->fd[op->n[0]], (int)op->n[3], op->n[1], op->n[2]);
}

MODEL_RUN(copy)
{
        loff_t from = op->n[2], to = op->n[2] / 2;

        if (unsuitable(s->fd[op->n[0]], 1, 0) || unsuitable(s->fd[op->n[1]], 1, 0))
                return -1;
        return copy_file_range(s->fd[op->n[0]], &from, s->fd[op->n[1]], &to, (size_t)op->n[3], 0);
}

MODEL_RUN(sendfile)
{
        off_t from = op->n[2];
        struct stat st;

        /* Pipes go another way in the kernel, and a pipe's end may be waited for. */
        if (fstat(s->fd[op->n[1]], &st) < 0 || !S_ISREG(st.st_mode) ||
            unsuitable(s->fd[op->n[0]], 1, 0) || unsuitable(s->fd[op->n[1]], 1, 0))
                return -1;
        return sendfile(s->fd[op->n[1]], s->fd[op->n[0]], &from, (size_t)op->n[3]);
}

MODEL_RUN(fsync)
{
        return op->n[1] ? fsync(s->fd[op->n[0]]) : fdatasync(s->fd[op->n[0]]);
}

MODEL_RUN(setfl)
{
        int fd = s->fd[op->n[0]], now = fcntl(fd, F_GETFL);
        int to = (int)op->n[1] & (O_APPEND | O_DIRECT | O_NOATIME);

        /* Who opened it for reading cannot take this away: fs/README.md. */
        if (now > 0 && (now & O_DIRECT) && (now & O_ACCMODE) != O_WRONLY)
                to |= O_DIRECT;
        return fcntl(fd, F_SETFL, to | O_NONBLOCK);
}

MODEL_RUN(lock)
{
        static const short kinds[] = { F_RDLCK, F_WRLCK, F_UNLCK, F_RDLCK };
        struct flock lock = {
                .l_type = kinds[op->n[3]],
                .l_whence = SEEK_SET,
                .l_start = op->n[1],
                .l_len = op->n[2] & 3 ? op->n[2] : 0,
        };

        return fcntl(s->fd[op->n[0]], F_OFD_SETLK, &lock);
}

MODEL_RUN(flock)
{
        static const int kinds[] = { LOCK_SH, LOCK_EX, LOCK_UN, LOCK_UN };

        return flock(s->fd[op->n[0]], kinds[op->n[1]] | LOCK_NB);
}

static void unmap(struct model_side *s, long map)
{
        if (!s->map[map].at)
                return;
        munmap(s->map[map].at, s->map[map].length);
        close(s->map[map].fd);
        s->map[map].at = NULL;
}

/* n[3]: bit 0 writable, bit 1 private, bit 2 the whole from the file's begin. */
MODEL_RUN(map)
{
        int fd = s->fd[op->n[0]];
        int protection = PROT_READ | (op->n[3] & 1 ? PROT_WRITE : 0);
        size_t length = 0x20000;
        struct stat st;

        if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
                return -1;
        void *at = mmap(NULL, length, protection, op->n[3] & 2 ? MAP_PRIVATE : MAP_SHARED, fd,
                        op->n[3] & 4 ? 0 : op->n[2] & ~4095L);
        if (at == MAP_FAILED)
                return -1;
        unmap(s, op->n[1]);
        s->vague = s->late = true;
        s->map[op->n[1]].at = at;
        s->map[op->n[1]].length = length;
        s->map[op->n[1]].offset = op->n[3] & 4 ? 0 : op->n[2] & ~4095L;
        s->map[op->n[1]].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return 0;
}

MODEL_RUN(unmap)
{
        unmap(s, op->n[0]);
        return 0;
}

/* The process has one thread: where it goes on after SIGBUS or SIGSEGV. */
static sigjmp_buf beyond;

static void on_beyond(int sig)
{
        siglongjmp(beyond, sig);
}

static long copy_guarded(char *to, const char *from, size_t n)
{
        struct sigaction act = { .sa_handler = on_beyond }, before[2];
        volatile long result = (long)n;
        int sig;

        sigaction(SIGBUS, &act, &before[0]);
        sigaction(SIGSEGV, &act, &before[1]);
        sig = sigsetjmp(beyond, 1);
        if (sig == 0) {
                memcpy(to, from, n);
        } else {
                errno = sig;
                result = -1;
        }
        sigaction(SIGBUS, &before[0], NULL);
        sigaction(SIGSEGV, &before[1], NULL);
        return result;
}

static bool in_map(const struct model_side *s, long map, long at, long *n)
{
        if (!s->map[map].at || *n == 0)
                return false;
        if (at + *n > (long)s->map[map].length)
                *n = (long)s->map[map].length - at;
        return at < (long)s->map[map].length;
}

MODEL_RUN(load)
{
        long n = op->n[2];
        char *to = model_buffer(op->n[2] > 0 ? (size_t)op->n[2] : 0, 0);

        if (!in_map(s, op->n[0], op->n[1], &n))
                return -1;
        return received(r, to, copy_guarded(to, s->map[op->n[0]].at + op->n[1], (size_t)n));
}

MODEL_RUN(store)
{
        long map = op->n[0], n = op->n[2];
        const char *from = model_buffer((size_t)op->n[2], op->n[3]);
        struct stat st;

        if (!in_map(s, map, op->n[1], &n) || fstat(s->map[map].fd, &st) < 0)
                return -1;
        /* Of what is stored beyond the file's end, in its last page, nobody promises anything. */
        long left = st.st_size - (s->map[map].offset + op->n[1]);
        if (left <= 0 && left > -4096)
                return -1;
        n = left > 0 && n > left ? left : n;
        /* One page: of what went before the page that is missing, nobody knows. */
        n = n > 4096 - (op->n[1] & 4095) ? 4096 - (op->n[1] & 4095) : n;
        return copy_guarded(s->map[map].at + op->n[1], from, (size_t)n);
}

MODEL_RUN(msync)
{
        long map = op->n[0];

        if (!s->map[map].at)
                return -1;
        return msync(s->map[map].at, s->map[map].length, op->n[1] ? MS_SYNC : MS_ASYNC);
}
