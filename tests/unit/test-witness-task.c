/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What procfs's texts say of a caller, and what it may do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/idmap.h"
#include "fs/witness/task.h"
#include "fs/witness/witness.h"

#define CAP(name) (1ULL << CAP_##name)

/* Of a thread with fsuid 1000, fsgid 100, in group 50. */
static const char status[] =
        "Name:\tUid: 7\\nGroups: 4\nUmask:\t0022\nState:\tD (disk sleep)\n"
        "Uid:\t1\t2\t3\t1000\nGid:\t4\t5\t6\t100\nFDSize:\t64\nGroups:\t50 4294967290 \n"
        "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nCapEff:\t0000000000000000\n";

static struct nsm_task task(bool initial, uint64_t effective)
{
        struct nsm_task t;

        cr_assert_eq(nsm_task_parse_status(status, &t), 0);
        t.initial = initial;
        t.effective = effective;
        return t;
}

Test(witness_task, a_status_is_read)
{
        struct nsm_task t = task(true, 0);

        cr_assert_eq(t.fsuid, 1000);
        cr_assert_eq(t.fsgid, 100);
        cr_assert_eq(t.pending, 0);
}

Test(witness_task, a_processor_is_read)
{
        /* Of a process that calls itself "a) R 1 (b". */
        static const char stat[] =
                "7 (a) R 1 (b) S 1 7 7 0 -1 4194560 133 0 2 0 1 2 0 0 20 0 1 0 99 8192 200 "
                "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 63 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        char cut[sizeof stat];

        cr_assert_eq(nsm_task_parse_processor(stat), 63);
        for (size_t len = 0; len < (size_t)(strstr(stat, " 63 ") - stat); len++) {
                snprintf(cut, sizeof cut, "%.*s", (int)len, stat);
                cr_assert_eq(nsm_task_parse_processor(cut), -EBADMSG, "%s", cut);
        }
}

Test(witness_task, a_status_that_lacks_a_line_is_refused)
{
        static const char *const names[] = { "\nUid:", "\nGid:", "Groups:\t5", "SigPnd", "ShdPnd",
                                             "CapEff" };
        struct nsm_task t;

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                char text[sizeof status];
                snprintf(text, sizeof text, "%s", status);
                char *at = strstr(text, names[i]);
                at[1] = '?';
                cr_expect_eq(nsm_task_parse_status(text, &t), -EBADMSG, "%s", names[i]);
        }
        cr_expect_eq(nsm_task_parse_status("", &t), -EBADMSG);
        cr_expect_eq(nsm_task_parse_status("Uid:\t1\t2\t3\nGid:\t", &t), -EBADMSG);
}

Test(witness_task, signals_of_thread_and_process_count)
{
        char text[sizeof status];
        struct nsm_task t;

        for (int i = 0; i < 2; i++) {
                snprintf(text, sizeof text, "%s", status);
                memcpy(strstr(text, i ? "ShdPnd" : "SigPnd") + 8, "0000000000000100", 16);
                cr_assert_eq(nsm_task_parse_status(text, &t), 0);
                cr_expect(nsm_task_judge(&t, 1, 1) & NSM_CALLER_IS_KILLED);
                memcpy(strstr(text, i ? "ShdPnd" : "SigPnd") + 8, "0000000000004000", 16);
                cr_assert_eq(nsm_task_parse_status(text, &t), 0);
                cr_expect(!(nsm_task_judge(&t, 1, 1) & NSM_CALLER_IS_KILLED), "SIGTERM is not it");
        }
}

Test(witness_task, a_map_has_its_ids_and_no_others)
{
        static const char map[] = "         0     100000      65536\n"
                                  "     70000          5          1\n";

        cr_expect(nsm_task_map_has(map, 100000));
        cr_expect(nsm_task_map_has(map, 165535));
        cr_expect(nsm_task_map_has(map, 5));
        cr_expect(!nsm_task_map_has(map, 99999));
        cr_expect(!nsm_task_map_has(map, 165536));
        cr_expect(!nsm_task_map_has(map, 6));
        cr_expect(!nsm_task_map_has("", 0));
        cr_expect(nsm_task_map_has("0 0 4294967295\n", 4294967294U));
        cr_expect(!nsm_task_map_has("0 0 4294967295\n", NSM_ID_INVALID));
}

