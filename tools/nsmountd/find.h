/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the graft that a request means, and a process of its container. */
#ifndef NSM_NSMOUNTD_FIND_H
#define NSM_NSMOUNTD_FIND_H

#include "mountns/target.h"
#include "tools/nsmountd/graft.h"

/* gN. -ENOENT says which there are. */
int find_graft_by_name(struct supervisor *supervisor, const char *name, struct graft **ret,
                       struct nsm_error *err);

/* The tenant's graft at @at (NULL: the root) of a container. -ENOENT says which there are. */
int find_graft_in(struct supervisor *supervisor, const char *tenant,
                  const struct nsm_target *target, const char *at, struct graft **ret,
                  struct nsm_error *err);

/* The graft at a path of the host, symlinks above its last component resolved. */
int find_graft_on_host(struct supervisor *supervisor, const char *directory, struct graft **ret,
                       struct nsm_error *err);

/*
 * The container of a graft, by a process that is in its mount namespace now;
 * the caller's. *ret is NULL for a graft on the host. -ESRCH: there is none.
 */
int find_target(const struct graft *graft, struct nsm_target **ret, struct nsm_error *err);

#endif
