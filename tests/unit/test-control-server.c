/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both ends of the control socket, over a real one. */
#include "tests/unit/control-kit.h"

TestSuite(server, .init = set_up, .fini = tear_down);

static struct nsm_client *connect_client(void)
{
        struct nsm_client *client = NULL;
        struct nsm_error err = { 0 };

        cr_assert_eq(nsm_client_connect(dir, &client, &err), 0, "%s", err.text);
        return client;
}

/* A connection for bytes that the client would never send. */
static int connect_raw(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", dir, NSM_CONTROL_SOCKET);
        cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        return fd;
}

/* Everything up to the end of the stream. */
static size_t read_to_end(int fd, char *ret, size_t size)
{
        size_t used = 0;
        ssize_t n;

        while (used < size - 1 && (n = read(fd, ret + used, size - 1 - used)) > 0)
                used += (size_t)n;
        ret[used] = '\0';
        return used;
}

static void check_alive(void)
{
        cleanup_client struct nsm_client *client = connect_client();

        cr_assert_eq(nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, NULL), 0);
}

Test(server, answers)
{
        cleanup_client struct nsm_client *client = connect_client();
        json_t *parameters = json_pack("{s:s}", "a", "b"), *reply = NULL;

        for (int i = 0; i < 3; i++) {
                cr_assert_eq(nsm_client_call(client, "io.test.Echo", parameters, NULL, 0, &reply,
                                             NULL), 0);
                cr_assert(json_equal(parameters, reply));
                json_decref(reply);
        }
        json_decref(parameters);
}

Test(server, takes_descriptors)
{
        cleanup_client struct nsm_client *client = connect_client();
        json_t *parameters = json_pack("{s:i}", "fd", 1), *reply = NULL;
        int fds[2] = { STDERR_FILENO, open("/proc/self/exe", O_RDONLY | O_CLOEXEC) };
        struct nsm_error err = { 0 };
        struct stat st;

        cr_assert_eq(fstat(fds[1], &st), 0);
        cr_assert_eq(nsm_client_call(client, "io.test.Stat", parameters, fds, 2, &reply, &err), 0,
                     "%s", err.text);
        cr_assert_eq((ino_t)json_integer_value(json_object_get(reply, "inode")), st.st_ino);
        json_decref(reply);
        cr_assert_lt(nsm_client_call(client, "io.test.Stat", parameters, fds, 1, NULL, &err), 0);
        json_decref(parameters);
}

Test(server, a_reply_may_be_larger_than_a_request)
{
        cleanup_client struct nsm_client *client = connect_client();
        json_t *reply = NULL;

        cr_assert_eq(nsm_client_call(client, "io.test.Big", NULL, NULL, 0, &reply, NULL), 0);
        cr_assert_eq(json_array_size(json_object_get(reply, "numbers")), 100000);
        json_decref(reply);
}

Test(server, unknown_methods)
{
        static const char *const names[] = { "io.test.Nothing", "io.other.Echo", "io.test.",
                                             "org.varlink.service.Nothing", "x.y" };
        cleanup_client struct nsm_client *client = connect_client();

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                struct nsm_error err = { 0 };

                cr_assert_eq(nsm_client_call(client, names[i], NULL, NULL, 0, NULL, &err),
                             -EOPNOTSUPP, "%s: %s", names[i], err.text);
                cr_assert_not_null(strstr(err.text, "NotFound"));
        }
        cr_assert_eq(nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, NULL), 0,
                     "the connection lives on");
}

Test(server, describes_itself)
{
        cleanup_client struct nsm_client *client = connect_client();
        json_t *parameters = json_pack("{s:s}", "interface", "io.test"), *reply = NULL;

        cr_assert_eq(nsm_client_call(client, "org.varlink.service.GetInfo", NULL, NULL, 0, &reply,
                                     NULL), 0);
        cr_assert_eq(json_array_size(json_object_get(reply, "interfaces")), 2);
        json_decref(reply);
        cr_assert_eq(nsm_client_call(client, "org.varlink.service.GetInterfaceDescription",
                                     parameters, NULL, 0, &reply, NULL), 0);
        cr_assert_str_eq(json_string_value(json_object_get(reply, "description")),
                         "interface io.test\n");
        json_decref(reply);
        json_decref(parameters);
        cr_assert_not_null(strstr(nsm_control_interface_text, "interface io.nsmount\n"));
}