Test(witness_task, only_an_owner_owns)
{
        struct nsm_task t = task(true, 0);

        cr_expect(nsm_task_judge(&t, 1000, 1) & NSM_CALLER_OWNS);
        cr_expect(!(nsm_task_judge(&t, 1001, 1) & NSM_CALLER_OWNS));
        t = task(true, CAP(FOWNER));
        cr_expect(nsm_task_judge(&t, 1001, 1) & NSM_CALLER_OWNS);
        cr_expect(!(nsm_task_judge(&t, NSM_ID_INVALID, 1) & NSM_CALLER_OWNS), "nobody's");
        t = task(false, CAP(FOWNER));
        t.maps_uid = true;
        cr_expect(!(nsm_task_judge(&t, 1001, 1) & NSM_CALLER_OWNS), "the group is not mapped");
        t.maps_gid = true;
        cr_expect(nsm_task_judge(&t, 1001, 1) & NSM_CALLER_OWNS);
}

Test(witness_task, groups_are_matched_whole)
{
        struct nsm_task t = task(true, 0);

        for (size_t i = 0; i < 3; i++)
                cr_expect(nsm_task_judge(&t, 0, (uint32_t[]){ 100, 50, 4294967290U }[i]) &
                          NSM_CALLER_IS_MEMBER);
        for (size_t i = 0; i < 4; i++)
                cr_expect(!(nsm_task_judge(&t, 0, (uint32_t[]){ 5, 0, 4, NSM_ID_INVALID }[i]) &
                            NSM_CALLER_IS_MEMBER));
        t = task(true, CAP(FSETID));
        cr_expect(nsm_task_judge(&t, 0, 5) & NSM_CALLER_IS_MEMBER);
}

Test(witness_task, privilege_over_the_host_is_only_of_its_user_namespace)
{
        struct nsm_task t = task(true, CAP(FSETID) | CAP(SYS_ADMIN));
        unsigned both = NSM_CALLER_KEEPS_SET_IDS | NSM_CALLER_IS_ADMIN;

        cr_expect_eq(nsm_task_judge(&t, 0, 5) & both, both);
        t.initial = false;
        t.maps_uid = t.maps_gid = true;
        cr_expect_eq(nsm_task_judge(&t, 0, 5) & both, 0);
}

Test(witness_task, who_has_none_of_the_ids_is_foreign)
{
        struct nsm_task t = task(false, 0);

        cr_expect(nsm_task_judge(&t, 0, 5) & NSM_CALLER_IS_FOREIGN);
        cr_expect(!(nsm_task_judge(&t, NSM_ID_INVALID, NSM_ID_INVALID) & NSM_CALLER_IS_FOREIGN),
                  "what is nobody's is nobody's in any mount");
        t.maps_gid = true;
        cr_expect(!(nsm_task_judge(&t, 0, 5) & NSM_CALLER_IS_FOREIGN));
        t = task(true, 0);
        cr_expect(!(nsm_task_judge(&t, 0, 5) & NSM_CALLER_IS_FOREIGN));
}

Test(witness_task, a_system_call_is_told_by_its_number)
{
#ifdef __x86_64__
        cr_expect(nsm_task_is_chowning("92 0x1 0x2 0x3 0x0 0x0 0x0 0x7ff 0x7ff\n"));
        cr_expect(nsm_task_is_chowning("260 0x1\n"));
        cr_expect(!nsm_task_is_chowning("1 0x5c\n"));
        cr_expect(!nsm_task_is_chowning("9 0x5c\n"));
#endif
        cr_expect(!nsm_task_is_chowning("running\n"));
        cr_expect(!nsm_task_is_chowning(""));
        cr_expect(!nsm_task_is_chowning("-1 0x7ff 0x7ff\n"));
}
