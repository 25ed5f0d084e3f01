/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories that are being read by a kernel that does not say when it opens or
 * closes them: each reply says where the next one goes on, and there a descriptor
 * waits for it, which spares finding, opening and seeking. That is all: whoever
 * reads on after it was given up gets a new one, at the same cookie.
 */
#ifndef NSM_VIEW_STREAMS_H
#define NSM_VIEW_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/view/limits.h"

struct nsm_view;

struct nsm_stream {
        int fd;              /* owned */
        uint32_t node;       /* 0: none */
        uint32_t generation; /* of the record */
        int64_t next;        /* where the reader goes on */
        int64_t pos;         /* where the descriptor stands; -1: elsewhere */
};

struct nsm_streams {
        struct nsm_stream kept[NSM_STREAMS_MAX]; /* under the view's lock */
        unsigned turn; /* whose place is taken next */
};

/* The storage's cookies mean the same in whichever descriptor: only then is any of this so. */
bool nsm_streams_suit(const struct nsm_view *view);

/*
 * A descriptor of the directory @node for reading on at @off, from the storage's
 * cookies. 0 and *ret, the caller's; -EXDEV for a foreign directory, or -errno.
 */
int nsm_stream_take(struct nsm_view *view, uint64_t node, int64_t off, struct nsm_stream *ret);

/* Keeps it for whoever reads on at its @next, if there is anything more to read. Takes it. */
void nsm_stream_keep(struct nsm_view *view, struct nsm_stream *stream);

/* Closes all that are kept. */
void nsm_streams_drop(struct nsm_view *view);

#endif
