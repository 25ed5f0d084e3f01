/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on content: every way to change it, and looking at where it is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/posix/engine.h"

static int result(int64_t r)
{
        return r < 0 ? -errno : (int)r;
}

/* For results of 64 bits. */
static int text_of(struct px *px, int64_t r)
{
        if (r < 0)
                return -errno;
        snprintf(px->text, sizeof px->text, "%jd", (intmax_t)r);
        return 0;
}

/* ---- ways to change a file ---- */

static int64_t by_write(int fd)
{
        return write(fd, "x", 1);
}

static int64_t by_write_nothing(int fd)
{
        return write(fd, "", 0);
}

static int64_t by_pwrite(int fd)
{
        return pwrite(fd, "xy", 2, 3);
}

static int64_t by_writev(int fd)
{
        struct iovec v[2] = { { (char *)"x", 1 }, { (char *)"yz", 2 } };

        return writev(fd, v, 2);
}

static int64_t by_direct(int fd)
{
        _Alignas(4096) static char block[4096];

        return write(fd, block, sizeof block);
}

static int64_t by_ftruncate(int fd)
{
        return ftruncate(fd, 2);
}

static int64_t by_ftruncate_up(int fd)
{
        return ftruncate(fd, 5000);
}

static int64_t by_nothing(int fd)
{
        return 0;
}

static int64_t by_fallocate(int fd)
{
        return fallocate(fd, 0, 0, 4096);
}

static int64_t by_keep_size(int fd)
{
        return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int64_t by_punch(int fd)
{
        return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int64_t by_zero(int fd)
{
        return fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096);
}

/* A file to take content from, which is in no directory. */
static int source(void)
{
        int fd = memfd_create("source", MFD_CLOEXEC);

        if (fd < 0 || write(fd, "0123456789", 10) != 10 || lseek(fd, 0, SEEK_SET) != 0)
                return -1;
        return fd;
}

static int64_t by_sendfile(int fd)
{
        cleanup_fd int from = source();

        return sendfile(fd, from, NULL, 5);
}

static int64_t by_splice(int fd)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], "12345", 5) != 5)
                return -1;
        int64_t r = splice(ends[0], NULL, fd, NULL, 5, 0);
        close(ends[0]);
        close(ends[1]);
        return r;
}

/* Within the file: elsewhere would be another filesystem. */
static int64_t by_copy(int fd)
{
        off_t from = 0, to = 10;

        return copy_file_range(fd, &from, fd, &to, 5, 0);
}

static int64_t by_mmap(int fd)
{
        char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (at == MAP_FAILED)
                return -1;
        at[0] = 'M';
        int64_t r = msync(at, 4096, MS_SYNC);
        munmap(at, 4096);
        return r;
}

static const struct {
        const char *name;
        int flags;
        int64_t (*change)(int fd);
} ways[] = {
        { "write", O_WRONLY, by_write },
        { "write-nothing", O_WRONLY, by_write_nothing },
        { "pwrite", O_RDWR, by_pwrite },
        { "writev", O_WRONLY, by_writev },
        { "append", O_WRONLY | O_APPEND, by_write },
        { "sync", O_WRONLY | O_SYNC, by_write },
        { "direct", O_WRONLY | O_DIRECT, by_direct },
        { "ftruncate", O_WRONLY, by_ftruncate },
        { "ftruncate-up", O_WRONLY, by_ftruncate_up },
        { "open-trunc", O_WRONLY | O_TRUNC, by_nothing },
        { "open-trunc-creat", O_WRONLY | O_TRUNC | O_CREAT, by_nothing },
        { "open-trunc-read", O_RDONLY | O_TRUNC, by_nothing },
        { "fallocate", O_WRONLY, by_fallocate },
        { "keep-size", O_WRONLY, by_keep_size },
        { "punch", O_WRONLY, by_punch },
        { "zero", O_WRONLY, by_zero },
        { "sendfile", O_WRONLY, by_sendfile },
        { "splice", O_WRONLY, by_splice },
        { "copy", O_RDWR, by_copy },
        { "mmap", O_RDWR, by_mmap },
};

