/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a view is known to differ from its storage (fs/README.md), in what the
 * cases of tests/posix do not say: each function runs on an ext4, then on a view of it.
 */
#include <dirent.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "fs/base/sys.h"
#include "tests/integration/sides-kit.h"

#define FILE_BYTES (8 << 20)
#define LIMIT_MS 30000

static void do_on_both(int (*fn)(bool view))
{
        do_with("exclusive", fn);
        do_with("shared", fn);
}

/* Sets one flag, or takes it away. */
static int set_flag(const char *path, int flag, bool on)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC), flags = 0;
        int result = fd < 0 ? -1 : ioctl(fd, FS_IOC_GETFLAGS, &flags);

        flags = on ? flags | flag : flags & ~flag;
        if (result == 0)
                result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
        if (fd >= 0)
                close(fd);
        return result;
}

/* access(2) does not know of the flag; what would change the file does. */
static int look_at_immutable(bool view)
{
        const char *name = view ? "seen" : "stored";

        CHECK(write_text(name, "text") == 0);
        CHECK(set_flag(name, FS_IMMUTABLE_FL, true) == 0);
        if (view)
                CHECK(access(name, W_OK) == 0);
        else
                CHECK_ERR(access(name, W_OK), EPERM);
        CHECK_ERR(open(name, O_WRONLY), EPERM);
        CHECK_ERR(truncate(name, 0), EPERM);
        CHECK(set_flag(name, FS_IMMUTABLE_FL, false) == 0);
        return 0;
}

Test(view_differences, access_does_not_know_what_is_immutable)
{
        NSM_REQUIRE();
        do_on_both(look_at_immutable);
}

/* Which of two refusals comes first is the kernel's to say, and it knows no flags here. */
static int remove_flagged(bool view)
{
        const char *file = view ? "seen" : "stored", *dir = view ? "seen-d" : "stored-d";

        CHECK(write_text(file, "text") == 0 && mkdir(dir, 0755) == 0);
        CHECK(set_flag(file, FS_IMMUTABLE_FL, true) == 0);
        CHECK(set_flag(dir, FS_APPEND_FL, true) == 0);
        CHECK_ERR(unlink(file), EPERM);
        CHECK_ERR(rmdir(dir), EPERM);
        CHECK_ERR(rmdir(file), view ? ENOTDIR : EPERM);
        CHECK_ERR(unlink(dir), view ? EISDIR : EPERM);
        CHECK(set_flag(file, FS_IMMUTABLE_FL, false) == 0);
        CHECK(set_flag(dir, FS_APPEND_FL, false) == 0);
        return 0;
}

Test(view_differences, the_wrong_kind_is_refused_before_flags)
{
        NSM_REQUIRE();
        do_on_both(remove_flagged);
}

/* What the kernel answers for a FUSE filesystem, or the C library by its number. */
static int look_closely(bool view)
{
        const char *name = view ? "seen" : "stored";
        struct statx stx;
        struct statvfs fs;

        CHECK(write_text(name, "text") == 0);
        CHECK(set_flag(name, FS_IMMUTABLE_FL, true) == 0);
        CHECK(statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, &stx) == 0);
        CHECK(!(stx.stx_attributes & STATX_ATTR_IMMUTABLE) == view);
        CHECK(!(stx.stx_attributes_mask & STATX_ATTR_IMMUTABLE) == view);
        CHECK(set_flag(name, FS_IMMUTABLE_FL, false) == 0);
        CHECK(statvfs(".", &fs) == 0 && (fs.f_fsid == 0) == view);
        CHECK(pathconf(".", _PC_LINK_MAX) == (view ? 127 : 65000));
        return 0;
}

Test(view_differences, flags_number_and_link_limit_are_not_told)
{
        NSM_REQUIRE();
        do_on_both(look_closely);
}

/* The kernel asks nothing that would tell this chown(2) from an owner's. */
static int give_away(bool view)
{
        const char *name = view ? "seen" : "stored";
        uint64_t all, few;
        struct stat st;

        CHECK(write_text(name, "text") == 0 && chown(name, 1, 1) == 0 && chmod(name, 04755) == 0);
        CHECK(nsm_sys_get_capabilities(&all) == 0);
        few = all & ~((uint64_t)1 << CAP_FOWNER);
        CHECK(nsm_sys_set_capabilities(few, few) == 0);
        int result = chown(name, 2, 2);
        CHECK(view ? result == 0 : result < 0 && errno == EPERM);
        CHECK(stat(name, &st) == 0 && (st.st_mode & 07777) == (view ? 0755 : 04755));
        return 0;
}

Test(view_differences, who_may_only_chown_gives_set_id_files_away)
{
        NSM_REQUIRE();
        do_on_both(give_away);
}

