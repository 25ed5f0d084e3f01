/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Framing of the control socket: JSON objects, each ended by a NUL byte, with
 * descriptors beside them. Pure: takes and gives bytes, reads and writes
 * nothing. One thread at a time per object.
 */
#ifndef NSM_CONTROL_MESSAGE_H
#define NSM_CONTROL_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/base/error.h"

/* Bytes of a request, its NUL included; what a peer may make us keep. */
#define NSM_REQUEST_MAX ((size_t)64 * 1024)

/* Bytes of a reply, its NUL included: a listing of thousands of grafts. */
#define NSM_REPLY_MAX ((size_t)16 * 1024 * 1024)

/* Descriptors beside one message. */
#define NSM_MESSAGE_FDS_MAX 4

/* Descriptors of all messages that were received and not taken yet. */
#define NSM_INPUT_FDS_MAX ((size_t)2 * NSM_MESSAGE_FDS_MAX)

/* A message that was taken out: owned by whoever took it. */
struct nsm_message {
        json_t *json;
        int fds[NSM_MESSAGE_FDS_MAX];
        size_t n_fds;
};

struct nsm_input_fd {
        int fd;
        size_t at; /* offset in data of the message that it belongs to */
};

/* Bytes on their way in. Set limit, leave the rest zero. */
struct nsm_input {
        size_t limit; /* NSM_REQUEST_MAX or NSM_REPLY_MAX */
        char *data;
        size_t used, size;
        struct nsm_input_fd fds[NSM_INPUT_FDS_MAX];
        size_t n_fds;
};

/*
 * Appends what one recvmsg(2) gave. The descriptors become the input's, or are
 * closed; they belong to the last message that begins within @bytes or before
 * it, because the kernel ends a read behind the bytes that carried descriptors.
 * 0, -ENOMEM, -E2BIG (too many descriptors: give the connection up).
 */
int nsm_input_feed(struct nsm_input *input, const char *bytes, size_t n, const int *fds,
                   size_t n_fds);

/*
 * Takes the next message out. 1 when there is one, 0 when its end has not come
 * yet, -EMSGSIZE beyond the limit, -EBADMSG when it is no JSON object, -E2BIG
 * when more descriptors came with it than NSM_MESSAGE_FDS_MAX; after an error
 * the stream has no known position: give the connection up.
 */
int nsm_input_next(struct nsm_input *input, struct nsm_message *ret, struct nsm_error *err);

/* Whether nothing is left over: a peer that closes now has cut no message. */
bool nsm_input_is_empty(const struct nsm_input *input);

/* Frees what is held, and closes descriptors that nobody took. Keeps limit. */
void nsm_input_clear(struct nsm_input *input);

/* Frees a message and closes its descriptors. All zero, too. */
void nsm_message_clear(struct nsm_message *message);

/*
 * The bytes of @json with the NUL behind them; the caller frees *ret.
 * 0, -EMSGSIZE beyond @limit, -ENOMEM.
 */
int nsm_message_encode(const json_t *json, size_t limit, char **ret, size_t *ret_size);

#define cleanup_message __attribute__((cleanup(nsm_message_clear)))

#endif
