/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "fs/view/view.h"

void nsm_thread_free(void *thread)
{
        struct nsm_thread *t = thread;

        if (t)
                free(t->buffer);
        free(t);
}

struct nsm_thread *nsm_thread_get(struct nsm_view *view)
{
        struct nsm_thread *known = pthread_getspecific(view->thread_key);

        if (known)
                return known;
        cleanup_free struct nsm_thread *t = calloc(1, sizeof *t);
        if (!t)
                return NULL;
        if (unshare(CLONE_FS) < 0 || fchdir(view->proc_fd) < 0)
                return NULL;
        t->umask = umask(0);
        umask(t->umask);
        /* Whichever the thread that started this one had: inherited, and not asked for. */
        t->uid = NSM_ID_INVALID;
        t->gid = NSM_ID_INVALID;
        t->group = NSM_ID_INVALID;
        int r = nsm_sys_set_groups(0, NULL);
        if (r == 0)
                r = nsm_sys_get_capabilities(&t->permitted);
        if (r == 0) {
                t->effective = t->permitted & ~NSM_CAPS_HELD_BACK;
                r = nsm_sys_set_capabilities(t->effective, t->permitted);
        }
        if (r == 0)
                r = -pthread_setspecific(view->thread_key, t);
        if (r < 0) {
                errno = -r;
                return NULL;
        }
        return nsm_take_ptr(t);
}

int nsm_thread_become(struct nsm_thread *thread, uid_t uid, gid_t gid)
{
        /* What a new thread has is not known, and not what anybody asked for. */
        if (uid == NSM_ID_INVALID || gid == NSM_ID_INVALID)
                return -EPERM;
        int r = thread->gid == gid ? 0 : nsm_sys_set_fsgid(gid);
        if (r < 0)
                return r;
        thread->gid = gid;
        r = thread->uid == uid ? 0 : nsm_sys_set_fsuid(uid);
        if (r == 0)
                thread->uid = uid;
        return r;
}

int nsm_thread_join(struct nsm_thread *thread, gid_t group)
{
        if (thread->group == group)
                return 0;
        int r = nsm_sys_set_groups(group == NSM_ID_INVALID ? 0 : 1, &group);
        if (r == 0)
                thread->group = group;
        return r;
}

void nsm_thread_set_umask(struct nsm_thread *thread, mode_t mask)
{
        if (thread->umask != mask)
                umask(mask);
        thread->umask = mask;
}

static int set_effective(struct nsm_thread *thread, uint64_t effective)
{
        if (thread->effective == effective)
                return 0;
        int r = nsm_sys_set_capabilities(effective, thread->permitted);
        if (r == 0)
                thread->effective = effective;
        return r;
}

int nsm_thread_raise(struct nsm_thread *thread, int cap)
{
        return set_effective(thread, thread->effective |
                                     (thread->permitted & (uint64_t)1 << cap));
}

void nsm_thread_lower(struct nsm_thread *thread, int cap)
{
        set_effective(thread, thread->effective & ~((uint64_t)1 << cap));
}

void nsm_thread_settle(struct nsm_view *view)
{
        struct nsm_thread *thread = pthread_getspecific(view->thread_key);

        if (thread)
                nsm_thread_lower(thread, CAP_SYS_ADMIN);
}

int nsm_thread_keep_set_ids(struct nsm_thread *thread, bool keep)
{
        if (keep)
                return nsm_thread_raise(thread, CAP_FSETID);
        nsm_thread_lower(thread, CAP_FSETID);
        return 0;
}

char *nsm_thread_buffer(struct nsm_thread *thread, size_t size)
{
        if (size <= thread->buffer_size)
                return thread->buffer;
        size_t rounded = (size + 4095) / 4096 * 4096;
        nsm_thread_trim(thread);
        thread->buffer = malloc(rounded);
        if (thread->buffer)
                thread->buffer_size = rounded;
        return thread->buffer;
}

void nsm_thread_trim(struct nsm_thread *thread)
{
        free(nsm_take_ptr(thread->buffer));
        thread->buffer_size = 0;
}

struct nsm_fd_path nsm_fd_path(int fd)
{
        struct nsm_fd_path path;

        snprintf(path.text, sizeof path.text, "%d", fd);
        return path;
}

int nsm_fd_truncate(int fd, off_t size)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0)
                return -errno;
        /* open(2) with O_RDONLY and O_TRUNC truncates; ftruncate(2) would not. */
        bool writes = !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
        int r = writes ? ftruncate(fd, size) : truncate(nsm_fd_path(fd).text, size);
        return r < 0 ? -errno : 0;
}
