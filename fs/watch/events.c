/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the kernel's events to what views are told. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/watch/private.h"

/* Bytes of events that are read at once. */
#define BATCH 65536
/* Batches that are read before the views are told. */
#define BATCHES_MAX 16

/* What one event says, its records found. Pointers lead into the event. */
struct happening {
        uint64_t mask;
        pid_t pid;
        struct file_handle *dir, *new_dir, *target;
        const char *name, *new_name;
};

static struct file_handle *handle_in(struct fanotify_event_info_header *info)
{
        return (struct file_handle *)((struct fanotify_event_info_fid *)(void *)info)->handle;
}

static const char *name_behind(const struct file_handle *handle)
{
        return (const char *)handle->f_handle + handle->handle_bytes;
}

static void take_info(struct fanotify_event_info_header *info, struct happening *h)
{
        struct file_handle *handle = handle_in(info);

        switch (info->info_type) {
        case FAN_EVENT_INFO_TYPE_FID:
                h->target = handle;
                break;
        case FAN_EVENT_INFO_TYPE_DFID_NAME:
        case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
                h->dir = handle;
                h->name = name_behind(handle);
                break;
        case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
                h->new_dir = handle;
                h->new_name = name_behind(handle);
                break;
        }
}

/* @event is a copy of what stands at @begin, where it may be aligned to 4 bytes only. */
static struct happening parse(char *begin, const struct fanotify_event_metadata *event)
{
        struct happening h = { .mask = event->mask, .pid = event->pid };
        char *at = begin + event->metadata_len, *end = begin + event->event_len;

        while (at + sizeof(struct fanotify_event_info_header) <= end) {
                struct fanotify_event_info_header *info = (void *)at;
                if (info->len == 0)
                        break;
                take_info(info, &h);
                at += info->len;
        }
        return h;
}

void nsm_watch_flush(struct nsm_watched_view *view)
{
        /* All or nothing; what finds no room is seen by timeouts. */
        if (view->used && write(view->pipe_fd, view->out, view->used) < 0 && errno == EINTR)
                return;
        view->used = 0;
}

static void put(struct nsm_watched_view *view, const struct nsm_worker_change *change,
                const char *name)
{
        if (view->used + change->size > sizeof view->out)
                nsm_watch_flush(view);
        if (view->used + change->size > sizeof view->out)
                return;
        struct nsm_worker_change *out = (void *)(view->out + view->used);
        memset(out, 0, change->size);
        *out = *change;
        memcpy(out->name, name, change->name_len);
        view->used += change->size;
}

/* Tells those whose volume a place is in, but whoever did it. */
static void tell(struct nsm_watch *watch, const struct nsm_watched_place *place, unsigned what,
                 const char *name, const struct nsm_watched_inode *inode, pid_t pid)
{
        size_t len = what & NSM_CHANGE_NAME ? strlen(name) : 0;
        struct nsm_worker_change change = {
                .size = (uint16_t)((sizeof change + len + 8) / 8 * 8),
                .what = (uint16_t)what,
                .type = inode->type,
                .name_len = (uint16_t)len,
                .dir_ino = place->ino,
                .dir_birth = place->birth,
                .ino = inode->ino,
                .birth = inode->birth,
        };

        if (place->source == 0 || len > NAME_MAX || (!len && !inode->type))
                return;
        for (size_t i = 0; i < watch->n_views; i++)
                if (watch->views[i]->source == place->source && watch->views[i]->pid != pid)
                        put(watch->views[i], &change, name);
}

static struct nsm_watched_inode look_at_target(const struct nsm_watch *watch,
                                               struct file_handle *handle)
{
        struct nsm_watched_inode inode = { 0 };
        cleanup_fd int fd = -1;
        struct statx stx;

        if (handle && nsm_watch_look(watch, handle, &fd, &stx) == 0)
                inode = (struct nsm_watched_inode){ .ino = stx.stx_ino,
                                                    .birth = nsm_watch_birth(&stx),
                                                    .type = stx.stx_mode & S_IFMT };
        return inode;
}

static unsigned what_of(uint64_t mask)
{
        return (mask & (FAN_CREATE | FAN_DELETE | FAN_RENAME) ? NSM_CHANGE_NAME : 0) |
               (mask & FAN_ATTRIB ? NSM_CHANGE_ATTR : 0) |
               (mask & (FAN_MODIFY | FAN_CLOSE_WRITE) ? NSM_CHANGE_DATA : 0);
}

/* Whether nobody has to be told, because the worker itself did it. */
static bool is_known(const struct nsm_watch *watch, pid_t pid)
{
        for (size_t i = 0; !watch->twins && i < watch->n_views; i++)
                if (watch->views[i]->pid == pid)
                        return true;
        return false;
}

static void handle_event(struct nsm_watch *watch, struct happening *h)
{
        struct nsm_watched_place from = { 0 }, to = { 0 };
        struct nsm_watched_inode inode = { 0 };
        unsigned what = what_of(h->mask);

        /* What is known of places ends when a directory moves, even by a worker. */
        if ((h->mask & FAN_RENAME) && (h->mask & FAN_ONDIR))
                watch->generation++;
        if (is_known(watch, h->pid) || !h->dir || nsm_watch_find_place(watch, h->dir, &from) < 0)
                return;
        if (h->new_dir && nsm_watch_find_place(watch, h->new_dir, &to) < 0)
                return;
        if (!from.source && !to.source)
                return;
        if (strcmp(h->name, ".") == 0) { /* the directory itself */
                inode = (struct nsm_watched_inode){ from.ino, from.birth, S_IFDIR };
                what &= ~NSM_CHANGE_NAME;
        } else {
                inode = look_at_target(watch, h->target);
        }
        tell(watch, &from, what, h->name, &inode, h->pid);
        if (h->new_dir)
                tell(watch, &to, what | NSM_CHANGE_HERE, h->new_name, &inode, h->pid);
}

static void handle_batch(struct nsm_watch *watch, char *events, size_t n)
{
        struct fanotify_event_metadata event;

        for (size_t at = 0; n - at >= sizeof event; at += event.event_len) {
                memcpy(&event, events + at, sizeof event);
                if (event.event_len < sizeof event || event.event_len > n - at)
                        break;
                struct happening h = parse(events + at, &event);
                handle_event(watch, &h);
        }
}

int nsm_watch_read(struct nsm_watch *watch)
{
        char events[BATCH] __attribute__((aligned(8)));
        ssize_t n = 0;

        for (int i = 0; i < BATCHES_MAX; i++) {
                n = read(watch->group_fd, events, sizeof events);
                if (n <= 0)
                        break;
                handle_batch(watch, events, (size_t)n);
        }
        int r = n < 0 ? -errno : 0;
        for (size_t i = 0; i < watch->n_views; i++)
                nsm_watch_flush(watch->views[i]);
        return r;
}
