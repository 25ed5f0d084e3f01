/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A view at a path of the host, and its removal: all in the helper, which
 * stays in the host's mount namespace for this.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/cleanup.h"
#include "fs/base/sys.h"
#include "mountns/plan.h"
#include "mountns/work.h"

#define RESOLVE (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* More lets others pass than the tenant's root, who is in the directory's group. */
#define PARENT_MODE_MAX 0710

static const char *name_of(const char *directory)
{
        return strrchr(directory, '/') + 1;
}

static int open_parent(struct nsm_work *w, struct nsm_error *err)
{
        const char *dir = w->request->directory;
        char above[PATH_MAX];
        int n = (int)(name_of(dir) - dir) - 1, fd;

        snprintf(above, sizeof above, "%.*s", n ? n : 1, dir);
        fd = nsm_sys_openat2(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0, RESOLVE);
        if (fd == -ELOOP)
                return nsm_work_refuse(w, err, fd, "%s has a symlink in it: name the directory "
                                       "itself", above);
        if (fd < 0)
                return nsm_work_refuse(w, err, fd, "cannot open %s: %s: make it with: install -d "
                                       "-o root -g %u -m 0710 %s", above, strerror(-fd),
                                       w->request->group == (gid_t)-1 ? 0 : w->request->group,
                                       above);
        return fd;
}

static int check_parent(struct nsm_work *w, int parent, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        int n = (int)(name_of(q->directory) - q->directory) - 1;
        struct stat st;
        const char *why = NULL;

        if (fstat(parent, &st) < 0)
                return nsm_error_set(err, -errno, "cannot look at the directory above %s: %s",
                                     q->directory, strerror(errno));
        if (st.st_uid != 0)
                why = "does not belong to root";
        else if (st.st_mode & 07777 & ~(mode_t)PARENT_MODE_MAX)
                why = "lets others in than root and the tenant's root";
        else if ((st.st_mode & 0010) && st.st_gid != q->group)
                why = "lets a group in that is not the tenant's root";
        if (!why)
                return 0;
        return nsm_work_refuse(w, err, -EPERM, "%.*s %s, and would lead them into the view: make a "
                               "directory with: install -d -o root -g %u -m 0710 DIR, and mount "
                               "below it", n ? n : 1, q->directory, why,
                               q->group == (gid_t)-1 ? 0 : q->group);
}

/* The directory, made when missing; then *ret_made. A descriptor or -errno. */
static int open_directory(struct nsm_work *w, int parent, struct nsm_error *err)
{
        const char *dir = w->request->directory;
        struct nsm_record record = { .kind = NSM_RECORD_DIRECTORY };
        int fd = nsm_sys_openat2(parent, name_of(dir), O_PATH | O_DIRECTORY, 0, RESOLVE);

        if (fd == -ENOENT) {
                int copy = fcntl(parent, F_DUPFD_CLOEXEC, 3);

                snprintf(record.text, sizeof record.text, "%s", name_of(dir));
                nsm_record_send(w->journal, &record, &parent, 1);
                nsm_progress_apply(&w->progress, &record, &copy, 1);
                if (mkdirat(parent, name_of(dir), 0755) < 0)
                        return nsm_error_set(err, -errno, "cannot make the directory %s: %s", dir,
                                             strerror(errno));
                fd = nsm_sys_openat2(parent, name_of(dir), O_PATH | O_DIRECTORY, 0, RESOLVE);
        }
        if (fd == -ELOOP || fd == -ENOTDIR)
                return nsm_work_refuse(w, err, fd, "%s is %s: name a directory, or a name that is "
                                       "free", dir, fd == -ELOOP ? "a symlink" : "not a directory");
        if (fd < 0)
                return nsm_error_set(err, fd, "cannot open %s: %s", dir, strerror(-fd));
        return fd;
}

