/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mountns/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/cleanup.h"

/* Far more than a table of 100,000 mounts: a tenant chooses how many there are. */
#define TABLE_BYTES_MAX (32U << 20)

static void cleanup_iterp(struct libmnt_iter **iter)
{
        mnt_free_iter(*iter);
}
#define cleanup_iter __attribute__((cleanup(cleanup_iterp)))

void nsm_table_clear(struct nsm_table *table)
{
        int saved = errno;

        free(table->text);
        mnt_unref_table(table->mounts);
        *table = (struct nsm_table){ 0 };
        errno = saved;
}

/* libmount asks what to do with a line that it cannot read: an unread mount could be the one. */
static int refuse_line(struct libmnt_table *table, const char *name, int line)
{
        return -EBADMSG;
}

int nsm_table_parse(const char *text, struct nsm_table *ret, struct nsm_error *err)
{
        cleanup_table struct nsm_table table = { .text = strdup(text) };
        cleanup_file FILE *stream = NULL;
        int r = 0;

        table.mounts = mnt_new_table();
        if (!table.text || !table.mounts)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        mnt_table_set_parser_errcb(table.mounts, refuse_line);
        if (*text) {
                stream = fmemopen(table.text, strlen(table.text), "r");
                if (!stream)
                        return nsm_error_set(err, -errno, "out of memory");
                r = mnt_table_parse_stream(table.mounts, stream, "mountinfo");
        }
        if (r != 0)
                return nsm_error_set(err, -EBADMSG, "cannot understand a mount table");
        *ret = table;
        table = (struct nsm_table){ 0 };
        return 0;
}

