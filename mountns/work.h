/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper process: what all jobs have in common. It stays in the host's
 * namespaces (but for mounts of its own), reads what the host's /proc says,
 * decides, and lets a joiner act.
 */
#ifndef NSM_MOUNTNS_WORK_H
#define NSM_MOUNTNS_WORK_H

#include "mountns/helper.h"
#include "mountns/joiner.h"
#include "mountns/journal.h"
#include "mountns/table.h"

struct nsm_work {
        const struct nsm_request *request;
        int journal;                  /* to the supervisor */
        int proc;                     /* the host's /proc, opened before all else */
        struct nsm_table before;      /* the container's table, when that is needed later */
        struct nsm_progress progress; /* what was done, as far as this process knows */
        enum nsm_outcome outcome;     /* of a failure */
        int joiner_pidfd;             /* while one runs, else -1 */
};

/* A step is done. Where tests want it to fail or die, it does. */
int nsm_work_step(struct nsm_work *work, enum nsm_step step, struct nsm_error *err);

/* Refuses the request: sets outcome and error. */
int nsm_work_refuse(struct nsm_work *work, struct nsm_error *err, int code, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* Tells the supervisor; what does not fit is lost. */
void nsm_work_warn(struct nsm_work *work, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
void nsm_work_report_holders(struct nsm_work *work, const struct nsm_holders *holders);

/* Answers a joiner that asks: what it is told, 0 to 127, or a negative errno to stop it. */
typedef int nsm_work_answer(struct nsm_work *work, pid_t joiner, void *context,
                            struct nsm_error *err);

/* Runs a joiner to its end. 0 when it ended well, else why not. */
int nsm_work_run_joiner(struct nsm_work *work, struct nsm_joiner *joiner, nsm_joiner_body *body,
                        nsm_work_answer *answer, void *context, struct nsm_error *err);

/* The jobs. 0, or a negative errno with outcome and error set. */
int nsm_attach_work(struct nsm_work *work, struct nsm_error *err);
int nsm_detach_work(struct nsm_work *work, struct nsm_error *err);
int nsm_mount_work(struct nsm_work *work, struct nsm_error *err);
int nsm_unmount_work(struct nsm_work *work, struct nsm_error *err);

/*
 * Brings a job that stopped anywhere to one of its two ends. *ret_complete:
 * which. 0, or a negative errno when that did not succeed.
 */
int nsm_recover_work(struct nsm_work *work, bool *ret_complete, struct nsm_error *err);
int nsm_mount_recover(struct nsm_work *work, struct nsm_error *err);

/* A detached mount of the requested view with the requested flags; a descriptor or -errno. */
int nsm_work_clone_view(struct nsm_work *work, struct nsm_error *err);

/* The body of the process; never returns. @progress: of the one that died, or NULL. */
_Noreturn void nsm_work_main(const struct nsm_request *request, int journal,
                             struct nsm_progress *progress);

#endif
