/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables that clean up after themselves, and the two ways out of them.
 *
 * A descriptor or a pointer is born in such a variable and leaves it by
 * nsm_take_fd() or nsm_take_ptr(). All destructors keep errno.
 */
#ifndef NSM_BASE_CLEANUP_H
#define NSM_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define nsm_cleanup(fn) __attribute__((cleanup(fn)))

static inline void nsm_close_fd(int fd)
{
        if (fd >= 0) {
                int saved = errno;
                close(fd);
                errno = saved;
        }
}

static inline void nsm_cleanup_fdp(int *fd)
{
        nsm_close_fd(*fd);
}

static inline void nsm_cleanup_freep(void *p)
{
        int saved = errno;
        free(*(void **)p);
        errno = saved;
}

static inline void nsm_cleanup_filep(FILE **f)
{
        if (*f) {
                int saved = errno;
                fclose(*f);
                errno = saved;
        }
}

static inline void nsm_cleanup_dirp(DIR **d)
{
        if (*d) {
                int saved = errno;
                closedir(*d);
                errno = saved;
        }
}

#define cleanup_fd nsm_cleanup(nsm_cleanup_fdp)
#define cleanup_free nsm_cleanup(nsm_cleanup_freep)
#define cleanup_file nsm_cleanup(nsm_cleanup_filep)
#define cleanup_dir nsm_cleanup(nsm_cleanup_dirp)

/* Gives a descriptor away: the variable forgets it. */
static inline int nsm_take_fd(int *fd)
{
        int taken = *fd;
        *fd = -1;
        return taken;
}

/* Gives a pointer away: the variable forgets it. */
#define nsm_take_ptr(p)                  \
        ({                               \
                typeof(p) *nsm_at = &(p); \
                typeof(p) nsm_v = *nsm_at; \
                *nsm_at = NULL;          \
                nsm_v;                   \
        })

#endif