static int read_all(int fd, char **ret)
{
        cleanup_free char *text = NULL;
        size_t used = 0, room = 0;

        for (;;) {
                ssize_t n;

                if (used + 1 >= room) {
                        char *more = realloc(text, room = room ? 2 * room : 16384);

                        if (!more)
                                return -ENOMEM;
                        text = more;
                }
                n = read(fd, text + used, room - used - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                used += (size_t)n;
                if (n == 0)
                        break;
                if (used > TABLE_BYTES_MAX)
                        return -EFBIG;
        }
        text[used] = '\0';
        *ret = nsm_take_ptr(text);
        return 0;
}

int nsm_table_read(int proc, const char *task, struct nsm_table *ret, struct nsm_error *err)
{
        cleanup_fd int fd = -1;
        cleanup_free char *text = NULL;
        char path[64];
        int r;

        snprintf(path, sizeof path, "%s/mountinfo", task);
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        r = fd < 0 ? -errno : read_all(fd, &text);
        if (r < 0)
                return nsm_error_set(err, r, "cannot read the mount table of process %s: %s", task,
                                     strerror(-r));
        return nsm_table_parse(text, ret, err);
}

struct libmnt_fs *nsm_table_find(const struct nsm_table *table, uint64_t mount_id)
{
        cleanup_iter struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;

        while (iter && mnt_table_next_fs(table->mounts, iter, &mount) == 0)
                if ((uint64_t)mnt_fs_get_id(mount) == mount_id)
                        return mount;
        return NULL;
}

struct libmnt_fs *nsm_table_find_child(const struct nsm_table *table, uint64_t mount_id)
{
        cleanup_iter struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;

        while (iter && mnt_table_next_fs(table->mounts, iter, &mount) == 0)
                if ((uint64_t)mnt_fs_get_parent_id(mount) == mount_id &&
                    (uint64_t)mnt_fs_get_id(mount) != mount_id)
                        return mount;
        return NULL;
}

struct libmnt_fs *nsm_table_find_at(const struct nsm_table *table, const char *path)
{
        cleanup_iter struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount, *top = NULL;

        while (iter && mnt_table_next_fs(table->mounts, iter, &mount) == 0) {
                const char *target = mnt_fs_get_target(mount);

                if (!target || strcmp(target, path) != 0)
                        continue;
                /* Of two at the same path, the one that stands on the other is seen. */
                if (!top || nsm_table_is_below(table, (uint64_t)mnt_fs_get_id(mount),
                                               (uint64_t)mnt_fs_get_id(top)))
                        top = mount;
        }
        return top;
}

struct libmnt_fs *nsm_table_find_root(const struct nsm_table *table)
{
        return nsm_table_find_at(table, "/");
}

bool nsm_table_is_view(struct libmnt_fs *mount, dev_t device)
{
        const char *type = mnt_fs_get_fstype(mount);

        return (type && strcmp(type, NSM_FILESYSTEM_TYPE) == 0) ||
               (device != 0 && mnt_fs_get_devno(mount) == device);
}

bool nsm_table_is_shared(struct libmnt_fs *mount)
{
        unsigned long flags = 0;

        return mnt_fs_get_propagation(mount, &flags) == 0 && (flags & MS_SHARED);
}

bool nsm_table_has_flag(struct libmnt_fs *mount, const char *flag)
{
        const char *options = mnt_fs_get_vfs_options(mount);

        return options && mnt_optstr_get_option(options, flag, NULL, NULL) == 0;
}

bool nsm_table_is_below(const struct nsm_table *table, uint64_t mount_id, uint64_t ancestor)
{
        /* A table is a forest, but nothing is lost by not trusting that. */
        for (int depth = 0; depth < 4096; depth++) {
                struct libmnt_fs *mount;

                if (mount_id == ancestor)
                        return true;
                mount = nsm_table_find(table, mount_id);
                if (!mount || mount_id == (uint64_t)mnt_fs_get_parent_id(mount))
                        return false;
                mount_id = (uint64_t)mnt_fs_get_parent_id(mount);
        }
        return false;
}

static bool path_is_under(const char *path, const char *top)
{
        size_t n = strlen(top);

        return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

struct libmnt_fs *nsm_table_find_conflict(const struct nsm_table *table, const char *path,
                                          dev_t device)
{
        cleanup_iter struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;

        while (iter && mnt_table_next_fs(table->mounts, iter, &mount) == 0) {
                const char *target = mnt_fs_get_target(mount);

                if (!target || strcmp(target, "/") == 0 || !nsm_table_is_view(mount, device))
                        continue;
                if (path_is_under(path, target) || path_is_under(target, path))
                        return mount;
        }
        return NULL;
}

static int by_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits @text, which is changed, into sorted lines without that of @but; how many, or -errno. */
static ssize_t sorted_lines(char *text, uint64_t but, char ***ret)
{
        cleanup_free char **lines = NULL;
        size_t n = 0, room = 1;
        char *save = NULL;

        for (const char *p = text; *p; p++)
                room += *p == '\n';
        lines = calloc(room, sizeof *lines);
        if (!lines)
                return -ENOMEM;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (but == 0 || strtoull(line, NULL, 10) != but)
                        lines[n++] = line;
        qsort(lines, n, sizeof *lines, by_text);
        *ret = nsm_take_ptr(lines);
        return (ssize_t)n;
}

bool nsm_table_is_equal(const struct nsm_table *a, const struct nsm_table *b, uint64_t but,
                        struct nsm_error *err)
{
        cleanup_free char *text_a = strdup(a->text), *text_b = strdup(b->text);
        cleanup_free char **lines_a = NULL, **lines_b = NULL;
        ssize_t n_a, n_b, i = 0;

        if (but == 0 && strcmp(a->text, b->text) == 0)
                return true;
        n_a = text_a ? sorted_lines(text_a, but, &lines_a) : -ENOMEM;
        n_b = text_b ? sorted_lines(text_b, but, &lines_b) : -ENOMEM;
        if (n_a < 0 || n_b < 0)
                return nsm_error_set(err, -ENOMEM, "out of memory") == 0;
        while (i < n_a && i < n_b && strcmp(lines_a[i], lines_b[i]) == 0)
                i++;
        if (i == n_a && i == n_b)
                return true;
        nsm_error_set(err, -EBUSY, "its mount table changed meanwhile, first at: %.300s",
                      i < n_b ? lines_b[i] : lines_a[i]);
        return false;
}
