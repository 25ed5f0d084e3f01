/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "tools/config/config.h"

#define PLACE_MAX (PATH_MAX + 16)
#define ANCESTORS_MAX 2048 /* directories above a source: PATH_MAX / 2 */

/* "FILE:LINE", or "tenant NAME: volume NAME" of a change that is not written. */
static const char *name_place(const struct nsm_volume *v, char *buf, size_t size)
{
        if (v->place.line > 0)
                snprintf(buf, size, "%s:%u", v->place.file, v->place.line);
        else
                snprintf(buf, size, "%s: volume %s", v->place.file, v->name);
        return buf;
}

static int source_error(struct nsm_error *err, int code, const struct nsm_volume *v,
                        const char *text)
{
        char place[PLACE_MAX];

        return nsm_error_set(err, code, "%s: source = %s: %s", name_place(v, place, sizeof place),
                             v->source, text);
}

static int step_up(int *fd)
{
        int up = openat(*fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (up < 0)
                return -errno;
        nsm_close_fd(*fd);
        *fd = up;
        return 0;
}

/* Whether nobody but root gets through that directory. With an ACL, the group bits are its mask. */
static bool is_closed(const struct stat *st)
{
        bool group = st->st_mode & S_IXGRP && st->st_gid != 0;

        return st->st_uid == 0 && !group && !(st->st_mode & S_IXOTH);
}

/* 1: a directory above @source is closed to others; 0: none is. */
static int is_below_closed(int source)
{
        cleanup_fd int fd = fcntl(source, F_DUPFD_CLOEXEC, 3);
        struct stat before, st;

        if (fd < 0 || fstat(fd, &before) < 0)
                return -errno;
        for (unsigned i = 0; i < ANCESTORS_MAX; i++) {
                int r = step_up(&fd);

                if (r < 0)
                        return r;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_dev == before.st_dev && st.st_ino == before.st_ino)
                        return 0;
                if (is_closed(&st))
                        return 1;
                before = st;
        }
        return -ELOOP;
}

static bool is_harmless_mount(int fd)
{
        const unsigned long need = ST_NOSUID | ST_NODEV;
        struct statvfs st;

        return fstatvfs(fd, &st) == 0 && (st.f_flag & need) == need;
}

/* Set-id files of storage id 0 lie in a source: nobody may reach them by the host's paths. */
static int check_reach(int fd, const struct nsm_volume *v, struct nsm_error *err)
{
        int above = (int)(strrchr(v->source, '/') - v->source);
        /* A directory right below / serves more than volumes: no advice to close it. */
        bool own = memchr(v->source + 1, '/', above > 0 ? (size_t)above - 1 : 0) != NULL;
        char text[PATH_MAX + 256];
        int r;

        if (is_harmless_mount(fd))
                return 0;
        r = is_below_closed(fd);
        if (r < 0) {
                snprintf(text, sizeof text, "cannot look at the directories above: %s",
                         strerror(-r));
                return source_error(err, r, v, text);
        }
        if (r > 0)
                return 0;
        snprintf(text, sizeof text,
                 "others than root can get to it, and run its set-id programs on the host: "
                 "%s%.*s, or mount its storage nosuid,nodev",
                 own ? "chmod 0700 " : "move it below a directory of mode 0700", own ? above : 0,
                 v->source);
        return source_error(err, -EPERM, v, text);
}

int nsm_volume_open_source(const struct nsm_tenant *tenant, const struct nsm_volume *v, int *ret_fd,
                           struct nsm_error *err)
{
        cleanup_fd int fd = open(v->source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOENT)
                return source_error(err, -ENOENT, v,
                                    strstr(v->source, " #") ?
                                            "there is no such directory: a comment has a line of "
                                            "its own" :
                                            "there is no such directory: make it, or mount its "
                                            "storage");
        if (fd < 0 || fstat(fd, &st) < 0) {
                r = -errno;
                return source_error(err, r, v, strerror(-r));
        }
        if (S_ISLNK(st.st_mode))
                return source_error(err, -ELOOP, v, "is a symlink: name the directory it leads to");
        if (!S_ISDIR(st.st_mode))
                return source_error(err, -ENOTDIR, v, "is no directory: name one");
        r = check_reach(fd, v, err);
        if (r < 0)
                return r;
        *ret_fd = nsm_take_fd(&fd);
        return 0;
}

/*
 * A mark says what a directory is: "i DEV INO", or "p MAJ:MIN PATH" with the path
 * inside its filesystem, which stays the same through any bind mount. A source
 * holds its own marks, and one of each kind for every directory above it.
 */
