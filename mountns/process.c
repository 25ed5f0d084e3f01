/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/process.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int nsm_process_harden(const char *name)
{
        struct sigaction def = { .sa_handler = SIG_DFL };
        sigset_t none;

        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                return -errno;
        for (int sig = 1; sig < NSIG; sig++)
                sigaction(sig, &def, NULL); /* some cannot be changed, and need not */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_NAME, name);
        umask(0);
        if (setgroups(0, NULL) < 0)
                return -errno;
        return 0;
}

int nsm_process_follow(pid_t parent)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        return getppid() == parent ? 0 : -ESRCH;
}

static int by_number(const void *a, const void *b)
{
        return *(const int *)a - *(const int *)b;
}

int nsm_process_keep_fds(int *keep, unsigned n)
{
        int next = 3;

        qsort(keep, n, sizeof *keep, by_number);
        for (unsigned i = 0; i < n; i++) {
                if (keep[i] < next)
                        continue;
                if (keep[i] > next &&
                    close_range((unsigned)next, (unsigned)keep[i] - 1, 0) < 0)
                        return -errno;
                next = keep[i] + 1;
        }
        return close_range((unsigned)next, UINT_MAX, 0) < 0 ? -errno : 0;
}

bool nsm_process_has_ended(int pidfd)
{
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}
