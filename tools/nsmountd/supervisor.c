/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <utlist.h>

#include "fs/base/cleanup.h"
#include "fs/base/log.h"
#include "tools/control/interface.h"
#include "tools/nsmountd/adopt.h"
#include "tools/nsmountd/graft.h"
#include "tools/nsmountd/job.h"
#include "tools/nsmountd/list.h"
#include "tools/nsmountd/superblock.h"
#include "tools/nsmountd/view.h"
#include "tools/nsmountd/watchers.h"

/* Bounds of how often grafts are looked after, in microseconds. */
#define SWEEP_MIN_US UINT64_C(250000)
#define SWEEP_MAX_US UINT64_C(10000000)

uint64_t supervisor_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Whether nobody that we know of has used a view for long enough; forgets the dead. */
static bool is_due(struct view *view, uint64_t now)
{
        uint64_t idle = view->supervisor->config->idle_close_s * UINT64_C(1000000);

        if (view_is_used(view)) {
                view->unused_since = 0;
                return false;
        }
        if (view->state == VIEW_DEAD) {
                view_forget(view);
                return false;
        }
        if (view->unused_since == 0)
                view->unused_since = now;
        return view->state == VIEW_SERVING && now - view->unused_since >= idle;
}

/* Closes views that are due, but those that somebody has mounted without telling us. */
static void close_unused(struct view **views, size_t n, uint64_t now)
{
        cleanup_free dev_t *devices = calloc(n, sizeof *devices);
        cleanup_free bool *mounted = calloc(n, sizeof *mounted);
        struct nsm_error err = { 0 };
        char name[VIEW_NAME_MAX];

        if (!devices || !mounted)
                return;
        for (size_t i = 0; i < n; i++)
                devices[i] = views[i]->device;
        if (nsm_place_find_devices(devices, n, mounted, &err) < 0) {
                nsm_log(LOG_WARNING, "cannot see whether views are in use: %s", err.text);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                if (mounted[i]) {
                        views[i]->unused_since = now;
                        continue;
                }
                nsm_log(LOG_INFO, "view %s: closed, unused for %u s",
                        view_format_name(views[i], name, sizeof name),
                        views[i]->supervisor->config->idle_close_s);
                view_close(views[i]);
        }
}

void supervisor_sweep(struct supervisor *supervisor)
{
        cleanup_free struct view **due = NULL;
        uint64_t now = supervisor_now();
        struct view *view, *next;
        size_t count, n = 0;

        graft_sweep(supervisor);
        DL_COUNT(supervisor->views, view, count);
        due = calloc(count + 1, sizeof(struct view *));
        DL_FOREACH_SAFE(supervisor->views, view, next)
                if (is_due(view, now) && due)
                        due[n++] = view;
        if (n > 0)
                close_unused(due, n, now);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *data)
{
        struct supervisor *supervisor = data;

        supervisor_sweep(supervisor);
        supervisor_schedule_sweep(supervisor);
        return 0;
}

void supervisor_schedule_sweep(struct supervisor *supervisor)
{
        uint64_t interval = supervisor->config->idle_close_s * UINT64_C(1000000) / 4;
        int on = 0;

        if (!supervisor->sweep || (!supervisor->views && !supervisor->grafts) ||
            (sd_event_source_get_enabled(supervisor->sweep, &on) >= 0 && on != SD_EVENT_OFF))
                return;
        interval = interval < SWEEP_MIN_US ? SWEEP_MIN_US : interval;
        interval = interval > SWEEP_MAX_US ? SWEEP_MAX_US : interval;
        sd_event_source_set_time_relative(supervisor->sweep, interval);
        sd_event_source_set_enabled(supervisor->sweep, SD_EVENT_ONESHOT);
}

int supervisor_reload(struct supervisor *supervisor, struct nsm_error *err)
{
        cleanup_config struct nsm_config *config = NULL;
        int r = nsm_config_load(supervisor->config_dir, &config, err);

        if (r == 0)
                r = nsm_config_check_sources(config, err);
        if (r < 0)
                return r;
        nsm_config_free(supervisor->config);
        supervisor->config = nsm_take_ptr(config);
        nsm_log(LOG_NOTICE, "configuration of %zu tenants taken in", supervisor->config->n_tenants);
        return 0;
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info,
                            void *data)
{
        struct nsm_error err = { 0 };

        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)supervisor_now());
        if (supervisor_reload(data, &err) < 0)
                nsm_log(LOG_ERR, "%s; the running configuration stays", err.text);
        sd_notify(0, "READY=1");
        return 0;
}

void supervisor_end_if_idle(struct supervisor *supervisor)
{
        if (supervisor->stopping && !supervisor->jobs)
                sd_event_exit(supervisor->event, 0);
}

static int on_stop_limit(sd_event_source *source, uint64_t usec, void *data)
{
        nsm_log(LOG_WARNING, "requests do not end: their helpers are killed");
        jobs_kill(data);
        return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        struct supervisor *supervisor = data;

        if (supervisor->stopping)
                return sd_event_exit(supervisor->event, 0);
        sd_notify(0, "STOPPING=1");
        nsm_log(LOG_NOTICE, "stopping; views and grafts stay as they are");
        if (sd_event_add_time_relative(supervisor->event, &supervisor->stopping, CLOCK_MONOTONIC,
                                       SUPERVISOR_STOP_LIMIT_S * UINT64_C(1000000), 0,
                                       on_stop_limit, supervisor) < 0)
                return sd_event_exit(supervisor->event, 0);
        runtime_unlisten(&supervisor->runtime);
        jobs_refuse_waiting(supervisor);
        supervisor_end_if_idle(supervisor);
        return 0;
}

