/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "fs/base/cleanup.h"
#include "tools/control/connection.h"

/* Rounds of accepting per second: without descriptors left the socket stays readable. */
#define ACCEPT_BURST 1000u

#define SERVICE "org.varlink.service"

static const char service_text[] =
        "# What every Varlink service offers.\n"
        "interface org.varlink.service\n\n"
        "method GetInfo() -> (vendor: string, product: string, version: string, url: string,\n"
        "  interfaces: []string)\n\n"
        "method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
        "error InterfaceNotFound (interface: string)\n\n"
        "error MethodNotFound (method: string)\n\n"
        "error MethodNotImplemented (method: string)\n\n"
        "error InvalidParameter (parameter: string)\n\n"
        "error PermissionDenied ()\n\n"
        "error ExpectedMore ()\n";

struct nsm_server {
        int fd;
        sd_event *event;
        sd_event_source *accept;
        const struct nsm_server_interface *interface;
        struct connection *connections[NSM_SERVER_CONNECTIONS_MAX];
        size_t n_connections;
};

static void get_info(struct nsm_server *server, struct nsm_call *call)
{
        nsm_call_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "nsmount",
                                       "product", "nsmountd", "version", NSM_VERSION, "url", "",
                                       "interfaces", SERVICE, server->interface->name));
}

static void get_description(struct nsm_server *server, struct nsm_call *call)
{
        const char *name = json_string_value(json_object_get(call->parameters, "interface"));
        const char *text = NULL;

        if (!name) {
                nsm_call_fail(call, SERVICE ".InvalidParameter",
                              json_pack("{s:s}", "parameter", "interface"));
                return;
        }
        if (strcmp(name, SERVICE) == 0)
                text = service_text;
        else if (strcmp(name, server->interface->name) == 0)
                text = server->interface->text;
        if (text)
                nsm_call_reply(call, json_pack("{s:s}", "description", text));
        else
                nsm_call_fail(call, SERVICE ".InterfaceNotFound",
                              json_pack("{s:s}", "interface", name));
}

static bool is_of_interface(const char *method, const char *interface)
{
        size_t n = strlen(interface);

        return strncmp(method, interface, n) == 0 && method[n] == '.' &&
               !strchr(method + n + 1, '.');
}

static void fail_unknown(struct nsm_server *server, struct nsm_call *call)
{
        const char *dot = strrchr(call->method, '.');

        if (is_of_interface(call->method, SERVICE) ||
            is_of_interface(call->method, server->interface->name) || !dot)
                nsm_call_fail(call, SERVICE ".MethodNotFound",
                              json_pack("{s:s}", "method", call->method));
        else
                nsm_call_fail(call, SERVICE ".InterfaceNotFound",
                              json_pack("{s:s%}", "interface", call->method,
                                        (size_t)(dot - call->method)));
}

static void on_call(struct nsm_call *call, void *data)
{
        struct nsm_server *server = data;
        const struct nsm_server_interface *interface = server->interface;

        for (size_t i = 0; i < interface->n_methods; i++) {
                if (strcmp(interface->methods[i].name, call->method) != 0)
                        continue;
                interface->methods[i].run(call, interface->context);
                return;
        }
        if (strcmp(call->method, SERVICE ".GetInfo") == 0)
                get_info(server, call);
        else if (strcmp(call->method, SERVICE ".GetInterfaceDescription") == 0)
                get_description(server, call);
        else
                fail_unknown(server, call);
}

static void on_closed(struct connection *connection, void *data)
{
        struct nsm_server *server = data;

        for (size_t i = 0; i < server->n_connections; i++)
                if (server->connections[i] == connection) {
                        server->connections[i] = server->connections[--server->n_connections];
                        return;
                }
}

/* Why this peer is not served, in @text, or false. */
static bool refuse_peer(struct nsm_server *server, int fd, char *text, size_t size)
{
        struct ucred peer = { 0 };
        socklen_t peer_size = sizeof peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) < 0)
                snprintf(text, size, "cannot tell who is asking: %s", strerror(errno));
        else if (peer.uid != 0)
                snprintf(text, size, "user %u may not ask nsmountd: only root may",
                         (unsigned)peer.uid);
        else if (server->n_connections >= NSM_SERVER_CONNECTIONS_MAX)
                snprintf(text, size, "%u connections are open already: try again later",
                         NSM_SERVER_CONNECTIONS_MAX);
        else
                return false;
        return true;
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t events, void *data)
{
        struct nsm_server *server = data;
        struct connection_owner owner = { on_call, on_closed, server };
        struct connection *connection = NULL;
        char text[128];
        bool refused;
        cleanup_fd int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
                return 0; /* the peer has left, or we are out of descriptors: try again */
        refused = refuse_peer(server, fd, text, sizeof text);
        if (connection_new(server->event, fd, &owner, &connection) < 0)
                return 0;
        nsm_take_fd(&fd);
        if (refused)
                connection_refuse(connection, text);
        else
                server->connections[server->n_connections++] = connection;
        return 0;
}

int nsm_server_new(sd_event *event, int listen_fd, const struct nsm_server_interface *interface,
                   struct nsm_server **ret)
{
        cleanup_server struct nsm_server *server = calloc(1, sizeof *server);
        int r;

        if (!server)
                return -ENOMEM;
        server->fd = -1;
        server->event = sd_event_ref(event);
        server->interface = interface;
        r = sd_event_add_io(event, &server->accept, listen_fd, EPOLLIN, on_accept, server);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(server->accept, 1000000, ACCEPT_BURST);
        if (r < 0)
                return r;
        server->fd = listen_fd;
        *ret = nsm_take_ptr(server);
        return 0;
}

void nsm_server_free(struct nsm_server *server)
{
        if (!server)
                return;
        sd_event_source_disable_unref(server->accept);
        for (size_t i = 0; i < server->n_connections; i++)
                connection_free(server->connections[i]);
        nsm_close_fd(server->fd);
        sd_event_unref(server->event);
        free(server);
}
