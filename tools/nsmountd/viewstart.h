/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a view begins; what view.c and viewstart.c share. */
#ifndef NSM_NSMOUNTD_VIEWSTART_H
#define NSM_NSMOUNTD_VIEWSTART_H

#include "tools/nsmountd/view.h"

/*
 * Opens the source, makes the superblock, forks the worker, writes down who it
 * is, and lets it run: in this order, so that no death of ours leaves a worker
 * that nobody knows. In the list afterwards, VIEW_STARTING.
 */
int view_start(struct supervisor *supervisor, const struct nsm_tenant *tenant,
               const struct nsm_volume *volume, bool read_only, struct view **ret,
               struct nsm_error *err);

/* Notices the worker's end from now on. */
int view_watch(struct view *view);

/* Looks every now and then whether the worker serves, and kills it at the limit. */
int view_await_serving(struct view *view);

int view_write_record(const struct view *view, struct nsm_error *err);

/*
 * What follows the worker's -o: the maps storage -> host of tenant and volume,
 * and the settings. The caller frees *ret. Pure.
 */
int view_format_options(const struct nsm_tenant *tenant, const struct nsm_volume *volume,
                        bool read_only, char **ret, struct nsm_error *err);

#endif
