/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the harness library share. */
#ifndef NSM_HARNESS_PRIVATE_H
#define NSM_HARNESS_PRIVATE_H

#include "tests/harness/guardian.h"
#include "tests/harness/harness.h"

/* Memory that the world frees. */
struct nsm_kept {
        struct nsm_kept *next;
        _Alignas(16) char data[];
};

struct nsm_world_private {
        int guardian;     /* its socket */
        pid_t guardian_pid;
        int id_lock;      /* an abstract socket whose name says the id range */
        uint32_t n_tenants;
        struct nsm_process *supervisor;
        struct nsm_kept *kept;
        struct nsm_descriptor *descriptors;
};

/* A descriptor that the world closes. */
struct nsm_descriptor {
        struct nsm_descriptor *next;
        int *fd;
};

/* Zeroed memory that lives as long as the world. */
void *nsm_world_keep(struct nsm_world *world, size_t size);

/* Closes *@fd with the world, unless it is -1 by then. @fd is kept memory. */
void nsm_world_keep_fd(struct nsm_world *world, int *fd);

/* Sends a request with its texts (ended by NULL) and descriptors; dies when refused. */
pid_t nsm_guardian_ask(struct nsm_world *world, const struct nsm_guardian_request *request,
                       const char *const *texts, const int *fds, int n_fds);

/* A shell command, in @enter (a container's process) or on the host. */
struct nsm_process *nsm_process_start(struct nsm_world *world, pid_t enter, const char *command);

#endif