struct mark {
        const struct nsm_tenant *tenant;
        const struct nsm_volume *volume;
        char *text; /* owned */
        bool own;   /* of the source itself */
};

struct marks {
        struct mark *items;
        size_t n, room;
};

static void clear_marks(struct marks *m)
{
        for (size_t i = 0; i < m->n; i++)
                free(m->items[i].text);
        free(m->items);
}

static int add_mark(struct marks *m, struct mark mark, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static int add_mark(struct marks *m, struct mark mark, const char *fmt, ...)
{
        va_list ap;
        int n;

        if (m->n == m->room) {
                size_t room = m->room ? 2 * m->room : 64;
                struct mark *items = reallocarray(m->items, room, sizeof *items);
                if (!items)
                        return -ENOMEM;
                m->items = items;
                m->room = room;
        }
        va_start(ap, fmt);
        n = vasprintf(&mark.text, fmt, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        m->items[m->n++] = mark;
        return 0;
}

/* By device and inode: finds equal and nested sources whatever symlinks and mounts lead there. */
static int mark_inodes(struct marks *m, struct mark mark, int source)
{
        cleanup_fd int fd = fcntl(source, F_DUPFD_CLOEXEC, 3);
        struct stat before = { 0 }, st;

        mark.own = true;
        for (unsigned i = 0; i < ANCESTORS_MAX; i++) {
                int r;

                if (fd < 0 || fstat(fd, &st) < 0)
                        return -errno;
                if (!mark.own && st.st_dev == before.st_dev && st.st_ino == before.st_ino)
                        return 0;
                r = add_mark(m, mark, "i %" PRIu64 " %" PRIu64, (uint64_t)st.st_dev,
                             (uint64_t)st.st_ino);
                if (r == 0)
                        r = step_up(&fd);
                if (r < 0)
                        return r;
                mark.own = false;
                before = st;
        }
        return -ELOOP;
}

static struct libmnt_fs *find_mount(struct libmnt_table *table, int fd)
{
        struct libmnt_iter *iter;
        struct libmnt_fs *fs = NULL;
        uint64_t id;

        if (nsm_sys_mount_id(fd, "", AT_EMPTY_PATH, &id) < 0)
                return NULL;
        iter = mnt_new_iter(MNT_ITER_BACKWARD);
        while (iter && mnt_table_next_fs(table, iter, &fs) == 0) {
                if ((uint64_t)mnt_fs_get_id(fs) == id)
                        break;
                fs = NULL;
        }
        mnt_free_iter(iter);
        return fs;
}

/*
 * By the path inside the filesystem: finds the source that is a bind mount of a
 * directory inside another's, whose ".." does not lead there.
 */
static int mark_paths(struct marks *m, struct mark mark, int source, struct libmnt_table *table)
{
        struct libmnt_fs *fs = find_mount(table, source);
        char link[64], path[PATH_MAX], *inside = NULL;
        size_t target_n;
        ssize_t n;
        int r = 0;

        snprintf(link, sizeof link, "/proc/self/fd/%d", source);
        n = readlink(link, path, sizeof path - 1);
        if (!fs || !mnt_fs_get_root(fs) || !mnt_fs_get_target(fs) || n < 0)
                return 0; /* inodes have to do */
        path[n] = '\0';
        target_n = strlen(mnt_fs_get_target(fs));
        if (target_n == 1)
                target_n = 0;
        if (strncmp(path, mnt_fs_get_target(fs), target_n) != 0)
                return 0;
        if (asprintf(&inside, "%s%s", strcmp(mnt_fs_get_root(fs), "/") ? mnt_fs_get_root(fs) : "",
                     path + target_n) < 0)
                return -ENOMEM;
        mark.own = true;
        for (char *slash = inside; r == 0 && slash; mark.own = false) {
                r = add_mark(m, mark, "p %u:%u %s", major(mnt_fs_get_devno(fs)),
                             minor(mnt_fs_get_devno(fs)), inside);
                slash = strrchr(inside, '/');
                if (slash)
                        *slash = '\0';
        }
        free(inside);
        return r;
}

static int compare_marks(const void *a, const void *b)
{
        const struct mark *x = a, *y = b;
        int by_text = strcmp(x->text, y->text);

        return by_text ? by_text : strcmp(x->volume->source, y->volume->source);
}

/* @blamed, unless NULL, is the tenant that changes: it is the one to give way. */
static int report_pair(const struct mark *own, const struct mark *other, const char *blamed,
                       struct nsm_error *err)
{
        bool outer = blamed && strcmp(own->tenant->name, blamed) == 0;
        const struct mark *first = outer ? own : other, *second = outer ? other : own;
        const char *relation = outer ? "holds" : "lies inside";
        char place[PLACE_MAX], other_place[PLACE_MAX];

        return nsm_error_set(err, -EEXIST,
                             "%s: source = %s: %s %s of tenant %s (%s): give each tenant its "
                             "own directory, or write shared-source = yes for both",
                             name_place(first->volume, place, sizeof place), first->volume->source,
                             other->own ? "is the same as" : relation, second->volume->source,
                             second->tenant->name,
                             name_place(second->volume, other_place, sizeof other_place));
}

/* What is asked: of one tenant (NULL: of all), and whether its sources must be there. */
struct question {
        const char *tenant;
        bool compare_only;
};

static bool concerns(const struct question *q, const struct nsm_tenant *tenant)
{
        return !q->tenant || strcmp(q->tenant, tenant->name) == 0;
}

/* Among marks of one text: a source's own, met by a mark of another tenant's source. */
static int check_run(const struct question *q, const struct mark *run, size_t n,
                     struct nsm_error *err)
{
        for (size_t i = 0; i < n; i++) {
                for (size_t j = 0; run[i].own && j < n; j++) {
                        if (run[i].tenant == run[j].tenant ||
                            (!concerns(q, run[i].tenant) && !concerns(q, run[j].tenant)))
                                continue;
                        if (run[i].tenant->shared_source && run[j].tenant->shared_source)
                                continue;
                        return report_pair(&run[i], &run[j], q->tenant, err);
                }
        }
        return 0;
}

static int check_marks(const struct question *q, struct marks *m, struct nsm_error *err)
{
        int r = 0;

        if (m->n > 1)
                qsort(m->items, m->n, sizeof *m->items, compare_marks);
        for (size_t i = 0, j; r == 0 && i < m->n; i = j) {
                for (j = i + 1; j < m->n && !strcmp(m->items[i].text, m->items[j].text);)
                        j++;
                r = check_run(q, &m->items[i], j - i, err);
        }
        return r;
}

/*
 * Whether a source that cannot be opened is nobody's concern now. One that is
 * missing concerns whoever adds or attaches it, and not all other tenants.
 */
static bool is_excused(const struct question *q, const struct nsm_tenant *tenant, int r)
{
        return q->compare_only || !concerns(q, tenant) || (!q->tenant && r == -ENOENT);
}

static int mark_volume(const struct question *q, const struct nsm_tenant *tenant,
                       const struct nsm_volume *volume, struct libmnt_table *table,
                       struct marks *m, struct nsm_error *err)
{
        struct mark mark = { .tenant = tenant, .volume = volume };
        struct nsm_error why = { 0 };
        cleanup_fd int fd = -1;
        int r = nsm_volume_open_source(tenant, volume, &fd, &why);

        if (r < 0)
                return is_excused(q, tenant, r) ? 0 : nsm_error_set(err, r, "%s", why.text);
        r = mark_inodes(m, mark, fd);
        if (r == 0)
                r = mark_paths(m, mark, fd, table);
        return r < 0 ? source_error(err, r, volume, strerror(-r)) : 0;
}

static int check(const struct nsm_config *config, const struct question *q, struct nsm_error *err)
{
        struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
        struct marks m = { 0 };
        int r = 0;

        if (!table)
                return nsm_error_set(err, -EIO,
                                     "/proc/self/mountinfo: cannot read it: mount /proc");
        for (size_t i = 0; r == 0 && i < config->n_tenants; i++)
                for (size_t j = 0; r == 0 && j < config->tenants[i].n_volumes; j++)
                        r = mark_volume(q, &config->tenants[i], &config->tenants[i].volumes[j],
                                        table, &m, err);
        if (r == 0)
                r = check_marks(q, &m, err);
        clear_marks(&m);
        mnt_unref_table(table);
        return r;
}

int nsm_config_check_tenant_sources(const struct nsm_config *config, const char *tenant,
                                    struct nsm_error *err)
{
        return check(config, &(struct question){ .tenant = tenant }, err);
}

int nsm_config_compare_sources(const struct nsm_config *config, const char *tenant,
                               struct nsm_error *err)
{
        return check(config, &(struct question){ .tenant = tenant, .compare_only = true }, err);
}

int nsm_config_check_sources(const struct nsm_config *config, struct nsm_error *err)
{
        return check(config, &(struct question){ .tenant = NULL }, err);
}
