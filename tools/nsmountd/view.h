/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Views: their superblocks and workers, from the first use of a volume to the
 * end. A volume has one read-write view; a read-only one beside it when asked
 * for; a volume that is read-only has that alone.
 *
 * Three descriptors per view are kept: /dev/fuse, the mount, the pidfd.
 */
#ifndef NSM_NSMOUNTD_VIEW_H
#define NSM_NSMOUNTD_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/nsmountd/supervisor.h"
#include "tools/nsmountd/worker.h"

enum view_state {
        VIEW_STARTING, /* the worker runs and does not serve yet */
        VIEW_SERVING,
        VIEW_CLOSING,  /* unused: the worker was told to end */
        VIEW_DEAD,     /* the worker has gone; kept while grafts remain */
};

/* How a view learns what others change on its storage. */
enum view_changes {
        VIEW_CHANGES_NONE,     /* exclusive: there are none */
        VIEW_CHANGES_ASKED,    /* beside another: nothing is cached */
        VIEW_CHANGES_TIMEOUTS,
        VIEW_CHANGES_PENDING,  /* a watcher has been asked */
        VIEW_CHANGES_EVENTS,
};

struct watcher;

struct view {
        struct view *prev, *next;
        struct supervisor *supervisor;
        uint64_t id; /* of its record */
        char *tenant, *volume;
        char *source;   /* resolved path of the source when it was opened */
        dev_t source_device; /* and which directory that was */
        ino_t source_inode;
        char *settings; /* view_describe_settings() when it was started */
        bool read_only;
        bool beside; /* read-only, of a volume that is not */
        bool nosuid; /* suid = deny */
        bool nodev;  /* devices = deny */
        enum view_state state;
        struct worker worker;
        int fuse_fd, mount_fd;
        dev_t device;
        enum view_changes changes;
        struct watcher *watcher; /* who tells it; borrowed */
        bool rewatched;          /* by a second watcher, after the first had ended */
        uint64_t unused_since; /* supervisor_now(); 0 while somebody needs it */
        sd_event_source *death; /* the worker's pidfd */
        sd_event_source *timer; /* looks whether it serves; or the limit of closing */
        uint64_t deadline;      /* of starting */
        char reason[256];       /* how the worker ended; VIEW_DEAD */
};

/*
 * The view of a volume that can be used now or soon (VIEW_STARTING), started
 * when there is none. Refused (-EBUSY) while one with former settings has
 * grafts. @read_only: what the request wants; the volume may say so, too.
 */
int view_get(struct supervisor *supervisor, const struct nsm_tenant *tenant,
             const struct nsm_volume *volume, bool read_only, struct view **ret,
             struct nsm_error *err);

/* TENANT/VOLUME, with :ro behind it when beside; in @ret of @size bytes (VIEW_NAME_MAX). */
#define VIEW_NAME_MAX 160
const char *view_format_name(const struct view *view, char *ret, size_t size);

/* The volume's and tenant's settings as one text, to see what a reload changed. Caller frees. */
char *view_describe_settings(const struct nsm_tenant *tenant, const struct nsm_volume *volume);

/* Whether the configuration says something else than when the view was started. */
bool view_is_outdated(const struct view *view);

/* Whether a graft or a job needs it. */
bool view_is_used(const struct view *view);

/* Tells the worker to end; the rest follows when it has. */
void view_close(struct view *view);

/* Drops a view whose worker has gone, with its record. */
void view_forget(struct view *view);

/* Frees memory and descriptors alone. NULL-safe. */
void view_free(struct view *view);

/* The type View of io.nsmount.varlink; and what a record holds. New references. */
json_t *view_to_json(const struct view *view);
json_t *view_to_record(const struct view *view);

/*
 * A view again from its record, VIEW_SERVING with its worker, or VIEW_DEAD.
 * -EBADMSG: the record makes no sense. -EPERM: the worker is there, and we may
 * not take it back.
 */
int view_from_record(struct supervisor *supervisor, uint64_t id, const json_t *record,
                     struct view **ret, struct nsm_error *err);

/*
 * One warning per mount below the source, which the view does not cross:
 * appended to @warnings, an array of strings.
 */
void view_warn_of_mounts(const struct view *view, json_t *warnings);

#endif
