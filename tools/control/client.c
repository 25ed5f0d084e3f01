/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/client.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "tools/control/channel.h"

struct nsm_client {
        int fd;
        struct nsm_input input;
        json_t *error; /* parameters of the last call's error, or NULL */
        nsm_client_wait *tell; /* or NULL */
        void *context;
};

void nsm_client_free(struct nsm_client *client)
{
        if (!client)
                return;
        nsm_close_fd(client->fd);
        nsm_input_clear(&client->input);
        json_decref(client->error);
        free(client);
}

void nsm_client_tell_waits(struct nsm_client *client, nsm_client_wait *fn, void *context)
{
        client->tell = fn;
        client->context = context;
}

const json_t *nsm_client_error(const struct nsm_client *client)
{
        return client->error;
}

/* Says what it means that the socket of @dir cannot be reached. */
static int explain_connect(const char *dir, int r, struct nsm_error *err)
{
        switch (r) {
        case -ENOENT:
        case -ECONNREFUSED:
                return nsm_error_set(err, -ECONNREFUSED,
                                     "nsmountd is not running on %s: start it with %s\"nsmountd "
                                     "--runtime-dir %s\"", dir,
                                     access("/run/systemd/system", F_OK) == 0 ?
                                             "\"systemctl start nsmountd\", or " : "", dir);
        case -EACCES:
        case -EPERM:
                return nsm_error_set(err, -EACCES, "%s: only root may ask nsmountd: "
                                     "run this as root", dir);
        case -ELOOP:
        case -ENOTDIR:
                return nsm_error_set(err, r, "%s: the runtime directory is no directory: "
                                     "name the one of the running nsmountd", dir);
        default:
                return nsm_error_set(err, r, "%s/%s: cannot reach nsmountd: %s", dir,
                                     NSM_CONTROL_SOCKET, strerror(-r));
        }
}

/* Root makes the socket, and root serves it; anybody else is an impostor. */
static int check_owner(int fd, const char *path, const char *dir, struct nsm_error *err)
{
        struct stat st;
        struct ucred peer;
        socklen_t size = sizeof peer;

        if (stat(path, &st) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return explain_connect(dir, -errno, err);
        if (st.st_uid == 0 && peer.uid == 0)
                return 0;
        return nsm_error_set(err, -EPERM, "%s/%s belongs to user %u, not to root: this is no "
                             "nsmountd to trust; remove it and start nsmountd again", dir,
                             NSM_CONTROL_SOCKET, (unsigned)(st.st_uid ? st.st_uid : peer.uid));
}

static int connect_socket(const char *dir, struct nsm_error *err)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval limit = { .tv_sec = NSM_CLIENT_TIMEOUT_S };
        cleanup_fd int directory = nsm_channel_open_directory(dir, address.sun_path,
                                                              sizeof address.sun_path);
        cleanup_fd int fd = -1;
        int r;

        if (directory < 0)
                return explain_connect(dir, directory, err);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return explain_connect(dir, -errno, err);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return explain_connect(dir, -errno, err);
        r = check_owner(fd, address.sun_path, dir, err);
        return r < 0 ? r : nsm_take_fd(&fd);
}

int nsm_client_connect(const char *runtime_dir, struct nsm_client **ret, struct nsm_error *err)
{
        const char *dir = runtime_dir ? runtime_dir : "/run/nsmount";
        cleanup_client struct nsm_client *client = calloc(1, sizeof *client);

        if (!client)
                return nsm_error_set(err, -ENOMEM, "no memory");
        client->input.limit = NSM_REPLY_MAX;
        client->fd = connect_socket(dir, err);
        if (client->fd < 0)
                return client->fd;
        *ret = nsm_take_ptr(client);
        return 0;
}

static int send_request(struct nsm_client *client, const char *method, const json_t *parameters,
                        const int *fds, size_t n_fds)
{
        cleanup_free char *bytes = NULL;
        char name[256];
        json_t *request;
        size_t size, done = 0;
        int r;

        snprintf(name, sizeof name, "%s%s", strchr(method, '.') ? "" : "io.nsmount.", method);
        request = json_pack("{s:s, s:O*}", "method", name, "parameters", parameters);
        if (!request)
                return -ENOMEM;
        r = nsm_message_encode(request, NSM_REQUEST_MAX, &bytes, &size);
        json_decref(request);
        while (r == 0 && done < size) {
                ssize_t n = nsm_channel_send(client->fd, bytes + done, size - done, fds,
                                             done ? 0 : n_fds);
                if (n < 0)
                        r = (int)n;
                else
                        done += (size_t)n;
        }
        return r;
}

