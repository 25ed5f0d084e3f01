/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a job tells while it runs: records on a socket, with descriptors beside
 * them. The socket is the journal: it keeps both when their sender is killed,
 * so that whoever reads it can complete or undo. Sending never waits.
 */
#ifndef NSM_MOUNTNS_JOURNAL_H
#define NSM_MOUNTNS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "mountns/helper.h"

enum nsm_record_kind {
        NSM_RECORD_JOINER = 1, /* fds: joiner's own pidfd */
        NSM_RECORD_STEP,       /* a step is done */
        NSM_RECORD_INTENT,     /* place, text: path; fds: the graft's mount, the container's root */
        NSM_RECORD_ANCHOR,     /* number: mount id; fds: the anchor's mount */
        NSM_RECORD_GROUP,      /* fds: a peer of the anchor, before the anchor is made private */
        NSM_RECORD_DIRECTORY,  /* text: name of a directory that was made; fds: its parent */
        NSM_RECORD_WARNING,    /* text */
        NSM_RECORD_HOLDERS,    /* number: how many there are in all */
        NSM_RECORD_HOLDER,
        NSM_RECORD_ASK,        /* joiner to helper: the step is done, may I go on? */
        NSM_RECORD_DIE,        /* joiner to helper, in tests: end as if killed */
        NSM_RECORD_FAILURE,    /* joiner to helper: code, text */
        NSM_RECORD_RESULT,     /* outcome, code, text: the last one */
};

#define NSM_RECORD_FDS_MAX 2

struct nsm_record {
        uint32_t kind;
        int32_t code;
        uint32_t step;
        uint32_t outcome;
        uint64_t number;
        struct nsm_place place;
        union {
                char text[NSM_ERROR_TEXT_MAX];
                struct nsm_holder holder;
        };
};

/* What the records of a job add up to. All owned. */
struct nsm_progress {
        enum nsm_step step;   /* the last that was done */
        int joiner_pidfd;
        bool has_intent;
        int graft_fd;         /* the graft's mount, O_PATH */
        int root_fd;          /* the container's root before */
        uint64_t root_id;     /* its mount id */
        uint64_t anchor_id;   /* 0: none */
        int anchor_fd;
        int group_fd;
        int parent_fd;        /* of the directory that was made, or -1 */
        char directory[256];  /* its name */
        bool has_failure;     /* the joiner said why it stops */
        bool has_result;
        struct nsm_result result;
        struct nsm_error error;
};

void nsm_progress_init(struct nsm_progress *progress);
void nsm_progress_clear(struct nsm_progress *progress);

/* Lets go of all descriptors: nothing is to be undone any more. */
void nsm_progress_close(struct nsm_progress *progress);

/* Takes a record in; the descriptors change hands. */
void nsm_progress_apply(struct nsm_progress *progress, const struct nsm_record *record, int *fds,
                        unsigned n_fds);

/* Sends; never waits. The descriptors stay the sender's. 0 or -errno (-EAGAIN: no room left). */
int nsm_record_send(int socket, const struct nsm_record *record, const int *fds, unsigned n_fds);

/*
 * Receives one; waits when the socket does. 1, 0 at the end, or -errno.
 * @fds has room for NSM_RECORD_FDS_MAX; what is not there is -1.
 */
int nsm_record_receive(int socket, struct nsm_record *ret, int *fds, unsigned *ret_n_fds);

/* Both ends of a journal, with room for all that one job may say. */
int nsm_journal_open(int *ret_reader, int *ret_writer);

#endif
