/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "fs/base/cleanup.h"
#include "tools/control/channel.h"

struct connection {
        int fd;
        struct connection_owner owner;
        struct nsm_input input;
        char *out; /* an answer on its way, or NULL */
        size_t out_size, out_done;
        struct nsm_call *call; /* in hand, or NULL */
        sd_event_source *io;
        sd_event_source *next; /* deferred: looks for the next message in input */
};

void connection_free(struct connection *c)
{
        if (!c)
                return;
        if (c->call)
                c->call->connection = NULL;
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->next);
        nsm_close_fd(c->fd);
        nsm_input_clear(&c->input);
        free(c->out);
        free(c);
}

static void connection_close(struct connection *c)
{
        c->owner.closed(c, c->owner.data);
        connection_free(c);
}

void connection_refuse(struct connection *c, const char *text)
{
        cleanup_free char *bytes = NULL;
        size_t size;
        json_t *answer = json_pack("{s:s, s:{s:s}}", "error", "io.nsmount.Refused", "parameters",
                                   "text", text);

        if (answer && nsm_message_encode(answer, NSM_REPLY_MAX, &bytes, &size) == 0)
                (void)nsm_channel_send(c->fd, bytes, size, NULL, 0);
        json_decref(answer);
        connection_close(c);
}

/* Reads only when it has nothing else to do: so nobody can pile up work. */
static int watch(struct connection *c)
{
        int looking = 0, r = sd_event_source_get_enabled(c->next, &looking);
        uint32_t mask = c->out ? EPOLLOUT : c->call || looking ? 0 : EPOLLIN;

        return r < 0 ? r : sd_event_source_set_io_events(c->io, mask);
}

static int look_for_next(struct connection *c)
{
        int r = sd_event_source_set_enabled(c->next, SD_EVENT_ONESHOT);

        return r < 0 ? r : watch(c);
}

/* Sends what it can; the rest goes when the peer reads. */
static int flush(struct connection *c)
{
        while (c->out_done < c->out_size) {
                ssize_t n = nsm_channel_send(c->fd, c->out + c->out_done,
                                             c->out_size - c->out_done, NULL, 0);
                if (n == -EAGAIN)
                        return watch(c);
                if (n < 0)
                        return (int)n;
                c->out_done += (size_t)n;
        }
        free(c->out);
        c->out = NULL;
        c->out_size = c->out_done = 0;
        return look_for_next(c);
}

void connection_answer(struct connection *c, const json_t *answer)
{
        int r = 0;

        c->call = NULL;
        if (answer)
                r = nsm_message_encode(answer, NSM_REPLY_MAX, &c->out, &c->out_size);
        if (r == 0)
                r = flush(c);
        if (r < 0)
                connection_close(c);
}

/* Splits the envelope. Text of what is wrong with it, or NULL. */
static const char *open_envelope(struct nsm_call *call)
{
        const char *key;
        json_t *value;

        json_object_foreach(call->message.json, key, value) {
                if (strcmp(key, "method") == 0 && json_is_string(value))
                        call->method = json_string_value(value);
                else if (strcmp(key, "parameters") == 0 && json_is_object(value))
                        call->parameters = json_incref(value);
                else if (strcmp(key, "oneway") == 0 && json_is_boolean(value))
                        call->oneway = json_is_true(value);
                else if (strcmp(key, "upgrade") == 0 && json_is_true(value))
                        return "this service upgrades no connection";
                else if ((strcmp(key, "more") != 0 && strcmp(key, "upgrade") != 0) ||
                         !json_is_boolean(value))
                        return "a request has \"method\", \"parameters\" and the flags of "
                               "Varlink, and nothing else";
        }
        if (!call->parameters)
                call->parameters = json_object();
        return call->method ? NULL : "a request without \"method\"";
}

static void call_free(struct nsm_call *call)
{
        json_decref(call->parameters);
        nsm_message_clear(&call->message);
        free(call);
}

static void take_call(struct connection *c, struct nsm_message *message)
{
        struct connection_owner owner = c->owner; /* outlives the connection */
        struct nsm_call *call = calloc(1, sizeof *call);
        const char *wrong;

        if (!call) {
                nsm_message_clear(message);
                connection_close(c);
                return;
        }
        call->message = *message;
        wrong = open_envelope(call);
        if (wrong || !call->parameters) {
                call_free(call);
                connection_refuse(c, wrong ? wrong : "no memory");
                return;
        }
        call->connection = c;
        c->call = call;
        if (watch(c) < 0)
                connection_close(c);
        owner.dispatch(call, owner.data);
}

static int on_next(sd_event_source *source, void *data)
{
        struct connection *c = data;
        struct nsm_message message = { 0 };
        struct nsm_error err = { 0 };
        int r = nsm_input_next(&c->input, &message, &err);

        if (r < 0)
                connection_refuse(c, err.text);
        else if (r > 0)
                take_call(c, &message);
        else if (watch(c) < 0)
                connection_close(c);
        return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct connection *c = data;
        int r;

        if (events & EPOLLIN) {
                r = nsm_channel_receive(fd, &c->input);
                if (r > 0)
                        r = look_for_next(c);
                else if (r == 0)
                        r = -ENOTCONN; /* a cut message is dropped with the rest */
                if (r == -E2BIG) {
                        connection_refuse(c, "too many descriptors beside a message");
                        return 0;
                }
        } else if (events & (EPOLLHUP | EPOLLERR)) {
                r = -ECONNRESET;
        } else {
                r = flush(c);
        }
        if (r < 0 && r != -EAGAIN)
                connection_close(c);
        return 0;
}

int connection_new(sd_event *event, int fd, const struct connection_owner *owner,
                   struct connection **ret)
{
        struct connection *c = calloc(1, sizeof *c);
        int r;

        if (!c)
                return -ENOMEM;
        c->fd = -1;
        c->owner = *owner;
        c->input.limit = NSM_REQUEST_MAX;
        r = sd_event_add_io(event, &c->io, fd, EPOLLIN, on_io, c);
        if (r >= 0)
                r = sd_event_add_defer(event, &c->next, on_next, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->next, SD_EVENT_OFF);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        c->fd = fd;
        *ret = c;
        return 0;
}

const json_t *nsm_call_parameters(const struct nsm_call *call)
{
        return call->parameters;
}

int nsm_call_take_fd(struct nsm_call *call, json_int_t index)
{
        if (index < 0 || (size_t)index >= call->message.n_fds)
                return -EBADF;
        if (call->message.fds[index] < 0)
                return -EBADF;
        return nsm_take_fd(&call->message.fds[index]);
}

/* Sends @answer, which it takes; NULL is out of memory, and ends the connection. */
static void end_call(struct nsm_call *call, json_t *answer)
{
        struct connection *c = call->connection;
        bool oneway = call->oneway;

        call_free(call);
        if (c && !answer)
                connection_close(c);
        else if (c)
                connection_answer(c, oneway ? NULL : answer);
        json_decref(answer);
}

void nsm_call_reply(struct nsm_call *call, json_t *parameters)
{
        end_call(call, json_pack("{s:o}", "parameters", parameters));
}

void nsm_call_fail(struct nsm_call *call, const char *name, json_t *parameters)
{
        end_call(call, json_pack("{s:s, s:o}", "error", name, "parameters", parameters));
}

void nsm_call_fail_text(struct nsm_call *call, const char *name, const char *text)
{
        nsm_call_fail(call, name, json_pack("{s:s}", "text", text));
}