/* Nothing is mounted there, and it is not inside a view. */
static int check_directory(struct nsm_work *w, int parent, int dir, struct nsm_error *err)
{
        cleanup_table struct nsm_table table = { 0 };
        struct libmnt_fs *mount;
        uint64_t above, here;
        int r = nsm_sys_mount_id(parent, "", AT_EMPTY_PATH, &above);

        if (r == 0)
                r = nsm_sys_mount_id(dir, "", AT_EMPTY_PATH, &here);
        if (r < 0)
                return nsm_error_set(err, r, "cannot learn the id of a mount: %s", strerror(-r));
        r = nsm_table_read(w->proc, "self", &table, err);
        if (r < 0)
                return r;
        if (above != here) {
                mount = nsm_table_find(&table, here);
                return nsm_work_refuse(w, err, -EEXIST, mount && nsm_table_is_view(mount,
                                       w->request->device) ?
                                       "already mounted: %s has a view: unmount that first" :
                                       "something is mounted at %s already: unmount that first",
                                       w->request->directory);
        }
        mount = nsm_table_find(&table, above);
        if (mount && nsm_table_is_view(mount, w->request->device))
                return nsm_work_refuse(w, err, -EEXIST, "%s lies inside a view: name a directory "
                                       "outside", w->request->directory);
        return 0;
}

/*
 * From now on whoever recovers knows which mount it is about. With @mount, a
 * descriptor of it or -1, the journal holds it, so that its id is nobody else's.
 */
static int tell_intent(struct nsm_work *w, struct nsm_record *record, int mount,
                       struct nsm_error *err)
{
        int copy = mount < 0 ? -1 : fcntl(mount, F_DUPFD_CLOEXEC, 3), r;

        nsm_place_of_self(w->proc, &record->place);
        snprintf(record->text, sizeof record->text, "%s", w->request->directory);
        r = mount >= 0 && copy < 0 ? -errno :
                                     nsm_record_send(w->journal, record, &copy, mount >= 0);
        if (r < 0) {
                nsm_close_fd(copy);
                return nsm_error_set(err, r, "cannot report to the supervisor: %s", strerror(-r));
        }
        nsm_progress_apply(&w->progress, record, &copy, mount >= 0);
        return 0;
}

static int intend(struct nsm_work *w, int clone, struct nsm_error *err)
{
        struct nsm_record record = { .kind = NSM_RECORD_INTENT };
        struct nsm_place *place = &record.place;
        int r = nsm_sys_mount_id(clone, "", AT_EMPTY_PATH, &place->mount_id);

        if (r < 0)
                return nsm_error_set(err, r, "cannot learn the id of a mount: %s", strerror(-r));
        if (nsm_sys_unique_mount_id(clone, "", AT_EMPTY_PATH, &place->mount_id_unique) < 0)
                place->mount_id_unique = 0;
        place->device = w->request->device;
        return tell_intent(w, &record, clone, err);
}

