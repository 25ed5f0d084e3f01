/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/view/age.h"

#include <time.h>

#include "fs/view/resolve.h"

bool nsm_age_note(struct nsm_view *view, uint64_t handle)
{
        pthread_mutex_lock(&view->lock);
        struct nsm_handle *h = nsm_handles_get(&view->handles, handle);
        bool first = h && !h->pages;
        if (first)
                h->pages = true;
        pthread_mutex_unlock(&view->lock);
        return first;
}

/* Copies the next handle with pages. */
static bool next_handle(struct nsm_view *view, struct nsm_aging *aging, struct nsm_handle *ret)
{
        bool found = false;

        pthread_mutex_lock(&view->lock);
        while (!found && aging->at < view->handles.top) {
                const struct nsm_handle *h = nsm_handles_get(&view->handles, aging->at++);
                found = h && h->pages;
                if (found)
                        *ret = *h;
        }
        pthread_mutex_unlock(&view->lock);
        return found;
}

/* A time of change in the future is of a storage with another clock. */
static bool is_recent(int fd)
{
        struct timespec now;
        struct statx stx;

        clock_gettime(CLOCK_REALTIME, &now);
        return nsm_statx(fd, "", &stx) < 0 || now.tv_sec - stx.stx_mtime.tv_sec < NSM_AGE_RECENT_S;
}

bool nsm_age_next(struct nsm_view *view, struct nsm_aging *aging)
{
        struct nsm_handle seen;

        while (next_handle(view, aging, &seen)) {
                /* Closed meanwhile, the descriptor may be another file's: then this is in vain. */
                if (!is_recent(seen.fd)) {
                        aging->left = true;
                        continue;
                }
                pthread_mutex_lock(&view->lock);
                struct nsm_handle *h = nsm_handles_get(&view->handles, aging->at - 1);
                if (h && h->node == seen.node)
                        h->pages = false;
                pthread_mutex_unlock(&view->lock);
                aging->node = seen.node;
                return true;
        }
        return false;
}