static const struct {
        int number;
        sd_event_signal_handler_t handler;
} signals[] = { { SIGTERM, on_stop_signal }, { SIGINT, on_stop_signal },
                { SIGHUP, on_reload_signal } };

/* Before anybody can see that we are there: what is sent from then on waits for the loop. */
static int block_signals(void)
{
        sigset_t mask;

        sigemptyset(&mask);
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
                sigaddset(&mask, signals[i].number);
        return sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -errno : 0;
}

static int watch_signals(struct supervisor *supervisor)
{
        int r;

        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
                r = sd_event_add_signal(supervisor->event, NULL, signals[i].number,
                                        signals[i].handler, supervisor);
                if (r < 0)
                        return r;
        }
        return sd_event_add_time_relative(supervisor->event, &supervisor->sweep, CLOCK_MONOTONIC,
                                          SWEEP_MIN_US, 0, on_sweep, supervisor);
}

/* The program beside our own: installed, or in the build directory. */
static char *find_worker_program(void)
{
        char own[PATH_MAX], *slash, *path = NULL;
        ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);

        if (n <= 0)
                return NULL;
        own[n] = '\0';
        slash = strrchr(own, '/');
        if (!slash || asprintf(&path, "%.*s/nsmountfs", (int)(slash - own), own) < 0)
                return NULL;
        return path;
}

static int load_config(struct supervisor *supervisor, struct nsm_error *err)
{
        struct nsm_error sources = { 0 };
        int r = nsm_config_load(supervisor->config_dir, &supervisor->config, err);

        /* A source that is not there yet is the concern of who attaches it. */
        if (r == 0 && nsm_config_check_sources(supervisor->config, &sources) < 0)
                nsm_log(LOG_WARNING, "%s", sources.text);
        return r;
}

/* Takes the listening socket over. */
static int serve(struct supervisor *supervisor, int *fd, struct nsm_error *err)
{
        int r;

        supervisor->interface = (struct nsm_server_interface){
                .name = "io.nsmount",
                .text = nsm_control_interface_text,
                .methods = supervisor_methods,
                .n_methods = supervisor_n_methods,
                .context = supervisor,
        };
        r = nsm_server_new(supervisor->event, *fd, &supervisor->interface, &supervisor->server);
        if (r < 0)
                return nsm_error_set(err, r, "cannot serve: %s", strerror(-r));
        nsm_take_fd(fd);
        return 0;
}

int supervisor_new(const struct supervisor_options *options, struct supervisor **ret,
                   struct nsm_error *err)
{
        cleanup_supervisor struct supervisor *supervisor = calloc(1, sizeof *supervisor);
        cleanup_fd int socket = -1;
        struct stat own;
        int r;

        if (!supervisor)
                return nsm_error_set(err, -ENOMEM, "no memory");
        supervisor->runtime = (struct runtime)RUNTIME_NONE;
        supervisor->fuse_control_fd = -1;
        supervisor->next_view = supervisor->next_graft = 1;
        supervisor->config_dir = strdup(options->config_dir);
        supervisor->worker_program = find_worker_program();
        if (!supervisor->config_dir || !supervisor->worker_program ||
            stat("/proc/self/ns/mnt", &own) < 0)
                return nsm_error_set(err, -EIO, "/proc is not what it should be");
        supervisor->mount_namespace = own.st_ino;
        r = block_signals();
        if (r < 0)
                return nsm_error_set(err, r, "cannot block signals: %s", strerror(-r));
        r = runtime_open(options->runtime_dir, &supervisor->runtime, err);
        /* First, so that whoever changes the files after we read them is heard: it waits. */
        if (r == 0)
                r = runtime_listen(&supervisor->runtime, &socket, err);
        if (r == 0)
                r = load_config(supervisor, err);
        if (r < 0)
                return r;
        supervisor->fuse_control_fd = superblock_open_control();
        r = sd_event_new(&supervisor->event);
        if (r >= 0)
                r = watch_signals(supervisor);
        if (r < 0)
                return nsm_error_set(err, r, "cannot set up the event loop: %s", strerror(-r));
        r = adopt_all(supervisor, err);
        if (r == 0)
                r = serve(supervisor, &socket, err);
        if (r == 0)
                *ret = nsm_take_ptr(supervisor);
        return r;
}

int supervisor_run(struct supervisor *supervisor, struct nsm_error *err)
{
        int r;

        supervisor_schedule_sweep(supervisor);
        sd_notify(0, "READY=1");
        nsm_log(LOG_NOTICE, "nsmountd " NSM_VERSION " serves %zu tenants on %s",
                supervisor->config->n_tenants, supervisor->runtime.path);
        r = sd_event_loop(supervisor->event);
        return r < 0 ? nsm_error_set(err, r, "the event loop ends: %s", strerror(-r)) : 0;
}

void supervisor_free(struct supervisor *supervisor)
{
        struct job *job, *next_job;
        struct graft *graft, *next_graft;
        struct view *view, *next_view;

        if (!supervisor)
                return;
        DL_FOREACH_SAFE(supervisor->jobs, job, next_job)
                job_free(job);
        DL_FOREACH_SAFE(supervisor->grafts, graft, next_graft)
                graft_free(graft);
        DL_FOREACH_SAFE(supervisor->views, view, next_view)
                view_free(view);
        watchers_free(supervisor);
        nsm_server_free(supervisor->server);
        sd_event_source_disable_unref(supervisor->sweep);
        sd_event_source_disable_unref(supervisor->start);
        sd_event_source_disable_unref(supervisor->stopping);
        sd_event_unref(supervisor->event);
        nsm_close_fd(supervisor->fuse_control_fd);
        nsm_config_free(supervisor->config);
        runtime_close(&supervisor->runtime);
        free(supervisor->config_dir);
        free(supervisor->worker_program);
        free(supervisor);
}