/* Returns when there is something to read, or the caller need not be told any more. */
static void wait_and_tell(struct nsm_client *client)
{
        struct pollfd p = { .fd = client->fd, .events = POLLIN };

        for (unsigned s = 1; client->tell && s < NSM_CLIENT_TIMEOUT_S; s++) {
                if (poll(&p, 1, 1000) != 0)
                        return;
                client->tell(client->context, s);
        }
}

static int receive_reply(struct nsm_client *client, struct nsm_message *ret, struct nsm_error *err)
{
        for (;;) {
                int r = nsm_input_next(&client->input, ret, err);

                if (r != 0)
                        return r;
                wait_and_tell(client);
                r = nsm_channel_receive(client->fd, &client->input);
                if (r == 0 || r == -ECONNRESET)
                        return nsm_error_set(err, -ECONNRESET, "nsmountd ended before it "
                                             "answered: see its log, and \"nsmount list\" once "
                                             "it runs again");
                if (r == -EAGAIN)
                        return nsm_error_set(err, -ETIMEDOUT, "no answer from nsmountd in %d s",
                                             NSM_CLIENT_TIMEOUT_S);
                if (r < 0)
                        return nsm_error_set(err, r, "reading nsmountd's answer: %s",
                                             strerror(-r));
        }
}

static int code_of_error(const char *name)
{
        static const struct {
                const char *name;
                int code;
        } codes[] = {
                { "io.nsmount.Refused", -EPERM },
                { "io.nsmount.Failed", -EIO },
                { "io.nsmount.Busy", -EBUSY },
                { "org.varlink.service.InvalidParameter", -EINVAL },
                { "org.varlink.service.MethodNotFound", -EOPNOTSUPP },
                { "org.varlink.service.InterfaceNotFound", -EOPNOTSUPP },
                { "org.varlink.service.PermissionDenied", -EACCES },
        };

        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
                if (strcmp(codes[i].name, name) == 0)
                        return codes[i].code;
        return -EPROTO;
}

/* Turns a Varlink error into @err; our own carry a text, the standard ones a name. */
static int take_error(struct nsm_client *client, const char *name, json_t *parameters,
                      struct nsm_error *err)
{
        const char *text = json_string_value(json_object_get(parameters, "text"));
        const char *what = json_string_value(json_object_get(parameters, "parameter"));

        if (!what)
                what = json_string_value(json_object_get(parameters, "method"));
        client->error = json_incref(parameters);
        if (text)
                return nsm_error_set(err, code_of_error(name), "%s", text);
        return nsm_error_set(err, code_of_error(name), "nsmountd answers %s%s%s", name,
                             what ? ": " : "", what ? what : "");
}

int nsm_client_call(struct nsm_client *client, const char *method, const json_t *parameters,
                    const int *fds, size_t n_fds, json_t **ret_reply, struct nsm_error *err)
{
        cleanup_message struct nsm_message reply = { 0 };
        const char *name;
        json_t *out;
        int r;

        json_decref(client->error);
        client->error = NULL;
        r = send_request(client, method, parameters, fds, n_fds);
        if (r == -EMSGSIZE)
                return nsm_error_set(err, r, "the request is longer than %zu bytes",
                                     NSM_REQUEST_MAX);
        /* A server that refuses the connection may have said why before it closed. */
        if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                return nsm_error_set(err, r, "sending to nsmountd: %s", strerror(-r));
        r = receive_reply(client, &reply, err);
        if (r < 0)
                return r;
        name = json_string_value(json_object_get(reply.json, "error"));
        out = json_object_get(reply.json, "parameters");
        if (name)
                return take_error(client, name, out, err);
        if (!ret_reply)
                return 0;
        *ret_reply = out ? json_incref(out) : json_object();
        return *ret_reply ? 0 : nsm_error_set(err, -ENOMEM, "no memory");
}
