/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The framing of the control socket, and the parameters of its methods. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "tools/control/message.h"
#include "tools/control/parameters.h"

/* As a string with its NUL. */
#define FEED(input, text) nsm_input_feed(input, text, sizeof(text), NULL, 0)

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static int some_fd(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Test(message, comes_in_pieces)
{
        static const char text[] = "{\"method\":\"a\"}";
        struct nsm_input input = { .limit = NSM_REQUEST_MAX };
        struct nsm_message message = { 0 };

        for (size_t i = 0; i < sizeof text; i++) {
                cr_assert_eq(nsm_input_next(&input, &message, NULL), 0);
                cr_assert_eq(nsm_input_feed(&input, text + i, 1, NULL, 0), 0);
        }
        cr_assert_eq(nsm_input_next(&input, &message, NULL), 1);
        cr_assert_str_eq(json_string_value(json_object_get(message.json, "method")), "a");
        cr_assert(nsm_input_is_empty(&input));
        nsm_message_clear(&message);
        nsm_input_clear(&input);
}

Test(message, several_at_once)
{
        struct nsm_input input = { .limit = NSM_REQUEST_MAX };
        struct nsm_message message = { 0 };

        cr_assert_eq(FEED(&input, "{\"n\":1}\0{\"n\":2}\0{\"n\":3"), 0);
        for (int n = 1; n <= 2; n++) {
                cr_assert_eq(nsm_input_next(&input, &message, NULL), 1);
                cr_assert_eq(json_integer_value(json_object_get(message.json, "n")), n);
                nsm_message_clear(&message);
        }
        cr_assert_eq(nsm_input_next(&input, &message, NULL), -EBADMSG, "the third is cut by a NUL");
        nsm_input_clear(&input);
}

Test(message, limit_is_exact)
{
        struct nsm_input input = { .limit = 16 };
        struct nsm_message message = { 0 };
        struct nsm_error err = { 0 };

        cr_assert_eq(FEED(&input, "{\"abcdef\":1234}"), 0);
        cr_assert_eq(nsm_input_next(&input, &message, &err), 1, "%s", err.text);
        nsm_message_clear(&message);
        cr_assert_eq(FEED(&input, "{\"abcdef\":12345}"), 0);
        cr_assert_eq(nsm_input_next(&input, &message, &err), -EMSGSIZE);
        nsm_input_clear(&input);
        cr_assert_eq(nsm_input_feed(&input, "{\"abcdef\":12345", 15, NULL, 0), 0);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), 0, "room for the NUL is left");
        cr_assert_eq(nsm_input_feed(&input, "6", 1, NULL, 0), 0);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), -EMSGSIZE,
                     "an end that never comes is not waited for");
        nsm_input_clear(&input);
}

Test(message, garbage)
{
        static const char *const bad[] = { "", "x", "[]", "1", "\"text\"", "{", "{}{}", "{\"a\":}",
                                           "{\"a\":1,\"a\":2}", "\xff\xfe", "{\"a\":\"\xc3\"}" };

        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct nsm_input input = { .limit = NSM_REQUEST_MAX };
                struct nsm_message message = { 0 };
                struct nsm_error err = { 0 };

                cr_assert_eq(nsm_input_feed(&input, bad[i], strlen(bad[i]) + 1, NULL, 0), 0);
                cr_assert_eq(nsm_input_next(&input, &message, &err), -EBADMSG, "%s", bad[i]);
                cr_assert_neq(err.text[0], '\0');
                cr_assert_null(message.json);
                nsm_input_clear(&input);
        }
}

Test(message, deep_nesting_is_refused)
{
        struct nsm_input input = { .limit = NSM_REQUEST_MAX };
        struct nsm_message message = { 0 };
        char text[60000];

        memset(text, '[', sizeof text - 1);
        memcpy(text, "{\"a\":", 5);
        text[sizeof text - 1] = '\0';
        cr_assert_eq(nsm_input_feed(&input, text, sizeof text, NULL, 0), 0);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), -EBADMSG);
        nsm_input_clear(&input);
}

Test(message, descriptors_follow_their_message)
{
        struct nsm_input input = { .limit = NSM_REQUEST_MAX };
        struct nsm_message message = { 0 };
        int a = some_fd(), b = some_fd();

        /* The kernel glues bytes without descriptors in front of those with. */
        cr_assert_eq(nsm_input_feed(&input, "{\"n\":1}\0{\"n\":2}", 16, &a, 1), 0);
        cr_assert_eq(nsm_input_feed(&input, "{\"n\":3}", 8, &b, 1), 0);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), 1);
        cr_assert_eq(message.n_fds, 0);
        nsm_message_clear(&message);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), 1);
        cr_assert_eq(message.n_fds, 1);
        cr_assert_eq(message.fds[0], a);
        nsm_message_clear(&message);
        cr_assert_not(is_open(a), "what nobody took is closed with its message");
        cr_assert(is_open(b));
        nsm_input_clear(&input);
        cr_assert_not(is_open(b));
}

