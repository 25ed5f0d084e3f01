/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who acts. The saved user id stays root's, so that root can come back. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/posix/engine.h"

#define GROUPS_MAX 1024

/* "UID[:GID[:G,G-G...]]" */
static int parse_user(struct px *px, const char *user, uid_t *uid, gid_t *gid, gid_t *groups)
{
        char *end;
        int n = 0;

        if (user[0] == 'u' && user[1] >= '1' && user[1] <= '9' && !user[2]) {
                *uid = *gid = (uid_t)(65535 - (user[1] - '0'));
                return 0;
        }
        *uid = *gid = (uid_t)strtoul(user, &end, 10);
        if (end == user)
                px_die(px, "no user %s", user);
        if (*end == ':')
                *gid = (gid_t)strtoul(end + 1, &end, 10);
        while ((*end == ':' || *end == ',') && n < GROUPS_MAX) {
                gid_t first = (gid_t)strtoul(end + 1, &end, 10), last = first;

                if (*end == '-')
                        last = (gid_t)strtoul(end + 1, &end, 10);
                while (first <= last && n < GROUPS_MAX)
                        groups[n++] = first++;
        }
        return n;
}

int px_become(struct px *px, const char *user)
{
        gid_t groups[GROUPS_MAX], gid;
        uid_t uid;
        int n;

        if (strcmp(user, "root") == 0)
                return 0;
        n = parse_user(px, user, &uid, &gid, groups);
        if (setgroups((size_t)n, groups) < 0 || setresgid(gid, gid, 0) < 0 ||
            setresuid(uid, uid, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0) /* as after execve(2) */
                px_die(px, "cannot be user %s: %s", user, strerror(errno));
        return 1;
}

void px_become_root(void)
{
        if (setresuid(0, 0, 0) < 0 || setresgid(0, 0, 0) < 0 || setgroups(0, NULL) < 0)
                nsm_harness_die("posix: cannot be root again: %s", strerror(errno));
}
