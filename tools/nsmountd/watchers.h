/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How shared views learn what others change: one watcher (fs/watch/watch.h) per
 * filesystem of the host, a child of ours that ends with us. The views of a
 * nsmountd that died are told to the next one's watchers; what happened in
 * between was seen by timeouts.
 *
 * Nothing here fails a view, and nothing here waits: without a watcher a view
 * learns by timeouts, and the list says so.
 */
#ifndef NSM_NSMOUNTD_WATCHERS_H
#define NSM_NSMOUNTD_WATCHERS_H

#include "tools/nsmountd/view.h"

/*
 * Has a view's changes watched from now on. @source_fd: the source directory in
 * a mount of the host, O_PATH; @pipe_fd: the writing end. Both stay the caller's.
 */
void watchers_add(struct view *view, int source_fd, int pipe_fd);

/* The same for a view whose worker runs already: finds both descriptors again. */
void watchers_resume(struct view *view);

/* Lets all watchers end. */
void watchers_free(struct supervisor *supervisor);

/* How a view learns: one word for the list. */
const char *watchers_describe(const struct view *view);

#endif
