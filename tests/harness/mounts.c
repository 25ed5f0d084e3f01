/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is mounted below a directory, and its end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "fs/base/cleanup.h"
#include "tests/harness/guardian.h"

/* Undoes the \ooo of mountinfo, in place. */
static void unescape(char *s)
{
        char *out = s;

        for (; *s; s++, out++) {
                if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3') {
                        *out = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
                        s += 3;
                } else {
                        *out = *s;
                }
        }
        *out = '\0';
}

/* The last mount below a directory, or (@itself) at it. */
static bool find_last_mount(const char *dir, bool itself, char **ret)
{
        cleanup_file FILE *f = fopen("/proc/self/mountinfo", "re");
        cleanup_free char *line = NULL;
        size_t size = 0, len = strlen(dir);

        *ret = NULL;
        while (f && getline(&line, &size, f) > 0) {
                char where[4096];

                if (sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
                        continue;
                unescape(where);
                if (strncmp(where, dir, len) != 0 || (where[len] ? where[len] != '/' : !itself))
                        continue;
                free(*ret);
                *ret = strdup(where);
        }
        return *ret;
}

int nsm_guardian_unmount(const char *dir, bool itself)
{
        char *where;

        for (int i = 0; i < 10000 && find_last_mount(dir, itself, &where); i++) {
                int r = umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW);

                if (r < 0)
                        fprintf(stderr, "guardian: unmounting %s: %s\n", where, strerror(errno));
                free(where);
                if (r < 0)
                        return -EBUSY;
        }
        return 0;
}
