/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmountd/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fs/base/cleanup.h"
#include "tools/control/channel.h"
#include "tools/control/client.h"

#define LOCK_NAME "lock"
#define RECORDS_NAME "records"
#define LOCK_PAGE_SIZE 4096

void runtime_close(struct runtime *runtime)
{
        if (runtime->lock_page)
                munmap(runtime->lock_page, LOCK_PAGE_SIZE);
        nsm_close_fd(runtime->lock_fd);
        nsm_close_fd(runtime->records_fd);
        nsm_close_fd(runtime->fd);
        free(runtime->path);
        *runtime = (struct runtime)RUNTIME_NONE;
}

/* Opens a directory that must be root's alone, and makes it when it is missing. */
static int open_private(int dirfd, const char *name, const char *shown, struct nsm_error *err)
{
        cleanup_fd int fd = -1;
        struct stat st;

        if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
                return nsm_error_set(err, -errno, "%s: cannot make the runtime directory: %s",
                                     shown, strerror(errno));
        fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return nsm_error_set(err, -errno, "%s: cannot open the runtime directory: %s",
                                     shown, strerror(errno));
        if (st.st_uid != 0)
                return nsm_error_set(err, -EPERM, "%s: the runtime directory belongs to user %u, "
                                     "not to root: chown it, or name another with --runtime-dir",
                                     shown, (unsigned)st.st_uid);
        if (st.st_mode & 077)
                return nsm_error_set(err, -EPERM, "%s: the runtime directory is open to others "
                                     "(mode %04o): chmod 0700 it, or name another with "
                                     "--runtime-dir", shown, (unsigned)st.st_mode & 07777);
        return nsm_take_fd(&fd);
}

static int take_lock(const struct runtime *runtime, struct nsm_error *err)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        cleanup_fd int fd = openat(runtime->fd, LOCK_NAME,
                                   O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return nsm_error_set(err, -errno, "%s/%s: %s", runtime->path, LOCK_NAME,
                                     strerror(errno));
        if (fcntl(fd, F_SETLK, &lock) == 0)
                return nsm_take_fd(&fd);
        if (errno != EAGAIN && errno != EACCES)
                return nsm_error_set(err, -errno, "%s/%s: cannot lock: %s", runtime->path,
                                     LOCK_NAME, strerror(errno));
        if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
                lock.l_pid = 0;
        return nsm_error_set(err, -EBUSY, "%s: nsmountd runs there already (pid %d): stop it, or "
                             "name another directory with --runtime-dir", runtime->path,
                             (int)lock.l_pid);
}

static int map_lock(struct runtime *runtime, struct nsm_error *err)
{
        void *page = MAP_FAILED;

        if (ftruncate(runtime->lock_fd, LOCK_PAGE_SIZE) == 0)
                page = mmap(NULL, LOCK_PAGE_SIZE, PROT_READ, MAP_SHARED, runtime->lock_fd, 0);
        if (page == MAP_FAILED)
                return nsm_error_set(err, -errno, "%s/%s: %s", runtime->path, LOCK_NAME,
                                     strerror(errno));
        runtime->lock_page = page;
        return 0;
}

/*
 * Takes away what a dead nsmountd left; we hold the lock, so it is nobody's.
 * Early: a helper of it may hold the socket still, and clients would wait there.
 */
static int remove_stale(const struct runtime *runtime, struct nsm_error *err)
{
        struct stat st;

        if (fstatat(runtime->fd, NSM_CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : nsm_error_set(err, -errno, "%s/%s: %s",
                                                           runtime->path, NSM_CONTROL_SOCKET,
                                                           strerror(errno));
        if (!S_ISSOCK(st.st_mode) || st.st_uid != 0)
                return nsm_error_set(err, -EPERM, "%s/%s is no socket of root's (user %u): "
                                     "look who made it, and remove it", runtime->path,
                                     NSM_CONTROL_SOCKET, (unsigned)st.st_uid);
        runtime_unlisten(runtime);
        return 0;
}

int runtime_open(const char *path, struct runtime *ret, struct nsm_error *err)
{
        cleanup_runtime struct runtime runtime = RUNTIME_NONE;
        int r;

        runtime.path = strdup(path);
        if (!runtime.path)
                return nsm_error_set(err, -ENOMEM, "no memory");
        runtime.fd = open_private(AT_FDCWD, path, path, err);
        if (runtime.fd < 0)
                return runtime.fd;
        runtime.lock_fd = take_lock(&runtime, err);
        if (runtime.lock_fd < 0)
                return runtime.lock_fd;
        r = map_lock(&runtime, err);
        if (r < 0)
                return r;
        r = remove_stale(&runtime, err);
        if (r < 0)
                return r;
        runtime.records_fd = open_private(runtime.fd, RECORDS_NAME, path, err);
        if (runtime.records_fd < 0)
                return runtime.records_fd;
        *ret = runtime;
        runtime = (struct runtime)RUNTIME_NONE;
        return 0;
}

static int bind_socket(const struct runtime *runtime)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup_fd int directory = nsm_channel_open_directory(runtime->path, address.sun_path,
                                                              sizeof address.sun_path);
        cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t mask;
        int r;

        if (directory < 0 || fd < 0)
                return directory < 0 ? directory : -errno;
        mask = umask(0177);
        r = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
        umask(mask);
        if (r == 0 && listen(fd, SOMAXCONN) < 0)
                r = -errno;
        return r < 0 ? r : nsm_take_fd(&fd);
}

int runtime_listen(const struct runtime *runtime, int *ret_fd, struct nsm_error *err)
{
        int r = bind_socket(runtime);

        if (r < 0)
                return nsm_error_set(err, r, "%s/%s: cannot serve there: %s", runtime->path,
                                     NSM_CONTROL_SOCKET, strerror(-r));
        *ret_fd = r;
        return 0;
}

void runtime_unlisten(const struct runtime *runtime)
{
        (void)unlinkat(runtime->fd, NSM_CONTROL_SOCKET, 0);
}