#if defined(__x86_64__)
/* getdents64(2) as a 32 bit program calls it. */
static long list_as_32_bits(int fd, void *buffer, size_t size)
{
        long result = 220;

        __asm__ volatile("int $0x80" : "+a"(result) : "b"((long)fd), "c"(buffer), "d"(size)
                         : "memory", "r8", "r9", "r10", "r11");
        return result;
}

/* ext4 makes its cookies fit into the caller's long; the worker is never such a caller. */
static int list_for_32_bits(bool view)
{
        const char *name = view ? "seen-d" : "stored-d";
        void *buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        const struct dirent64 *first = buffer;

        CHECK(buffer != MAP_FAILED && mkdir(name, 0755) == 0);
        int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0);
        long n = list_as_32_bits(fd, buffer, 4096);
        if (n == -ENOSYS || n == -EFAULT) /* a kernel without 32 bit programs */
                return 0;
        CHECK(n > 0 && ((uint64_t)first->d_off > INT32_MAX) == view);
        return 0;
}

Test(view_differences, cookies_of_directories_have_64_bits)
{
        NSM_REQUIRE();
        do_on_both(list_for_32_bits);
}
#endif

/* O_APPEND can be taken from the file, and yet nothing that is there is changed. */
static int clear_append(bool view)
{
        const char *name = view ? "seen" : "stored";
        int fd;

        CHECK(write_text(name, "text") == 0);
        CHECK(set_flag(name, FS_APPEND_FL, true) == 0);
        fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
        CHECK(fd >= 0);
        if (view)
                CHECK(fcntl(fd, F_SETFL, 0) == 0);
        else
                CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
        CHECK(pwrite(fd, "more", 4, 0) == 4 && has_text(name, "textmore"));
        CHECK(set_flag(name, FS_APPEND_FL, false) == 0 && close(fd) == 0);
        return 0;
}

Test(view_differences, append_only_files_keep_what_they_have)
{
        NSM_REQUIRE();
        do_on_both(clear_append);
}

/* Has the next read move the access time; @path may be a link. */
static int make_unread(const char *path)
{
        const struct timespec times[2] = { { 1000, 0 }, { .tv_nsec = UTIME_OMIT } };

        return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static bool was_read(const char *path)
{
        struct stat st;

        return fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_atime != 1000;
}

static int read_links(bool view)
{
        const char *name = view ? "seen" : "stored";
        char target[8];

        CHECK(symlink("target", name) == 0 && make_unread(name) == 0);
        CHECK(readlink(name, target, sizeof target) == 6);
        CHECK(make_unread(name) == 0);
        CHECK(readlink(name, target, sizeof target) == 6);
        CHECK(was_read(name) == !view);
        return 0;
}

Test(view_differences, a_link_that_is_cached_is_not_read)
{
        NSM_REQUIRE();
        do_on_both(read_links);
}

static int read_mappings(bool view)
{
        const char *name = view ? "seen" : "stored";
        int fd;
        const volatile char *text;

        CHECK(write_text(name, "text") == 0 && make_unread(name) == 0);
        fd = open(name, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        text = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);
        CHECK(text != MAP_FAILED && text[0] == 't');
        CHECK(was_read(name));
        CHECK(close(fd) == 0);
        return 0;
}

Test(view_differences, a_mapping_is_a_read)
{
        NSM_REQUIRE();
        do_on_both(read_mappings);
}

/* Where data goes through the worker, the storage hears of what is read, not of the mapping. */
static int map_without_reading(bool view)
{
        const char *name = view ? "seen" : "stored";
        int fd;
        const volatile char *text;

        CHECK(write_text(name, "text") == 0 && make_unread(name) == 0);
        fd = open(name, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        text = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);
        CHECK(text != MAP_FAILED && was_read(name) == !view);
        CHECK(text[0] == 't' && was_read(name));
        CHECK(make_unread(name) == 0 && text[1] == 'e' && !was_read(name));
        CHECK(close(fd) == 0);
        return 0;
}

Test(view_differences, a_mapping_is_no_read_where_the_worker_reads)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = { .w = nsm_world_new() };

        /* Stacked storage is not passed through. */
        nsm_world_add_ext4(k.w, "disk", SIDES_DISK_BYTES);
        k.src = nsm_world_printf(k.w, "%s/src", k.w->dir);
        k.mnt = nsm_world_printf(k.w, "%s/mnt", k.w->dir);
        nsm_world_must(k.w, "mkdir src mnt disk/lower disk/upper disk/work && "
                       "mount -t overlay -o lowerdir=disk/lower,upperdir=disk/upper,"
                       "workdir=disk/work overlay src && "
                       "nsmountfs src mnt -o idmap=0:0:65536,coherence=exclusive");
        do_on_sides(&k, "worker", map_without_reading);
}

