/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times: setting them, and telling which have moved. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/engine.h"

static int compare(struct statx_timestamp a, struct statx_timestamp b)
{
        if (a.tv_sec != b.tv_sec)
                return a.tv_sec < b.tv_sec ? -1 : 1;
        return a.tv_nsec < b.tv_nsec ? -1 : a.tv_nsec > b.tv_nsec;
}

static struct statx_timestamp now(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (struct statx_timestamp){ .tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec };
}

/* Stamps are as coarse as the clock's tick: what comes later must be able to differ. */
static void wait_for_tick(void)
{
        struct statx_timestamp start = now(CLOCK_REALTIME);
        const struct timespec pause = { 0, 500000 };

        while (compare(now(CLOCK_REALTIME_COARSE), start) <= 0)
                nanosleep(&pause, NULL);
}

static int op_watch(struct px *px, char **a, int n)
{
        if (n > PX_WATCHES)
                px_die(px, "more than %d paths", PX_WATCHES);
        px->n_watches = 0;
        clock_gettime(CLOCK_REALTIME_COARSE, &px->watched);
        for (int i = 0; i < n; i++) {
                struct px_path p = px_path(px, a[i]);
                struct px_watch *w = &px->watches[px->n_watches++];

                snprintf(w->path, sizeof w->path, "%s", a[i]);
                w->there = statx(p.fd, p.name, AT_SYMLINK_NOFOLLOW | p.empty,
                                 STATX_BASIC_STATS | STATX_BTIME, &w->stx) == 0;
        }
        wait_for_tick();
        return 0;
}

/* A letter when it has moved to a time between the watch and now, else '!' after it. */
static char *add_moved(struct px *px, char *at, char letter, struct statx_timestamp was,
                       struct statx_timestamp is)
{
        struct statx_timestamp begin = { .tv_sec = px->watched.tv_sec,
                                         .tv_nsec = (uint32_t)px->watched.tv_nsec };

        if (compare(was, is) == 0)
                return at;
        *at++ = letter;
        if (compare(is, begin) < 0 || compare(is, now(CLOCK_REALTIME)) > 0)
                *at++ = '!';
        return at;
}

static void check_moved(struct px *px, char *arg)
{
        char *expected = strrchr(arg, '='), actual[16], *at = actual;
        struct px_watch *watch = NULL;
        struct statx s;

        if (!expected)
                px_die(px, "PATH=LETTERS, not '%s'", arg);
        *expected++ = '\0';
        char *old = strchr(arg, '@');
        if (old)
                *old++ = '\0';
        for (size_t i = 0; i < px->n_watches; i++)
                if (strcmp(px->watches[i].path, old ? old : arg) == 0)
                        watch = &px->watches[i];
        struct px_path p = px_path(px, arg);
        if (!watch)
                px_die(px, "%s is not watched", old ? old : arg);
        if (!watch->there || statx(p.fd, p.name, AT_SYMLINK_NOFOLLOW | p.empty,
                                   STATX_BASIC_STATS | STATX_BTIME, &s) < 0) {
                px_check(px, arg, expected, "(is or was not there)");
                return;
        }
        at = add_moved(px, at, 'a', watch->stx.stx_atime, s.stx_atime);
        at = add_moved(px, at, 'm', watch->stx.stx_mtime, s.stx_mtime);
        at = add_moved(px, at, 'c', watch->stx.stx_ctime, s.stx_ctime);
        at = add_moved(px, at, 'b', watch->stx.stx_btime, s.stx_btime);
        if (at == actual)
                *at++ = '-';
        *at = '\0';
        px_check(px, arg, expected, actual);
}

static int op_times(struct px *px, char **a, int n)
{
        for (int i = 0; i < n; i++)
                check_moved(px, a[i]);
        return 0;
}

/* SECONDS[.NANOSECONDS], now, omit */
static struct timespec parse_time(struct px *px, const char *text)
{
        struct timespec t = { 0 };
        char *end;

        if (strcmp(text, "now") == 0)
                t.tv_nsec = UTIME_NOW;
        else if (strcmp(text, "omit") == 0)
                t.tv_nsec = UTIME_OMIT;
        else {
                t.tv_sec = strtoll(text, &end, 10);
                if (*end == '.')
                        t.tv_nsec = strtoll(end + 1, &end, 10);
                if (*end)
                        px_die(px, "no time: %s", text);
        }
        return t;
}

static int utimens(struct px *px, char **a, int n, int flags)
{
        struct px_path p = px_path(px, a[0]);
        struct timespec t[2];

        for (int i = 0; i < 2 && n == 3; i++)
                t[i] = parse_time(px, a[i + 1]);
        int r = p.empty ? futimens(p.fd, n == 3 ? t : NULL)
                        : utimensat(p.fd, p.name, n == 3 ? t : NULL, flags);
        return r < 0 ? -errno : 0;
}

/* utimens PATH [ATIME MTIME] */
static int op_utimens(struct px *px, char **a, int n)
{
        return utimens(px, a, n, 0);
}

static int op_lutimens(struct px *px, char **a, int n)
{
        return utimens(px, a, n, AT_SYMLINK_NOFOLLOW);
}

/* utimensflags PATH FLAGS */
static int op_utimens_flags(struct px *px, char **a, int n)
{
        return utimens(px, a, 1, px_flags(px, a[1]));
}

/* gettime PATH a|m: the time as SECONDS.NANOSECONDS */
static int op_gettime(struct px *px, char **a, int n)
{
        struct px_path p = px_path(px, a[0]);
        struct statx s;

        if (statx(p.fd, p.name, AT_SYMLINK_NOFOLLOW | p.empty, STATX_BASIC_STATS, &s) < 0)
                return -errno;
        struct statx_timestamp t = a[1][0] == 'a' ? s.stx_atime : s.stx_mtime;
        snprintf(px->text, sizeof px->text, "%jd.%u", (intmax_t)t.tv_sec, t.tv_nsec);
        return 0;
}

const struct px_operation px_ops_times[] = {
        { "watch", op_watch, 1, 16 },      { "times", op_times, 1, 16 },
        { "utimens", op_utimens, 1, 3 },   { "lutimens", op_lutimens, 1, 3 },
        { "gettime", op_gettime, 2, 2 },
        { "utimensflags", op_utimens_flags, 2, 2 },
        { NULL, NULL, 0, 0 },
};
