/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/base/cleanup.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; older kernels say EINVAL */
#endif

/* Pages are given by the kernel when touched: a step costs nothing but a call. */
#define REGION_STEP ((size_t)1 << 20)
#define PAGE ((size_t)4096)

int nsm_region_init(struct nsm_region *region, const char *name, size_t reserve)
{
        cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create(name, MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        void *base = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (base == MAP_FAILED)
                return -errno;
        /* A core or a huge page would take memory that nothing was put in. */
        madvise(base, reserve, MADV_DONTDUMP);
        madvise(base, reserve, MADV_NOHUGEPAGE);
        *region = (struct nsm_region){ .fd = nsm_take_fd(&fd), .base = base, .reserve = reserve };
        return 0;
}

int nsm_region_grow(struct nsm_region *region, size_t need)
{
        if (need <= region->size)
                return 0;
        if (need > region->reserve)
                return -ENFILE;
        size_t size = (need + REGION_STEP - 1) / REGION_STEP * REGION_STEP;
        if (size > region->reserve)
                size = region->reserve;
        if (ftruncate(region->fd, (off_t)size) < 0)
                return -errno;
        region->size = size;
        return 0;
}

void nsm_region_discard(struct nsm_region *region, size_t keep)
{
        keep = (keep + PAGE - 1) / PAGE * PAGE;
        if (keep < region->size && ftruncate(region->fd, (off_t)keep) == 0)
                region->size = keep;
}

void nsm_region_punch(struct nsm_region *region, size_t from, size_t size)
{
        size_t first = (from + PAGE - 1) / PAGE * PAGE;
        size_t end = (from + size) / PAGE * PAGE;

        /* A failure leaves what is there, which nobody uses. */
        if (first < end)
                (void)fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)first, (off_t)(end - first));
}

void nsm_region_free(struct nsm_region *region)
{
        if (region->base)
                munmap(region->base, region->reserve);
        nsm_close_fd(region->fd);
        *region = (struct nsm_region)NSM_REGION_INIT;
}