/* change HOW PATH, HOW from the table, or `truncate` */
static int op_change(struct px *px, char **a, int n)
{
        size_t i = 0;

        if (strcmp(a[0], "truncate") == 0)
                return result(truncate(a[1], 3));
        while (i < sizeof ways / sizeof *ways && strcmp(ways[i].name, a[0]) != 0)
                i++;
        if (i == sizeof ways / sizeof *ways)
                px_die(px, "no way to change a file: %s", a[0]);
        cleanup_fd int fd = open(a[1], ways[i].flags | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : result(ways[i].change(fd));
}

/* ---- places in a file ---- */

/* seek SLOT OFFSET SEEK_* */
static int op_seek(struct px *px, char **a, int n)
{
        return text_of(px, lseek(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                                 px_flags(px, a[2])));
}

/* extents SLOT: where there is data, "0-4096,8192-9000" */
static int op_extents(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];
        off_t at = 0, end;
        size_t used = 0;

        strcpy(px->text, "(none)");
        while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && used < sizeof px->text - 64) {
                end = lseek(fd, at, SEEK_HOLE);
                used += (size_t)sprintf(px->text + used, "%s%jd-%jd", used ? "," : "",
                                        (intmax_t)at, (intmax_t)end);
                at = end;
        }
        return at < 0 && errno != ENXIO ? -errno : 0;
}

/* runs SLOT: all content, "5*a,4091*.,2*b", NUL as '.' */
static int op_runs(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];
        size_t used = 0, count = 0;
        char bytes[65536], last = 0;
        ssize_t len;
        off_t at = 0;

        strcpy(px->text, "(empty)");
        while ((len = pread(fd, bytes, sizeof bytes, at)) > 0 && used < sizeof px->text - 64) {
                for (ssize_t i = 0; i < len; i++) {
                        if (count && bytes[i] != last && used < sizeof px->text - 64) {
                                used += (size_t)sprintf(px->text + used, "%zu*%c,", count,
                                                        last ? last : '.');
                                count = 0;
                        }
                        last = bytes[i];
                        count++;
                }
                at += len;
        }
        if (count)
                sprintf(px->text + used, "%zu*%c", count, last ? last : '.');
        return len < 0 ? -errno : 0;
}

/* fill SLOT BYTE OFFSET LENGTH */
static int op_fill(struct px *px, char **a, int n)
{
        size_t len = (size_t)px_number(px, a[3]);
        cleanup_free char *bytes = malloc(len);

        if (!bytes)
                px_die(px, "no memory");
        memset(bytes, a[1][0], len);
        return result(pwrite(px->slots[px_slot(px, a[0])], bytes, len, px_number(px, a[2])));
}

/* copy SLOT OFFSET SLOT OFFSET LENGTH */
static int op_copy(struct px *px, char **a, int n)
{
        off_t from = px_number(px, a[1]), to = px_number(px, a[3]);

        return text_of(px, copy_file_range(px->slots[px_slot(px, a[0])], &from,
                                           px->slots[px_slot(px, a[2])], &to,
                                           (size_t)px_number(px, a[4]), 0));
}

/* direct-read|direct-write SLOT OFFSET LENGTH: from an aligned buffer, unless it is */
static int direct(struct px *px, char **a, bool writes)
{
        _Alignas(4096) static char block[65536];
        int fd = px->slots[px_slot(px, a[0])];
        off_t at = px_number(px, a[1]);
        size_t len = (size_t)px_number(px, a[2]);

        if (len > sizeof block)
                px_die(px, "too long");
        memset(block, 'D', sizeof block);
        return result(writes ? pwrite(fd, block, len, at) : pread(fd, block, len, at));
}

static int op_direct_read(struct px *px, char **a, int n)
{
        return direct(px, a, false);
}

