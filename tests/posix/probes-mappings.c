/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are mapped. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tests/posix/probes.h"

static char *map(int fd, int how)
{
        char *at = mmap(NULL, PX_PROBE_SIZE, PROT_READ | PROT_WRITE, how, fd, 0);

        return at == MAP_FAILED ? NULL : at;
}

static int store_elsewhere(void *arg)
{
        cleanup_fd int fd = open("m", O_RDWR | O_CLOEXEC);
        char *shared = fd < 0 ? NULL : map(fd, MAP_SHARED);

        MUST(shared && shared[0] == 'S' && px_probe_byte(fd, 0) == 'S');
        shared[1] = 'C';
        return 0;
}

static int probe_mapped(struct px *px)
{
        cleanup_fd int fd = px_probe_file("m", 'a');
        char *shared = map(fd, MAP_SHARED), *other = map(fd, MAP_SHARED);
        char *own = map(fd, MAP_PRIVATE);

        MUST(shared && other && own);
        shared[0] = 'S';
        MUST(other[0] == 'S' && px_probe_byte(fd, 0) == 'S' && own[0] == 'S');
        MUST(px_probe_child(store_elsewhere, NULL, NULL) == 0);
        MUST(shared[1] == 'C' && px_probe_byte(fd, 1) == 'C');
        MUST(pwrite(fd, "W", 1, 2) == 1 && shared[2] == 'W' && own[2] == 'W');
        own[3] = 'P';
        MUST(px_probe_byte(fd, 3) == 'a' && shared[3] == 'a');
        MUST(pwrite(fd, "X", 1, 4) == 1 && own[4] == 'a' && shared[4] == 'X');
        MUST(msync(shared, PX_PROBE_SIZE, MS_SYNC) == 0);
        MUST(msync(shared, PX_PROBE_SIZE, MS_ASYNC) == 0);
        munmap(own, PX_PROBE_SIZE);
        munmap(other, PX_PROBE_SIZE);
        /* A mapping outlives the descriptor and the name. */
        close(nsm_take_fd(&fd));
        MUST(link("m", "n") == 0 && unlink("m") == 0);
        shared[5] = 'L';
        munmap(shared, PX_PROBE_SIZE);
        cleanup_fd int again = open("n", O_RDONLY | O_CLOEXEC);
        MUST(px_probe_byte(again, 5) == 'L');
        return 0;
}

static int load_past_end(void *arg)
{
        volatile char *at = arg;

        (void)signal(SIGBUS, SIG_DFL); /* a sanitizer would report it */
        return at[8192] == 0 ? 0 : 1;
}

static int probe_mapped_past_end(struct px *px)
{
        cleanup_fd int fd = px_probe_file("m", 'a');
        char *shared = map(fd, MAP_SHARED);
        int sig;

        MUST(shared && ftruncate(fd, 100) == 0 && shared[99] == 'a' && shared[100] == 0);
        MUST(px_probe_child(load_past_end, shared, &sig) == -1 && sig == SIGBUS);
        /* What lies past the end in the last page is nobody's. */
        shared[200] = 'x';
        MUST(msync(shared, 4096, MS_SYNC) == 0 && ftruncate(fd, PX_PROBE_SIZE) == 0);
        MUST(px_probe_byte(fd, 200) == 0 && px_probe_byte(fd, 99) == 'a' && shared[200] == 0);
        MUST(px_probe_child(load_past_end, shared, &sig) == 0);
        munmap(shared, PX_PROBE_SIZE);
        return 0;
}

static int probe_mapped_modes(struct px *px)
{
        static const int ways[] = { O_RDONLY, O_WRONLY, O_RDWR };
        static const int prots[] = { PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE,
                                     PROT_READ | PROT_EXEC };
        size_t used = 0;

        nsm_close_fd(px_probe_file("m", 'a'));
        for (size_t w = 0; w < 3; w++) {
                cleanup_fd int fd = open("m", ways[w] | O_CLOEXEC);

                for (size_t p = 0; p < 4; p++)
                        for (int how = MAP_SHARED; how <= MAP_SHARED_VALIDATE; how++) {
                                void *at = mmap(NULL, PX_PROBE_SIZE, prots[p], how, fd, 0);

                                px->text[used++] = at == MAP_FAILED ? errno == EACCES ? 'A' : 'E'
                                                                    : 'o';
                                if (at != MAP_FAILED)
                                        munmap(at, PX_PROBE_SIZE);
                        }
        }
        return 0;
}

static int probe_direct_and_mapped(struct px *px)
{
        _Alignas(4096) static char block[4096];
        cleanup_fd int fd = px_probe_file("m", 'a');
        cleanup_fd int direct = open("m", O_RDWR | O_DIRECT | O_CLOEXEC);
        char *shared = map(fd, MAP_SHARED);

        MUST(shared && direct >= 0);
        shared[0] = 'S';
        MUST(pread(direct, block, sizeof block, 0) == 4096 && block[0] == 'S' && block[1] == 'a');
        block[1] = 'D';
        MUST(pwrite(direct, block, sizeof block, 0) == 4096);
        MUST(shared[1] == 'D' && px_probe_byte(fd, 1) == 'D' && px_probe_byte(fd, 4096) == 'a');
        MUST(pwrite(fd, "B", 1, 2) == 1);
        MUST(pread(direct, block, sizeof block, 0) == 4096 && block[2] == 'B');
        munmap(shared, PX_PROBE_SIZE);
        return 0;
}

const struct px_probe px_probes_mappings[] = {
        { "mapped", probe_mapped },
        { "mapped-past-end", probe_mapped_past_end },
        { "mapped-modes", probe_mapped_modes },
        { "direct-and-mapped", probe_direct_and_mapped },
        { NULL },
};
