/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grafts: which view is mounted where. A graft is written down before the
 * helper begins (pending), and again when its mount is known.
 */
#ifndef NSM_NSMOUNTD_GRAFT_H
#define NSM_NSMOUNTD_GRAFT_H

#include <jansson.h>
#include <stdbool.h>

#include "mountns/place.h"
#include "tools/nsmountd/supervisor.h"

struct graft {
        struct graft *prev, *next;
        struct supervisor *supervisor;
        uint64_t number;   /* gN */
        struct view *view; /* stays while a graft refers to it */
        bool read_only;
        bool on_host; /* `nsmount mount` */
        bool pending; /* being made: place has no mount yet */
        pid_t pid;    /* that was named when it was made; 0 on the host */
        char *path;   /* resolved; while pending, as asked for ("/" for a root) */
        struct nsm_place place;
};

/* A pending graft for @job, as it asks for it, in the list and written down. */
int graft_new(const struct job *job, const char *path, const struct nsm_place *place,
              struct graft **ret, struct nsm_error *err);

/* The helper has made it: writes that down. @path is copied. */
int graft_settle(struct graft *graft, const struct nsm_place *place, const char *path,
                 struct nsm_error *err);

/* It is gone, or was never made: drops it and its record. NULL-safe. */
void graft_forget(struct graft *graft);

/* Frees memory alone. NULL-safe. */
void graft_free(struct graft *graft);

struct graft *graft_find_by_name(struct supervisor *supervisor, const char *name);

/* In the mount namespace of @in, at @path (NULL: its root). */
struct graft *graft_find_by_path(struct supervisor *supervisor, const struct nsm_place *in,
                                 const char *path);

/* Drops those that are not there any more. */
void graft_sweep(struct supervisor *supervisor);

/* The type Graft of io.nsmount.varlink; and what a record holds. New references. */
json_t *graft_to_json(const struct graft *graft);
json_t *graft_to_record(const struct graft *graft);

/* -EBADMSG: the record makes no sense, or its view is unknown. In the list afterwards. */
int graft_from_record(struct supervisor *supervisor, uint64_t number, const json_t *record,
                      struct graft **ret, struct nsm_error *err);

#endif