static int op_direct_write(struct px *px, char **a, int n)
{
        return direct(px, a, true);
}

/* ---- open files ---- */

static int op_setfl(struct px *px, char **a, int n)
{
        return result(fcntl(px->slots[px_slot(px, a[0])], F_SETFL, px_flags(px, a[1])));
}

static int op_fdatasync(struct px *px, char **a, int n)
{
        return result(fdatasync(px->slots[px_slot(px, a[0])]));
}

static int op_syncfs(struct px *px, char **a, int n)
{
        return result(syncfs(px->slots[px_slot(px, a[0])]));
}

/* sync-range SLOT OFFSET LENGTH FLAGS */
static int op_sync_range(struct px *px, char **a, int n)
{
        return result(sync_file_range(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                                      px_number(px, a[2]), (unsigned)px_number(px, a[3])));
}

static int op_fadvise(struct px *px, char **a, int n)
{
        return -posix_fadvise(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                              px_number(px, a[2]), (int)px_number(px, a[3]));
}

static int op_readahead(struct px *px, char **a, int n)
{
        return result(readahead(px->slots[px_slot(px, a[0])], px_number(px, a[1]),
                                (size_t)px_number(px, a[2])));
}

/* flags SLOT [+N|-N]: inode flags, or some set or cleared */
static int op_flags(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];
        unsigned now = 0;

        if (ioctl(fd, FS_IOC_GETFLAGS, &now) < 0)
                return -errno;
        if (n == 1) {
                snprintf(px->text, sizeof px->text, "%#x", now);
                return 0;
        }
        unsigned bits = (unsigned)px_number(px, a[1] + 1);
        now = a[1][0] == '+' ? now | bits : now & ~bits;
        return result(ioctl(fd, FS_IOC_SETFLAGS, &now));
}

/* xflags SLOT [+N|-N] [PROJECT]: the same by the other ioctl, and the project id */
static int op_xflags(struct px *px, char **a, int n)
{
        int fd = px->slots[px_slot(px, a[0])];
        struct fsxattr now = { 0 };

        if (ioctl(fd, FS_IOC_FSGETXATTR, &now) < 0)
                return -errno;
        if (n == 1) {
                snprintf(px->text, sizeof px->text, "%#x,%u", now.fsx_xflags, now.fsx_projid);
                return 0;
        }
        unsigned bits = (unsigned)px_number(px, a[1] + 1);
        now.fsx_xflags = a[1][0] == '+' ? now.fsx_xflags | bits : now.fsx_xflags & ~bits;
        if (n > 2)
                now.fsx_projid = (unsigned)px_number(px, a[2]);
        return result(ioctl(fd, FS_IOC_FSSETXATTR, &now));
}

/* ioctl SLOT NUMBER: with room for what it reads */
static int op_ioctl(struct px *px, char **a, int n)
{
        uint64_t room[64] = { 0 };

        return result(ioctl(px->slots[px_slot(px, a[0])], (unsigned long)px_number(px, a[1]),
                            room));
}

const struct px_operation px_ops_data[] = {
        { "change", op_change, 2, 2 },
        { "seek", op_seek, 3, 3 },
        { "extents", op_extents, 1, 1 },
        { "runs", op_runs, 1, 1 },
        { "fill", op_fill, 4, 4 },
        { "copy", op_copy, 5, 5 },
        { "direct-read", op_direct_read, 3, 3 },
        { "direct-write", op_direct_write, 3, 3 },
        { "setfl", op_setfl, 2, 2 },
        { "fdatasync", op_fdatasync, 1, 1 },
        { "syncfs", op_syncfs, 1, 1 },
        { "sync-range", op_sync_range, 4, 4 },
        { "fadvise", op_fadvise, 4, 4 },
        { "readahead", op_readahead, 3, 3 },
        { "flags", op_flags, 1, 2 },
        { "xflags", op_xflags, 1, 3 },
        { "ioctl", op_ioctl, 2, 2 },
        { NULL },
};
