/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One peer of the server: bytes in, bytes out, one request in hand. Within
 * tools/control; what the program uses is server.h.
 */
#ifndef NSM_CONTROL_CONNECTION_H
#define NSM_CONTROL_CONNECTION_H

#include <stdbool.h>

#include "tools/control/message.h"
#include "tools/control/server.h"

struct connection;

struct nsm_call {
        struct connection *connection; /* NULL once the peer has left */
        struct nsm_message message;
        const char *method;       /* within message */
        json_t *parameters;       /* owned */
        bool oneway;              /* the peer wants no answer */
};

/* What a connection asks of its server. */
struct connection_owner {
        /* Answers a call, or keeps it for later. */
        void (*dispatch)(struct nsm_call *call, void *data);
        /* The connection has gone from the owner's books and is freed behind this. */
        void (*closed)(struct connection *connection, void *data);
        void *data;
};

/* Takes @fd on success. @owner is copied. */
int connection_new(sd_event *event, int fd, const struct connection_owner *owner,
                   struct connection **ret);

/* Closes without telling the owner. A call in hand stays, without a peer. */
void connection_free(struct connection *connection);

/* Says why, as well as the socket takes it at once, and closes. */
void connection_refuse(struct connection *connection, const char *text);

/* Sends the answer of the call in hand (NULL: nothing) and goes on to the next. */
void connection_answer(struct connection *connection, const json_t *answer);

#endif