Test(message, too_many_descriptors)
{
        struct nsm_input input = { .limit = NSM_REQUEST_MAX };
        struct nsm_message message = { 0 };
        int fds[NSM_INPUT_FDS_MAX + 1];

        for (size_t i = 0; i <= NSM_INPUT_FDS_MAX; i++)
                fds[i] = some_fd();
        cr_assert_eq(nsm_input_feed(&input, "{", 1, fds, NSM_MESSAGE_FDS_MAX + 1), 0);
        cr_assert_eq(nsm_input_feed(&input, "}", 2, NULL, 0), 0);
        cr_assert_eq(nsm_input_next(&input, &message, NULL), -E2BIG);
        cr_assert_eq(nsm_input_feed(&input, "{", 1, fds + NSM_MESSAGE_FDS_MAX + 1,
                                    NSM_INPUT_FDS_MAX - NSM_MESSAGE_FDS_MAX), -E2BIG);
        nsm_input_clear(&input);
        for (size_t i = 0; i <= NSM_INPUT_FDS_MAX; i++)
                cr_assert_not(is_open(fds[i]));
}

Test(message, encode)
{
        json_t *json = json_pack("{s:s}", "a", "b");
        char *bytes = NULL;
        size_t size = 0;

        cr_assert_eq(nsm_message_encode(json, 9, &bytes, &size), -EMSGSIZE);
        cr_assert_null(bytes);
        cr_assert_eq(nsm_message_encode(json, 10, &bytes, &size), 0);
        cr_assert_eq(size, 10);
        cr_assert_str_eq(bytes, "{\"a\":\"b\"}");
        free(bytes);
        json_decref(json);
}

static int parse(const char *text, unsigned known, unsigned required, struct nsm_parameters *ret)
{
        static json_t *json; /* what is parsed points into it */
        const char *bad = NULL;
        int r;

        json_decref(json);
        json = json_loads(text, JSON_ALLOW_NUL, NULL);
        cr_assert_not_null(json, "%s", text);
        r = nsm_parameters_parse(json, known, required, ret, &bad);
        cr_assert_eq(r < 0, bad != NULL);
        return r;
}

Test(parameters, taken)
{
        struct nsm_parameters p;

        cr_assert_eq(parse("{\"tenant\":\"acme\",\"at\":\"/data\",\"container\":0,"
                           "\"readOnly\":true,\"volume\":null}",
                           ~0u, NSM_PARAMETER_TENANT, &p), 0);
        cr_assert_str_eq(p.tenant, "acme");
        cr_assert_str_eq(p.at, "/data");
        cr_assert_null(p.volume);
        cr_assert_eq(p.container, 0);
        cr_assert(p.read_only && p.api && !p.force);
        cr_assert_eq(parse("{\"api\":false}", ~0u, 0, &p), 0);
        cr_assert(!p.api && p.container == -1);
}

Test(parameters, refused)
{
        static const char *const bad[] = {
                "{}", "{\"tenant\":null}", "{\"tenant\":\"\"}", "{\"tenant\":\"Acme\"}",
                "{\"tenant\":\"a/b\"}", "{\"tenant\":\"..\"}", "{\"tenant\":1}",
                "{\"tenant\":\"a\",\"color\":1}", "{\"tenant\":\"a\",\"container\":-1}",
                "{\"tenant\":\"a\",\"container\":\"0\"}", "{\"tenant\":\"a\",\"container\":1.5}",
                "{\"tenant\":\"a\",\"container\":99999999999}", "{\"tenant\":\"a\",\"api\":1}",
                "{\"tenant\":\"a\",\"at\":\"\"}", "{\"tenant\":\"a\",\"at\":\"/a\\u0000b\"}",
        };
        struct nsm_parameters p = { .container = 77 };

        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                cr_assert_eq(parse(bad[i], ~0u, NSM_PARAMETER_TENANT, &p), -EINVAL, "%s", bad[i]);
        cr_assert_eq(parse("{\"kill\":true}", NSM_PARAMETER_FORCE, 0, &p), -EINVAL,
                     "another method's parameter");
        cr_assert_eq(p.container, 77, "a refusal leaves the result alone");
}
