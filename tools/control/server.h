/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The serving end of the control socket: connections on an sd_event loop,
 * Varlink's envelope, and the interface org.varlink.service. What a method
 * does is its user's. One thread: the loop's.
 *
 * What a peer can make grow is bounded: connections (NSM_SERVER_CONNECTIONS_MAX;
 * one more is told so and closed), bytes that wait (one request), requests in
 * hand (one per connection: the next is read when the reply has left), and
 * descriptors (message.h).
 */
#ifndef NSM_CONTROL_SERVER_H
#define NSM_CONTROL_SERVER_H

#include <jansson.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "fs/base/error.h"

#define NSM_SERVER_CONNECTIONS_MAX 512u

struct nsm_server;

/*
 * A request that waits for its answer. Whoever is given one ends it exactly
 * once, at once or later, by nsm_call_reply() or nsm_call_fail(); it is gone
 * after that. When the peer has left meanwhile the answer is dropped.
 */
struct nsm_call;

struct nsm_server_method {
        const char *name; /* with its interface: "io.nsmount.Attach" */
        void (*run)(struct nsm_call *call, void *context);
};

struct nsm_server_interface {
        const char *name; /* "io.nsmount" */
        const char *text; /* its description, what GetInterfaceDescription gives */
        const struct nsm_server_method *methods;
        size_t n_methods;
        void *context; /* for the methods; must outlive the server */
};

/*
 * Serves @listen_fd, a listening non-blocking unix socket, which becomes the
 * server's on success. Peers other than root, as SO_PEERCRED has them, are
 * refused. @interface must outlive the server.
 */
int nsm_server_new(sd_event *event, int listen_fd, const struct nsm_server_interface *interface,
                   struct nsm_server **ret);

/* Closes all connections; calls in hand lose their peer, and still must be ended. NULL-safe. */
void nsm_server_free(struct nsm_server *server);

/* The parameters, an object, perhaps empty; the call's. */
const json_t *nsm_call_parameters(const struct nsm_call *call);

/* Takes the descriptor of @index out: the caller's then. -EBADF when there is none. */
int nsm_call_take_fd(struct nsm_call *call, json_int_t index);

/* Ends a call. @parameters is taken, also on failure; NULL means that memory ran out. */
void nsm_call_reply(struct nsm_call *call, json_t *parameters);

/* Ends a call by the Varlink error @name. @parameters as above. */
void nsm_call_fail(struct nsm_call *call, const char *name, json_t *parameters);

/* Ends a call by an error of @interface ("Refused") with @text as its only parameter. */
void nsm_call_fail_text(struct nsm_call *call, const char *name, const char *text);

static inline void nsm_cleanup_serverp(struct nsm_server **server)
{
        nsm_server_free(*server);
}
#define cleanup_server __attribute__((cleanup(nsm_cleanup_serverp)))

#endif
