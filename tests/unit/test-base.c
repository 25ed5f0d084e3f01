/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>

#include "fs/base/idmap.h"
#include "fs/base/parse.h"

Test(parse, numbers)
{
        uint32_t v = 7;

        cr_assert_eq(nsm_parse_u32("4294967295", &v), 0);
        cr_assert_eq(v, UINT32_MAX);
        cr_assert_eq(nsm_parse_u32("4294967296", &v), -ERANGE);
        cr_assert_eq(nsm_parse_u32("-1", &v), -EINVAL);
        cr_assert_eq(nsm_parse_u32("1x", &v), -EINVAL);
        cr_assert_eq(nsm_parse_u32(" 1", &v), -EINVAL);
        cr_assert_eq(nsm_parse_u32("", &v), -EINVAL);
        cr_assert_eq(v, UINT32_MAX, "a refused number leaves the result alone");
}