Test(server, errors_keep_their_details)
{
        cleanup_client struct nsm_client *client = connect_client();
        struct nsm_error err = { 0 };

        cr_assert_eq(nsm_client_call(client, "io.test.Busy", NULL, NULL, 0, NULL, &err), -EBUSY);
        cr_assert_str_eq(err.text, "in use");
        cr_assert_eq(json_array_size(json_object_get(nsm_client_error(client), "holders")), 1);
        cr_assert_eq(nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, NULL), 0);
        cr_assert_null(nsm_client_error(client));
}

Test(server, breakers_of_the_framing_are_told_and_left)
{
        static const char *const bad[] = { "x", "[]", "{}", "{\"method\":1}", "{\"nothing\":\"a\"}",
                                           "{\"method\":\"a\",\"upgrade\":true}",
                                           "{\"method\":\"a\",\"parameters\":[]}" };
        char answer[1024];

        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                cleanup_fd int fd = connect_raw();
                size_t size = strlen(bad[i]) + 1;

                cr_assert_eq(write(fd, bad[i], size), (ssize_t)size);
                cr_assert_gt(read_to_end(fd, answer, sizeof answer), 0, "%s", bad[i]);
                cr_assert_not_null(strstr(answer, "io.nsmount.Refused"), "%s", answer);
        }
        check_alive();
}

Test(server, an_oversized_message_is_refused)
{
        static char bytes[NSM_REQUEST_MAX * 2];
        cleanup_fd int fd = connect_raw();
        char answer[1024];

        memset(bytes, 'a', sizeof bytes);
        for (size_t done = 0; done < sizeof bytes;) {
                ssize_t n = send(fd, bytes + done, sizeof bytes - done, MSG_NOSIGNAL);

                if (n <= 0)
                        break; /* cut off */
                done += (size_t)n;
        }
        if (read_to_end(fd, answer, sizeof answer) > 0)
                cr_assert_not_null(strstr(answer, "longer than 65536 bytes"), "%s", answer);
        check_alive();
}

Test(server, a_truncated_message_is_dropped)
{
        cleanup_fd int fd = connect_raw();
        char answer[1024];

        cr_assert_eq(write(fd, "{\"method\":\"io.test.Ec", 21), 21);
        cr_assert_eq(shutdown(fd, SHUT_WR), 0);
        cr_assert_eq(read_to_end(fd, answer, sizeof answer), 0);
        check_alive();
}

Test(server, too_many_descriptors_are_refused)
{
        cleanup_fd int fd = connect_raw();
        int fds[NSM_MESSAGE_FDS_MAX + 1];
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof fds)];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)"{", .iov_len = 1 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control.room };
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        char answer[1024];

        for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
                fds[i] = STDERR_FILENO;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(c), fds, sizeof fds);
        cr_assert_eq(sendmsg(fd, &msg, MSG_NOSIGNAL), 1);
        read_to_end(fd, answer, sizeof answer);
        cr_assert_not_null(strstr(answer, "too many descriptors"), "%s", answer);
        check_alive();
}

Test(server, pipelined_requests_are_answered_in_order)
{
        static const char bytes[] = "{\"method\":\"io.test.Echo\",\"parameters\":{\"n\":1}}\0"
                                    "{\"method\":\"io.test.Echo\",\"parameters\":{\"n\":2},"
                                    "\"oneway\":true}\0"
                                    "{\"method\":\"io.test.Echo\",\"parameters\":{\"n\":3}}";
        static const char wanted[] = "{\"parameters\":{\"n\":1}}\0{\"parameters\":{\"n\":3}}";
        cleanup_fd int fd = connect_raw();
        char answer[1024];

        cr_assert_eq(write(fd, bytes, sizeof bytes), sizeof bytes);
        cr_assert_eq(shutdown(fd, SHUT_WR), 0);
        cr_assert_eq(read_to_end(fd, answer, sizeof answer), sizeof wanted);
        cr_assert_eq(memcmp(answer, wanted, sizeof wanted), 0);
}