int nsm_mount_work(struct nsm_work *w, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        struct mount_attr attr = { .propagation = MS_PRIVATE };
        cleanup_fd int parent = -1, dir = -1, clone = -1;
        int r = nsm_work_step(w, NSM_STEP_BEGIN, err);

        if (r == 0 && nsm_plan_check_path(q->directory, err) < 0)
                r = nsm_work_refuse(w, err, err->code, "bad path");
        if (r < 0 || (r = parent = open_parent(w, err)) < 0 ||
            (r = check_parent(w, parent, err)) < 0)
                return r;
        r = clone = nsm_work_clone_view(w, err);
        if (r < 0 || (r = intend(w, clone, err)) < 0 ||
            (r = nsm_work_step(w, NSM_STEP_SCAN, err)) < 0)
                return r;
        dir = open_directory(w, parent, err);
        if (dir < 0 || (r = check_directory(w, parent, dir, err)) < 0 ||
            (r = nsm_work_step(w, NSM_STEP_DIRECTORY, err)) < 0)
                return dir < 0 ? dir : r;
        if (move_mount(clone, "", dir, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return nsm_error_set(err, -errno, "cannot mount at %s: %s", q->directory,
                                     strerror(errno));
        if (mount_setattr(clone, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
                return nsm_error_set(err, -errno, "cannot make the mount at %s private: %s",
                                     q->directory, strerror(errno));
        r = nsm_work_step(w, NSM_STEP_MOVE, err);
        return r < 0 ? r : nsm_work_step(w, NSM_STEP_CHECK, err);
}

int nsm_mount_recover(struct nsm_work *w, struct nsm_error *err)
{
        const struct nsm_progress *p = &w->progress;
        cleanup_table struct nsm_table table = { 0 };
        int r;

        if (!p->has_intent)
                return 0;
        r = nsm_table_read(w->proc, "self", &table, err);
        if (r < 0)
                return r;
        if (nsm_table_find(&table, p->result.place.mount_id))
                r = nsm_graft_unmount(w->request->directory, p->result.place.mount_id, MNT_DETACH);
        if (r == 0 && p->parent_fd >= 0 &&
            unlinkat(p->parent_fd, p->directory, AT_REMOVEDIR) < 0 && errno != ENOENT &&
            errno != ENOTEMPTY && errno != ENOTDIR)
                r = -errno;
        return r < 0 ? nsm_error_set(err, r, "cannot unmount %s: %s", w->request->directory,
                                     strerror(-r)) : 0;
}

static int explain_busy(struct nsm_work *w, const struct nsm_table *table, struct nsm_error *err)
{
        const struct nsm_request *q = w->request;
        cleanup_free struct nsm_holders *holders = calloc(1, sizeof *holders);
        struct libmnt_fs *child = nsm_table_find_child(table, q->place.mount_id);
        char text[700];
        int r;

        w->outcome = NSM_OUTCOME_BUSY;
        if (!holders)
                return nsm_error_set(err, -ENOMEM, "out of memory");
        r = nsm_holders_find_users(w->proc, NULL, q->place.mount_id, q->place.device, holders, err);
        if (r < 0)
                return r;
        nsm_holders_describe(holders, text, sizeof text);
        nsm_work_report_holders(w, holders);
        if (holders->total > 0)
                return nsm_error_set(err, -EBUSY, "%s is in use by %s: end %s first", q->directory,
                                     text, holders->total == 1 ? "it" : "them");
        return nsm_error_set(err, -EBUSY, "%s is in use%s%s: unmount or end that first",
                             q->directory, child ? ": something is mounted below it at " : "",
                             child ? mnt_fs_get_target(child) : "");
}

int nsm_unmount_work(struct nsm_work *w, struct nsm_error *err)
{
        struct nsm_request *q = (struct nsm_request *)w->request; /* this process's own copy */
        struct nsm_record record = { .kind = NSM_RECORD_INTENT };
        cleanup_table struct nsm_table table = { 0 };
        struct libmnt_fs *mount;
        int r = nsm_work_step(w, NSM_STEP_BEGIN, err);

        if (r == 0 && nsm_plan_check_path(q->directory, err) < 0)
                r = nsm_work_refuse(w, err, err->code, "bad path");
        if (r == 0)
                r = nsm_table_read(w->proc, "self", &table, err);
        if (r < 0)
                return r;
        mount = q->place.mount_id ? nsm_table_find(&table, q->place.mount_id) :
                                    nsm_table_find_at(&table, q->directory);
        if (!mount || !nsm_table_is_view(mount, q->place.device))
                return nsm_work_refuse(w, err, -ENOENT, "no view is mounted at %s: `nsmount list` "
                                       "shows where there are some", q->directory);
        q->place.mount_id = (uint64_t)mnt_fs_get_id(mount);
        q->place.device = mnt_fs_get_devno(mount);
        record.place = q->place;
        r = tell_intent(w, &record, -1, err);
        if (r == 0)
                r = nsm_work_step(w, NSM_STEP_SCAN, err);
        if (r < 0)
                return r;
        r = nsm_graft_unmount(q->directory, q->place.mount_id, 0);
        if (r == -EBUSY)
                return explain_busy(w, &table, err);
        if (r == -ESTALE)
                return nsm_work_refuse(w, err, r, "something else is mounted over %s: unmount that "
                                       "first", q->directory);
        if (r < 0)
                return nsm_error_set(err, r, "cannot unmount %s: %s", q->directory, strerror(-r));
        return nsm_work_step(w, NSM_STEP_UNMOUNT, err);
}
