/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/ops/changes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/view/age.h"
#include "fs/view/moved.h"

#define STACK_SIZE ((size_t)64 << 10)
#define BATCH 8192

struct nsm_changes {
        struct nsm_fs *fs;
        struct fuse_session *fuse;
        int pipe_fd; /* owned, or -1 */
        pthread_t thread;
        _Atomic bool pages; /* there are some that have to be looked after */
};

/* The record of an inode that a change names, or 0. Under the view's lock. */
static uint64_t find(const struct nsm_view *view, uint64_t ino, uint64_t birth, uint16_t type)
{
        struct nsm_identity identity = { .ino = ino, .birth = birth, .type = type };

        return type ? nsm_table_find(&view->table, &identity) : 0;
}

static void forget_inode(struct nsm_changes *c, uint64_t node, bool data)
{
        if (node)
                fuse_lowlevel_notify_inval_inode(c->fuse, node, data ? 0 : -1, 0);
}

/*
 * The name is asked for again when it is next used. Not taken out at once: what
 * is mounted below it would go, too. A kernel that can not do that (before 6.2)
 * asks when the name's time is over.
 */
static void forget_name(struct nsm_changes *c, uint64_t dir, const char *name, size_t len)
{
        forget_inode(c, dir, false);
        fuse_lowlevel_notify_expire_entry(c->fuse, dir, name, len);
}

static void apply(struct nsm_changes *c, const struct nsm_worker_change *change)
{
        struct nsm_view *view = c->fs->view;

        pthread_mutex_lock(&view->lock);
        uint64_t dir = change->name_len ? find(view, change->dir_ino, change->dir_birth, S_IFDIR)
                                        : 0;
        uint64_t node = find(view, change->ino, change->birth, change->type);
        pthread_mutex_unlock(&view->lock);
        if (dir && node && (change->what & NSM_CHANGE_HERE))
                nsm_moved_note(view, node, dir, change->name);
        if (dir)
                forget_name(c, dir, change->name, change->name_len);
        forget_inode(c, node, change->what & NSM_CHANGE_DATA);
        atomic_fetch_add_explicit(&view->stats->changes, 1, memory_order_relaxed);
}

/* Whether a whole record is there and makes sense; a part of one is left for later. */
static bool is_whole(const struct nsm_worker_change *change, size_t n)
{
        return n >= sizeof *change && change->size >= sizeof *change && change->size % 8 == 0 &&
               change->size <= n;
}

static bool is_sound(const struct nsm_worker_change *change)
{
        return sizeof *change + change->name_len < change->size &&
               change->name[change->name_len] == '\0' &&
               strlen(change->name) == change->name_len;
}

/* Applies all whole records of a buffer; returns how many bytes of it are done. */
static size_t apply_all(struct nsm_changes *c, const char *buffer, size_t n)
{
        size_t at = 0;

        while (n - at >= sizeof(struct nsm_worker_change)) {
                const struct nsm_worker_change *change = (const void *)(buffer + at);
                if (!is_whole(change, n - at))
                        break;
                if (is_sound(change))
                        apply(c, change);
                at += change->size;
        }
        return at;
}

static void read_changes(struct nsm_changes *c, char *buffer, size_t *used)
{
        ssize_t n = read(c->pipe_fd, buffer + *used, BATCH - *used);

        if (n <= 0)
                return;
        *used += (size_t)n;
        size_t done = apply_all(c, buffer, *used);
        if (done == 0 && *used > NSM_WORKER_CHANGE_MAX)
                done = *used; /* what makes no sense is not kept */
        memmove(buffer, buffer + done, *used - done);
        *used -= done;
}

static void look_after_pages(struct nsm_changes *c)
{
        struct nsm_aging aging = { 0 };

        while (nsm_age_next(c->fs->view, &aging))
                forget_inode(c, aging.node, true);
        if (aging.left)
                atomic_store(&c->pages, true);
}

static uint64_t now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until something comes through the pipe, pages need looking after, or @due; 0: no such time. */
static bool wait_for_changes(struct nsm_changes *c, uint64_t due)
{
        struct pollfd poll = { .fd = c->pipe_fd, .events = POLLIN };
        uint64_t now = now_ms(), ms = due > now ? due - now : 0;
        struct timespec wait = { .tv_sec = (time_t)(ms / 1000),
                                 .tv_nsec = (long)(ms % 1000) * 1000000 };
        sigset_t mask;

        /* Sent by nsm_changes_note_pages(), and let in nowhere but here. */
        sigfillset(&mask);
        sigdelset(&mask, SIGUSR1);
        return ppoll(&poll, 1, due ? &wait : NULL, &mask) > 0;
}

static void *serve_changes(void *arg)
{
        struct nsm_changes *c = arg;
        char buffer[BATCH] __attribute__((aligned(8)));
        size_t used = 0;
        uint64_t due = 0; /* when pages are looked after; 0: there are none */

        for (;;) {
                if (!due && atomic_exchange(&c->pages, false))
                        due = now_ms() + NSM_PAGES_AGE_MS;
                if (wait_for_changes(c, due))
                        read_changes(c, buffer, &used);
                if (due && now_ms() >= due) {
                        look_after_pages(c);
                        due = 0;
                }
        }
        return NULL;
}

int nsm_changes_start(struct nsm_fs *fs, struct fuse_session *fuse, int pipe_fd,
                      struct nsm_changes **ret)
{
        cleanup_free struct nsm_changes *c = calloc(1, sizeof *c);
        pthread_attr_t attr;
        sigset_t all, before;

        if (!c)
                return -ENOMEM;
        *c = (struct nsm_changes){ .fs = fs, .fuse = fuse, .pipe_fd = pipe_fd };
        int r = -pthread_attr_init(&attr);
        if (r < 0)
                return r;
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        r = -pthread_create(&c->thread, &attr, serve_changes, c);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        if (r == 0)
                *ret = nsm_take_ptr(c);
        return r;
}

void nsm_changes_note_pages(struct nsm_changes *changes, uint64_t handle)
{
        if (!changes || !nsm_age_note(changes->fs->view, handle))
                return;
        if (!atomic_exchange(&changes->pages, true))
                pthread_kill(changes->thread, SIGUSR1);
}
