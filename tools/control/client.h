/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requesting end of the control socket (io.nsmount.varlink). Host side,
 * root only. Calls block; one thread at a time per client.
 */
#ifndef NSM_CONTROL_CLIENT_H
#define NSM_CONTROL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "fs/base/error.h"

/* The socket's name in the runtime directory. */
#define NSM_CONTROL_SOCKET "control"

/* Seconds that a call waits for its reply: beyond all that nsmountd does in one. */
#define NSM_CLIENT_TIMEOUT_S 600

struct nsm_client;

/*
 * Connects to the nsmountd of @runtime_dir (NULL: /run/nsmount). Refused when
 * the socket, or who serves it, is not root's. Errors, each with a text for
 * people: -ECONNREFUSED (nsmountd is not running: says how to start it),
 * -EACCES (needs root), -EPERM (wrong owner), others of connect(2).
 */
int nsm_client_connect(const char *runtime_dir, struct nsm_client **ret, struct nsm_error *err);

/* NULL-safe. */
void nsm_client_free(struct nsm_client *client);

/*
 * Calls @method ("Attach"; or with its interface, "org.varlink.service.GetInfo").
 *
 * @parameters: borrowed; NULL for none.
 * @fds: borrowed, go beside the message; indexes in @parameters name them.
 * @ret_reply: the reply's parameters, an object; the caller's; may be NULL.
 *
 * An error that nsmountd reports is in @err with its text as it came, and as
 * code: -EPERM for Refused, -EIO for Failed, -EBUSY for Busy, -EINVAL for a
 * parameter that it does not take, -EOPNOTSUPP for a method that it does not
 * know. nsm_client_error() then has the details. After another failure
 * (-ECONNRESET, -ETIMEDOUT, -EBADMSG) the connection is of no more use.
 */
int nsm_client_call(struct nsm_client *client, const char *method, const json_t *parameters,
                    const int *fds, size_t n_fds, json_t **ret_reply, struct nsm_error *err);

/*
 * From now on, @fn is called after each second that a call has waited for its
 * answer, with how many it were; NULL: nobody is told.
 */
typedef void nsm_client_wait(void *context, unsigned seconds);
void nsm_client_tell_waits(struct nsm_client *client, nsm_client_wait *fn, void *context);

/*
 * What the last call's error carried besides: the parameters of the Varlink
 * error ({"text": ..., "holders": [...]}), or NULL when it ended well. The
 * client's, until its next call.
 */
const json_t *nsm_client_error(const struct nsm_client *client);

static inline void nsm_cleanup_clientp(struct nsm_client **client)
{
        nsm_client_free(*client);
}
#define cleanup_client __attribute__((cleanup(nsm_cleanup_clientp)))

#endif
