/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs/base: strict parsing, error texts. Id maps have a program of their own. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include "fs/base/error.h"
#include "fs/base/parse.h"

struct number_case {
        const char *text;
        int result;
        uint32_t value;
};

static const struct number_case numbers[] = {
        { "0", 0, 0 },
        { "65536", 0, 65536 },
        { "4294967295", 0, UINT32_MAX },
        { "007", 0, 7 },
        { "4294967296", -ERANGE, 0 },
        { "99999999999999999999999999", -ERANGE, 0 },
        { "99999999999999999999999999x", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "1x", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "", -EINVAL, 0 },
};

Test(parse, u32)
{
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
                const struct number_case *c = &numbers[i];
                uint32_t v = 77;

                cr_expect_eq(nsm_parse_u32(c->text, &v), c->result, "'%s'", c->text);
                cr_expect_eq(v, c->result == 0 ? c->value : 77, "'%s'", c->text);
        }
}

Test(parse, u64)
{
        uint64_t v = 77;

        cr_expect_eq(nsm_parse_u64("18446744073709551616", &v), -ERANGE);
        cr_expect_eq(v, 77);
        cr_expect_eq(nsm_parse_u64("18446744073709551615", &v), 0);
        cr_expect_eq(v, UINT64_MAX);
}

Test(parse, pid)
{
        pid_t pid = 77;

        cr_expect_eq(nsm_parse_pid("0", &pid), -ERANGE);
        cr_expect_eq(nsm_parse_pid("2147483648", &pid), -ERANGE);
        cr_expect_eq(nsm_parse_pid("-5", &pid), -EINVAL);
        cr_expect_eq(pid, 77);
        cr_expect_eq(nsm_parse_pid("2147483647", &pid), 0);
        cr_expect_eq(pid, 2147483647);
}

Test(parse, bool_words)
{
        bool v = false;

        cr_expect(nsm_parse_bool("yes", &v) == 0 && v);
        cr_expect(nsm_parse_bool("off", &v) == 0 && !v);
        cr_expect(nsm_parse_bool("1", &v) == 0 && v);
        cr_expect_eq(nsm_parse_bool("Yes", &v), -EINVAL);
        cr_expect_eq(nsm_parse_bool("", &v), -EINVAL);
        cr_expect(v);
}

Test(parse, names)
{
        char longest[NSM_NAME_MAX + 2];

        memset(longest, 'a', sizeof longest);
        longest[NSM_NAME_MAX + 1] = '\0';
        cr_expect_not(nsm_name_is_valid(longest));
        longest[NSM_NAME_MAX] = '\0';
        cr_expect(nsm_name_is_valid(longest));

        static const char *const good[] = { "a", "acme", "a-", "a1-b2" };
        static const char *const bad[] = { "", "1a", "-a", "Acme", "a_b", "a.b", "a/b", "a b",
                                           "\xc3\xa9" };
        for (size_t i = 0; i < sizeof good / sizeof *good; i++)
                cr_expect(nsm_name_is_valid(good[i]), "'%s'", good[i]);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                cr_expect_not(nsm_name_is_valid(bad[i]), "'%s'", bad[i]);
}

Test(parse, lists)
{
        uint32_t v[3] = { 7, 7, 7 };

        cr_expect_eq(nsm_parse_u32_list("0:100000:65536", ':', v, 3), 0);
        cr_expect(v[0] == 0 && v[1] == 100000 && v[2] == 65536);

        static const char *const bad[] = { "0:1", "0:1:2:3", "0:1:", ":1:2", "0:1:2 ", " 0:1:2",
                                           "0::2",
                                           "0:-1:2", "0 1 2", "" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                cr_expect_eq(nsm_parse_u32_list(bad[i], ':', v, 3), -EINVAL, "'%s'", bad[i]);
        cr_expect_eq(nsm_parse_u32_list("0:1:4294967296", ':', v, 3), -ERANGE);
        cr_expect(v[0] == 0 && v[1] == 100000 && v[2] == 65536,
                  "refused lists leave the result alone");

        cr_expect_eq(nsm_parse_u32_list("         0     100000      65536", ' ', v, 3), 0);
        cr_expect_eq(nsm_parse_u32_list("0 1", ' ', v, 3), -EINVAL);
        cr_expect_eq(nsm_parse_u32_list("0 1 2 3", ' ', v, 3), -EINVAL);
}

Test(error, first_failure_stays)
{
        struct nsm_error err = { 0 };

        cr_expect_eq(nsm_error_set(&err, -ENOENT, "%s is missing", "it"), -ENOENT);
        cr_expect_eq(nsm_error_set(&err, -EIO, "later"), -EIO);
        cr_expect_eq(err.code, -ENOENT);
        cr_expect_str_eq(err.text, "it is missing");
        nsm_error_prefix(&err, "tenant '%s'", "acme");
        cr_expect_str_eq(err.text, "tenant 'acme': it is missing");
        nsm_error_reset(&err);
        nsm_error_prefix(&err, "nothing");
        cr_expect_str_eq(err.text, "");
        cr_expect_eq(nsm_error_set(NULL, -EIO, "nobody reads this"), -EIO);
}

Test(error, one_printable_line)
{
        struct nsm_error err = { 0 };
        char longest[2 * NSM_ERROR_TEXT_MAX];

        nsm_error_set(&err, -EINVAL, "a\nb\x1b[31m");
        cr_expect_str_eq(err.text, "a\\x0ab\\x1b[31m");

        nsm_error_reset(&err);
        memset(longest, '\n', sizeof longest - 1);
        longest[sizeof longest - 1] = '\0';
        nsm_error_set(&err, -EINVAL, "%s", longest);
        cr_expect_lt(strlen(err.text), NSM_ERROR_TEXT_MAX);
        cr_expect_null(strchr(err.text, '\n'));
        nsm_error_prefix(&err, "%s", longest);
        cr_expect_null(strchr(err.text, '\n'));
}