/* A mapping for writing of a program that is closed; whether it runs. */
static int run_what_is_mapped(bool view)
{
        int status, fd;

        CHECK(system("cp /bin/true .") == 0);
        fd = open("true", O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(map != MAP_FAILED && close(fd) == 0);
        pid_t pid = fork();
        if (pid == 0) {
                execl("./true", "true", NULL);
                _exit(errno);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        CHECK(WEXITSTATUS(status) == (view ? 0 : ETXTBSY));
        return munmap(map, 4096);
}

Test(view_differences, a_mapping_alone_keeps_no_program_from_running)
{
        NSM_REQUIRE();
        do_with("exclusive", run_what_is_mapped);
        do_with("shared", run_what_is_mapped);
}

/* The kernel allows two layers of filesystems, and a view that passes data by is one. */
Test(view_differences, one_overlayfs_fits_upon_a_view)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_on_ext4("exclusive");

        for (int view = 0; view < 2; view++) {
                const char *d = view ? k.mnt : k.src, *top = k.w->dir;
                struct nsm_output *o = nsm_world_run(
                        k.w, "mkdir -p %s/l %s/m one two && cd %s && "
                        "mount -t overlay -o lowerdir=l:m one %s/one && "
                        "{ mount -t overlay -o lowerdir=%s/one:l two %s/two; r=$?; "
                        "umount -q %s/two; umount %s/one; exit $r; }",
                        d, d, d, top, top, top, top, top);
                cr_assert_eq(o->status, view ? 32 : 0, "%s", o->err);
        }
}

static uint64_t free_blocks(void)
{
        struct statvfs st;

        return statvfs(".", &st) == 0 ? st.f_bfree : 0;
}

static bool has_room_again(void *before)
{
        return free_blocks() + 16 >= *(uint64_t *)before; /* a directory may have grown */
}

/* The kernel tells the worker of the last close, and does not wait for it. */
static int get_room_back(bool view)
{
        static char zeroes[FILE_BYTES];
        uint64_t before = free_blocks();
        int fd = open("large", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

        CHECK(fd >= 0 && write(fd, zeroes, sizeof zeroes) == sizeof zeroes && fsync(fd) == 0);
        CHECK(!has_room_again(&before));
        CHECK(unlink("large") == 0);
        CHECK(!has_room_again(&before));
        CHECK(close(fd) == 0);
        CHECK(view || has_room_again(&before));
        CHECK(nsm_wait_until(LIMIT_MS, has_room_again, &before));
        return 0;
}

Test(view_differences, room_comes_back_after_the_last_close)
{
        NSM_REQUIRE();
        do_on_both(get_room_back);
}

enum sync { BY_FSYNC, BY_SYNCFS, BY_SYNC };

struct writing {
        const char *dir, *text;
        enum sync how;
};

static int write_and_sync(void *arg)
{
        const struct writing *s = arg;
        int fd;

        CHECK(chdir(s->dir) == 0);
        fd = open(s->text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        CHECK(fd >= 0);
        for (int i = 0; i < 1000; i++)
                CHECK(dprintf(fd, "content %s\n", s->text) > 0);
        if (s->how == BY_SYNC)
                sync();
        else
                CHECK((s->how == BY_FSYNC ? fsync(fd) : syncfs(fd)) == 0);
        return 0;
}

/* Whether the disk, which is a file itself, has what was written. */
static bool reaches_the_disk(struct view_kit *k, const char *dir, enum sync how, int number)
{
        struct writing s = { dir, nsm_world_printf(k->w, "file-%d-%d", how, number), how };
        struct nsm_output *o = nsm_world_call(k->w, write_and_sync, &s);

        cr_assert_eq(o->status, 0, "%s", o->err);
        return nsm_world_run(k->w, "grep -aq 'content %s' src.img", s.text)->status == 0;
}

/* FUSE_SYNCFS is virtiofs's. */
Test(view_differences, syncfs_does_not_reach_the_storage)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = kit_on_ext4("exclusive");
        bool reached = true;

        cr_assert(reaches_the_disk(&k, k.src, BY_SYNCFS, 0));
        /* Somebody else's sync(2) may come between. */
        for (int i = 1; reached && i <= 5; i++)
                reached = reaches_the_disk(&k, k.mnt, BY_SYNCFS, i);
        cr_assert_not(reached);
        cr_assert(reaches_the_disk(&k, k.mnt, BY_FSYNC, 0));
        cr_assert(reaches_the_disk(&k, k.mnt, BY_SYNC, 0)); /* all of the machine */
}
