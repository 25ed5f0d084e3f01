/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/watchers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "fs/base/sys.h"
#include "fs/watch/watch.h"

struct watcher {
        struct watcher *prev, *next;
        struct supervisor *supervisor;
        dev_t device; /* of the sources */
        uint64_t mount_id; /* of the host's mount that they are in */
        int socket_fd, pidfd; /* owned */
        sd_event_source *answers, *death;
};

static void free_watcher(struct watcher *watcher)
{
        sd_event_source_disable_unref(watcher->answers);
        sd_event_source_disable_unref(watcher->death);
        nsm_close_fd(watcher->socket_fd);
        nsm_close_fd(watcher->pidfd);
        free(watcher);
}

static struct view *find_view(struct supervisor *supervisor, uint64_t id)
{
        struct view *view;

        DL_FOREACH(supervisor->views, view)
                if (view->id == id)
                        return view;
        return NULL;
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct watcher *watcher = data;
        struct nsm_watch_answer answer;
        char name[VIEW_NAME_MAX];
        int r;

        while ((r = nsm_watch_receive(fd, &answer)) > 0) {
                struct view *view = find_view(watcher->supervisor, answer.view);
                if (!view)
                        continue;
                view->changes = answer.result < 0 ? VIEW_CHANGES_TIMEOUTS : VIEW_CHANGES_EVENTS;
                if (answer.result < 0)
                        nsm_log(LOG_INFO, "view %s: what others change is seen by timeouts: %s",
                                view_format_name(view, name, sizeof name),
                                strerror(-answer.result));
        }
        /* Its end is on_death()'s concern. */
        if (r == 0 || (r < 0 && r != -EAGAIN && r != -EINTR))
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* Without views it ends by itself, and an order may have crossed that; or it was killed. */
static int on_death(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct watcher *watcher = data;
        struct supervisor *supervisor = watcher->supervisor;
        struct view *view;

        on_answer(watcher->answers, watcher->socket_fd, 0, watcher);
        waitid(P_PIDFD, (id_t)watcher->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
        DL_DELETE(supervisor->watchers, watcher);
        DL_FOREACH(supervisor->views, view) {
                bool served = view->changes > VIEW_CHANGES_TIMEOUTS;
                if (view->watcher != watcher)
                        continue;
                view->watcher = NULL;
                if (served)
                        view->changes = VIEW_CHANGES_TIMEOUTS;
                if (served && !view->rewatched && view->state != VIEW_DEAD) {
                        view->rewatched = true;
                        watchers_resume(view);
                }
        }
        free_watcher(watcher);
        return 0;
}

static int start_watcher(struct supervisor *supervisor, dev_t device, uint64_t mount_id,
                         struct watcher **ret)
{
        struct watcher *watcher = calloc(1, sizeof *watcher);

        if (!watcher)
                return -ENOMEM;
        *watcher = (struct watcher){ .supervisor = supervisor, .device = device,
                                     .mount_id = mount_id, .socket_fd = -1, .pidfd = -1 };
        int r = nsm_watch_start(supervisor->worker_program, &watcher->socket_fd, &watcher->pidfd);
        if (r == 0)
                r = sd_event_add_io(supervisor->event, &watcher->answers, watcher->socket_fd,
                                    EPOLLIN, on_answer, watcher);
        if (r >= 0)
                r = sd_event_add_io(supervisor->event, &watcher->death, watcher->pidfd, EPOLLIN,
                                    on_death, watcher);
        if (r < 0) {
                free_watcher(watcher);
                return r;
        }
        DL_APPEND(supervisor->watchers, watcher);
        *ret = watcher;
        return 0;
}

static int find_watcher(struct supervisor *supervisor, int source_fd, struct watcher **ret)
{
        struct watcher *watcher;
        struct stat st;
        uint64_t mount_id;

        if (fstat(source_fd, &st) < 0)
                return -errno;
        int r = nsm_sys_mount_id(source_fd, "", AT_EMPTY_PATH, &mount_id);
        if (r < 0)
                return r;
        DL_FOREACH(supervisor->watchers, watcher) {
                if (watcher->device == st.st_dev && watcher->mount_id == mount_id) {
                        *ret = watcher;
                        return 0;
                }
        }
        return start_watcher(supervisor, st.st_dev, mount_id, ret);
}

void watchers_add(struct view *view, int source_fd, int pipe_fd)
{
        struct nsm_watch_order order = { .view = view->id, .pid = view->worker.pid };
        char name[VIEW_NAME_MAX];

        int r = find_watcher(view->supervisor, source_fd, &view->watcher);
        if (r == 0)
                r = nsm_watch_send(view->watcher->socket_fd, &order, source_fd, pipe_fd);
        view->changes = r < 0 && r != -EPIPE ? VIEW_CHANGES_TIMEOUTS : VIEW_CHANGES_PENDING;
        if (r < 0 && r != -EPIPE) /* that one ends just now: on_death() tries again */
                nsm_log(LOG_WARNING, "view %s: what others change is seen by timeouts: %s",
                        view_format_name(view, name, sizeof name), strerror(-r));
}

/* The directory may not be at its path any more. */
static int open_source(const struct view *view, int *ret)
{
        cleanup_fd int fd = open(view->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_dev != view->source_device || st.st_ino != view->source_inode)
                return -ESTALE;
        *ret = nsm_take_fd(&fd);
        return 0;
}

void watchers_resume(struct view *view)
{
        cleanup_fd int source = -1;
        cleanup_fd int its_pipe = -1;
        cleanup_fd int pipe_fd = -1;

        if (view->changes != VIEW_CHANGES_TIMEOUTS)
                return;
        int r = worker_get_changes(&view->worker, &its_pipe);
        if (r == 0)
                r = nsm_watch_reopen_pipe(its_pipe, &pipe_fd);
        if (r == 0)
                r = open_source(view, &source);
        if (r < 0)
                return;
        nsm_close_fd(nsm_take_fd(&its_pipe)); /* or we would count as who reads it */
        watchers_add(view, source, pipe_fd);
}

void watchers_free(struct supervisor *supervisor)
{
        struct watcher *watcher, *next;

        DL_FOREACH_SAFE(supervisor->watchers, watcher, next)
                free_watcher(watcher);
        supervisor->watchers = NULL;
}

const char *watchers_describe(const struct view *view)
{
        static const char *const words[] = {
                [VIEW_CHANGES_NONE] = "none",
                [VIEW_CHANGES_ASKED] = "asked",
                [VIEW_CHANGES_TIMEOUTS] = "timeouts",
                [VIEW_CHANGES_PENDING] = "timeouts",
                [VIEW_CHANGES_EVENTS] = "events",
        };

        return words[view->changes];
}
