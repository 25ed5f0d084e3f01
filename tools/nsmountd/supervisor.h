/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nsmountd holds. One thread, one event loop; everything below lives and
 * is changed there. Nothing here reads what a tenant writes.
 *
 *   methods.c  a request comes in, is checked, and becomes a job (job.c)
 *   view.c     a job's view is found, or started with its worker (worker.c)
 *   job.c      a helper of mountns does the work in the container
 *   graft.c    what it made is written down, and looked after
 *   adopt.c    all of this again, from the records of a nsmountd that died
 */
#ifndef NSM_NSMOUNTD_SUPERVISOR_H
#define NSM_NSMOUNTD_SUPERVISOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "fs/base/error.h"
#include "tools/config/config.h"
#include "tools/control/server.h"
#include "tools/nsmountd/runtime.h"

/* Seconds in which a worker must come to serve, its end be seen, a stop be over. */
#define SUPERVISOR_START_LIMIT_S 15
#define SUPERVISOR_CLOSE_LIMIT_S 5
#define SUPERVISOR_STOP_LIMIT_S 10

struct view;
struct graft;
struct job;
struct watcher;

struct supervisor {
        sd_event *event;
        struct runtime runtime;
        struct nsm_config *config;
        char *config_dir;
        char *worker_program; /* nsmountfs, beside our own */
        struct nsm_server_interface interface;
        struct nsm_server *server;
        int fuse_control_fd;      /* superblock_open_control(), or -1 */
        uint64_t mount_namespace; /* inode number of our own */
        struct view *views;       /* lists of utlist.h, owned */
        struct graft *grafts;
        struct job *jobs;
        struct watcher *watchers;
        uint64_t next_view, next_graft;
        sd_event_source *sweep;    /* timer; on while there are views or grafts */
        sd_event_source *start;    /* deferred: jobs that may run */
        sd_event_source *stopping; /* timer; set once we are asked to end */
};

struct supervisor_options {
        const char *config_dir;
        const char *runtime_dir;
};

/* Loads, locks, adopts and listens: everything up to serving. */
int supervisor_new(const struct supervisor_options *options, struct supervisor **ret,
                   struct nsm_error *err);

/* Serves until SIGTERM or SIGINT. 0 or a negative errno. */
int supervisor_run(struct supervisor *supervisor, struct nsm_error *err);

/* Forgets all of it; workers, grafts and records stay as they are. NULL-safe. */
void supervisor_free(struct supervisor *supervisor);

/* Takes new configuration in; the running one stays when that is bad. */
int supervisor_reload(struct supervisor *supervisor, struct nsm_error *err);

/* Drops grafts that are gone, closes views that were unused for long enough. */
void supervisor_sweep(struct supervisor *supervisor);

/* Something may have become idle or in need of looking after: sets the timer. */
void supervisor_schedule_sweep(struct supervisor *supervisor);

/* Ends the loop once we are asked to stop and no job is left. */
void supervisor_end_if_idle(struct supervisor *supervisor);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t supervisor_now(void);

extern const struct nsm_server_method supervisor_methods[];
extern const size_t supervisor_n_methods;

static inline void supervisor_freep(struct supervisor **supervisor)
{
        supervisor_free(*supervisor);
}
#define cleanup_supervisor __attribute__((cleanup(supervisor_freep)))

#endif