static bool is_kept(struct nsm_client *client)
{
        json_t *reply = NULL;
        bool kept_now;

        cr_assert_eq(nsm_client_call(client, "io.test.IsKept", NULL, NULL, 0, &reply, NULL), 0);
        kept_now = json_is_true(json_object_get(reply, "kept"));
        json_decref(reply);
        return kept_now;
}

Test(server, a_peer_that_leaves_does_not_take_its_call_along)
{
        int fd = connect_raw();
        cleanup_client struct nsm_client *client = connect_client();

        cr_assert_gt(write(fd, "{\"method\":\"io.test.Keep\"}", 26), 0);
        close(fd);
        while (!is_kept(client))
                usleep(1000);
        /* The hang-up was there to be read with the call, so it is read before this is done. */
        check_alive();
        check_alive();
        cr_assert(is_kept(client));
        cr_assert_eq(nsm_client_call(client, "io.test.Release", NULL, NULL, 0, NULL, NULL), 0);
        check_alive();
}

Test(server, many_connections)
{
        int fds[NSM_SERVER_CONNECTIONS_MAX];
        struct nsm_client *client = NULL;
        struct nsm_error err = { 0 };

        for (unsigned i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++)
                fds[i] = connect_raw();
        cr_assert_eq(nsm_client_connect(dir, &client, &err), 0);
        cr_assert_eq(nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, &err), -EPERM);
        cr_assert_not_null(strstr(err.text, "connections are open already"), "%s", err.text);
        nsm_client_free(client);
        for (unsigned i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++)
                close(fds[i]);
        /* Until the server has seen that they are closed. */
        for (bool served = false; !served; usleep(1000)) {
                cr_assert_eq(nsm_client_connect(dir, &client, NULL), 0);
                served = nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, NULL) == 0;
                nsm_client_free(client);
        }
}

Test(server, others_than_root_are_refused)
{
        int fd = connect_raw(); /* as root, so that the directory lets it in; then as another */
        char path[128];
        int status;
        pid_t pid;

        close(fd);
        snprintf(path, sizeof path, "%s/%s", dir, NSM_CONTROL_SOCKET);
        cr_assert_eq(chmod(dir, 0755), 0);
        cr_assert_eq(chmod(path, 0666), 0);
        pid = fork();
        if (pid == 0) {
                char answer[1024];

                if (setresuid(65534, 65534, 65534) < 0)
                        _exit(1);
                fd = connect_raw();
                read_to_end(fd, answer, sizeof answer);
                _exit(strstr(answer, "only root may") ? 0 : 2);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0);
}

/* The requesting end alone. */

Test(client, nobody_serves)
{
        struct nsm_client *client = NULL;
        struct nsm_error err = { 0 };

        cr_assert_eq(nsm_client_connect("/nonexistent/nsmount", &client, &err), -ECONNREFUSED);
        cr_assert_not_null(strstr(err.text, "nsmountd is not running"), "%s", err.text);
        cr_assert_not_null(strstr(err.text, "start it with"), "%s", err.text);
        cr_assert_null(client);
}

Test(client, an_impostor_is_not_asked)
{
        struct nsm_client *client = NULL;
        struct nsm_error err = { 0 };
        char path[128];
        int fd;

        if (geteuid() != 0)
                cr_skip_test("needs root to make a socket of another's");
        strcpy(dir, "/tmp/nsm-control-XXXXXX");
        cr_assert_not_null(mkdtemp(dir));
        fd = listen_in(dir);
        snprintf(path, sizeof path, "%s/%s", dir, NSM_CONTROL_SOCKET);
        cr_assert_eq(chown(path, 65534, 65534), 0);
        cr_assert_eq(nsm_client_connect(dir, &client, &err), -EPERM);
        cr_assert_not_null(strstr(err.text, "belongs to user 65534"), "%s", err.text);
        close(fd);
        server_pid = 0;
        tear_down();
}

Test(client, a_server_that_dies_is_noticed, .init = set_up, .fini = tear_down)
{
        cleanup_client struct nsm_client *client = connect_client();
        struct nsm_error err = { 0 };

        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
        server_pid = 0;
        cr_assert_eq(nsm_client_call(client, "io.test.Echo", NULL, NULL, 0, NULL, &err),
                     -ECONNRESET, "%s", err.text);
}
