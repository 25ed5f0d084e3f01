/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids are shifted wherever they travel, in both directions, with several extents. */
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <linux/fs.h>

#include "tests/integration/view-kit.h"

static int create_all(struct view_kit *k)
{
        umask(027);
        int fd = open("d/file", O_CREAT | O_WRONLY, 0666);
        CHECK(fd >= 0 && close(fd) == 0);
        CHECK(mkdir("d/dir", 0777) == 0 && symlink("x", "d/link") == 0);
        CHECK(mkfifo("d/fifo", 0666) == 0 && mknod("d/sock", S_IFSOCK | 0666, 0) == 0);
        return 0;
}

static const char *const made[] = { "d/file", "d/dir", "d/link", "d/fifo", "d/sock" };

Test(view_ids, what_is_made_belongs_to_its_maker)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");
        const char *modes[] = { "640", "750", "777", "640", "640" };

        nsm_world_must(k.w, "mkdir -m 777 src/d");
        const uint32_t edges[] = { 0, 999, 1000, 1999 };
        for (size_t e = 0; e < 4; e++) {
                uint32_t id = edges[e];
                view_do(&k, id, create_all);
                for (size_t i = 0; i < 5; i++)
                        cr_assert_str_eq(stored(&k, made[i]),
                                         nsm_world_printf(k.w, "%s %u %u", modes[i], id, id));
                nsm_world_must(k.w, "rm -r mnt/d/*");
        }
}

/* Several users at once, so that threads start while others act for somebody else. */
static int create_at_once(struct view_kit *k)
{
        int status, bad = 0;

        for (uint32_t user = 0; user < 12; user++) {
                if (fork() != 0)
                        continue;
                uint32_t id = host_id(k, user * 150);
                if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
                        _exit(1);
                for (int i = 0; i < 200; i++) {
                        char name[32];
                        struct stat st;
                        snprintf(name, sizeof name, "d/%u-%d", user, i);
                        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
                        if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != id || st.st_gid != id)
                                _exit(2);
                        close(fd);
                }
                _exit(0);
        }
        while (wait(&status) > 0)
                bad += status != 0;
        CHECK(bad == 0);
        return 0;
}

Test(view_ids, users_at_once_are_not_mixed_up)
{
        NSM_REQUIRE();

        for (int round = 0; round < 5; round++) {
                cleanup_view_kit struct view_kit k = view_kit_new("");
                nsm_world_must(k.w, "mkdir -m 777 src/d");
                view_do(&k, UINT32_MAX, create_at_once);
        }
}

static int see_owners(struct view_kit *k)
{
        struct stat st;

        CHECK(stat("zero", &st) == 0 && st.st_uid == host_id(k, 0));
        CHECK(stat("999", &st) == 0 && st.st_uid == host_id(k, 999) && st.st_gid == host_id(k, 0));
        CHECK(stat("1000", &st) == 0 && st.st_gid == host_id(k, 1000));
        CHECK(stat("1999", &st) == 0 && st.st_uid == host_id(k, 1999));
        CHECK(stat("2000", &st) == 0 && st.st_uid == 65534 && st.st_gid == host_id(k, 0));
        CHECK(stat("big", &st) == 0 && st.st_uid == 65534 && st.st_gid == 65534);
        return 0;
}

static int leave_unmapped_alone(struct view_kit *k)
{
        CHECK(chown("2000", getuid(), getgid()) < 0 && (errno == EPERM || errno == EOVERFLOW));
        CHECK(chmod("2000", 0777) < 0 && (errno == EPERM || errno == EOVERFLOW));
        CHECK_ERR(open("2000", O_WRONLY), EACCES);
        return 0;
}

Test(view_ids, owners_are_shown_as_host_ids)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "cd src; touch zero 999 1000 1999 2000 big; chown 999:0 999; "
                       "chown 0:1000 1000; chown 1999 1999; chown 2000:0 2000; "
                       "chown 4294967294:4294967294 big");
        view_do(&k, 0, see_owners);
        view_do(&k, UINT32_MAX, see_owners);
        view_do(&k, 0, leave_unmapped_alone);
        cr_assert_str_eq(stored(&k, "2000"), "644 2000 0");
}

/* The host's root, whose own id has no partner. */
static int as_host_root(struct view_kit *k)
{
        CHECK_ERR(open("made", O_CREAT | O_WRONLY, 0600), EOVERFLOW);
        CHECK_ERR(mkdir("made", 0700), EOVERFLOW);
        CHECK_ERR(symlink("x", "made"), EOVERFLOW);
        CHECK_ERR(mkfifo("made", 0600), EOVERFLOW);
        CHECK_ERR(chown("file", 0, 0), EOVERFLOW);
        CHECK_ERR(chown("file", (uid_t)-1, host_id(k, 1999) + 1), EOVERFLOW);
        CHECK(chown("file", host_id(k, 1500), host_id(k, 7)) == 0);
        CHECK(chown("file", (uid_t)-1, host_id(k, 1000)) == 0);
        CHECK(chmod("file", 0604) == 0 && write_text("file", "root") == 0);
        return 0;
}

Test(view_ids, chown_stores_storage_ids)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/file");
        view_do(&k, UINT32_MAX, as_host_root);
        cr_assert_str_eq(stored(&k, "file"), "604 1500 1000");
        cr_assert_str_eq(nsm_world_must(k.w, "ls src"), "file\n");
}

static int others_may_not(struct view_kit *k)
{
        CHECK_ERR(chmod("private", 0777), EPERM);
        CHECK_ERR(open("private", O_RDONLY), EACCES);
        CHECK_ERR(unlink("sticky/theirs"), EPERM);
        CHECK_ERR(mkdir("closed/x", 0700), EACCES);
        CHECK_ERR(chown("private", getuid(), getgid()), EPERM);
        return 0;
}

Test(view_ids, permissions_are_checked)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "cd src; install -m 600 -o 5 /dev/null private; mkdir -m 1777 sticky; "
                       "install -o 5 /dev/null sticky/theirs; mkdir -m 755 closed");
        view_do(&k, 6, others_may_not);
        view_do(&k, 1006, others_may_not);
}

/* ---- set-id bits ---- */

static int write_to_set_id(struct view_kit *k)
{
        struct stat st;
        int fd = open("suid", O_WRONLY);

        CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &st) == 0);
        CHECK((st.st_mode & 07777) == 0777);
        CHECK(truncate("suid-t", 0) == 0 && stat("suid-t", &st) == 0 && !(st.st_mode & 06000));
        fd = open("suid-o", O_WRONLY | O_TRUNC);
        CHECK(fd >= 0 && fstat(fd, &st) == 0 && !(st.st_mode & 06000));
        return 0;
}

static int keep_set_id(struct view_kit *k)
{
        struct stat st;

        CHECK(write_text("own", "x") == 0 && chmod("own", 06755) == 0);
        CHECK(stat("own", &st) == 0 && (st.st_mode & 07777) == 06755);
        int fd = open("own2", O_CREAT | O_WRONLY, 04711);
        CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 04711);
        CHECK(chown("own", (uid_t)-1, getgid()) == 0 && stat("own", &st) == 0);
        CHECK(!(st.st_mode & 06000));
        CHECK(mkdir("sg/sub", 0755) == 0 && stat("sg/sub", &st) == 0 && (st.st_mode & S_ISGID));
        CHECK(st.st_gid == host_id(k, 77));
        CHECK(chown("sgfile", (uid_t)-1, (gid_t)-1) == 0);
        return 0;
}

static int foreign_group_loses_setgid(struct view_kit *k)
{
        struct stat st;

        CHECK(chmod("mine-theirs", 02755) == 0 && stat("mine-theirs", &st) == 0);
        CHECK((st.st_mode & 07777) == 0755);
        return 0;
}

static void use_set_ids(const char *options)
{
        cleanup_view_kit struct view_kit k = view_kit_new(options);

        nsm_world_must(k.w, "umask 0; for f in suid suid-t suid-o; do echo long > src/$f; chmod "
                       "6777 src/$f; done; mkdir src/sg; chown 3:77 src/sg; chmod 2777 src/sg; "
                       "chmod 777 src; touch src/sgfile src/mine-theirs; "
                       "chown 3 src/sgfile; chown 3:78 src/mine-theirs");
        view_do(&k, 3, write_to_set_id);
        view_do(&k, 3, keep_set_id);
        view_do(&k, 3, foreign_group_loses_setgid);
}

Test(view_ids, set_id_bits_go_when_others_write)
{
        NSM_REQUIRE();
        use_set_ids("");
}

Test(view_ids, set_id_bits_go_in_an_exclusive_view)
{
        NSM_REQUIRE();
        use_set_ids(",coherence=exclusive");
}

/* ---- ACLs ---- */

Test(view_ids, acls_are_shifted)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");
        uint32_t u = host_id(&k, 1234);

        nsm_world_must(k.w, "mkdir -m 777 src/d; touch src/f; setfacl -m u:1234:rw,u:2000:rw,"
                       "g:8:r src/f");
        const char *acl = nsm_world_must(k.w, "getfacl -nc mnt/f");
        cr_assert(strstr(acl, nsm_world_printf(k.w, "user:%u:rw-", u)), "%s", acl);
        cr_assert(strstr(acl, nsm_world_printf(k.w, "group:%u:r--", host_id(&k, 8))), "%s", acl);
        cr_assert(!strstr(acl, "2000"), "an id without partner is shown: %s", acl);
        nsm_world_must(k.w, "setfacl -m u:%u:rwx,d:g:%u:rx mnt/d", host_id(&k, 1999),
                       host_id(&k, 1));
        acl = nsm_world_must(k.w, "getfacl -nc src/d");
        cr_assert(strstr(acl, "user:1999:rwx") && strstr(acl, "default:group:1:r-x"), "%s", acl);
        cr_assert_neq(nsm_world_run(k.w, "setfacl -m u:12345:r mnt/f")->status, 0);
        /* The kernel enforces it, and new files inherit it. */
        nsm_world_must(k.w, "setpriv --reuid %u --regid %u --clear-groups sh -c "
                       "'umask 077; echo x >> mnt/f; echo y > mnt/d/new'", u, u);
        acl = nsm_world_must(k.w, "getfacl -nc src/d/new");
        cr_assert(strstr(acl, "group:1:r-x") && strstr(acl, "mask::r"), "%s", acl);
        cr_assert_neq(nsm_world_run(k.w, "setpriv --reuid %u --regid %u --clear-groups sh -c "
                                    "'echo x >> mnt/f'", u - 1, u - 1)->status, 0);
}

static int set_bad_acl(struct view_kit *k)
{
        const char *name = "system.posix_acl_access";

        CHECK_ERR(setxattr("f", name, "\2\0\0\0short", 9, 0), EINVAL);
        CHECK_ERR(setxattr("f", name, "\1\0\0\0", 4, 0), EOPNOTSUPP);
        return 0;
}

Test(view_ids, malformed_acls_are_refused)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f");
        view_do(&k, 0, set_bad_acl);
}

/* ---- file capabilities ---- */

static int read_caps(struct view_kit *k)
{
        struct vfs_ns_cap_data data;

        CHECK(getxattr("f", "security.capability", &data, sizeof data) == XATTR_CAPS_SZ_3);
        CHECK(data.rootid == host_id(k, 0));
        CHECK(getxattr("f3", "security.capability", &data, sizeof data) == XATTR_CAPS_SZ_3);
        CHECK(data.rootid == host_id(k, 1500));
        CHECK_ERR(getxattr("f-none", "security.capability", &data, sizeof data), ENODATA);
        return 0;
}

static int write_caps(struct view_kit *k)
{
        struct vfs_ns_cap_data data = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
                                        .data[0].permitted = 1 << CAP_NET_RAW };

        data.rootid = host_id(k, 0);
        CHECK(setxattr("w2", "security.capability", &data, XATTR_CAPS_SZ_3, 0) == 0);
        data.rootid = host_id(k, 1001);
        CHECK(setxattr("w3", "security.capability", &data, XATTR_CAPS_SZ_3, 0) == 0);
        data.rootid = host_id(k, 1999) + 1;
        CHECK_ERR(setxattr("w2", "security.capability", &data, XATTR_CAPS_SZ_3, 0), EOVERFLOW);
        /* Without root id it means the host's root, which has no partner. */
        data.magic_etc = VFS_CAP_REVISION_2;
        CHECK_ERR(setxattr("w2", "security.capability", &data, XATTR_CAPS_SZ_2, 0), EOVERFLOW);
        return 0;
}

static int stored_caps(struct view_kit *k)
{
        struct vfs_ns_cap_data data;

        CHECK(chdir(k->src) == 0);
        CHECK(getxattr("w2", "security.capability", &data, sizeof data) == XATTR_CAPS_SZ_2);
        CHECK(getxattr("w3", "security.capability", &data, sizeof data) == XATTR_CAPS_SZ_3);
        CHECK(data.rootid == 1001);
        return 0;
}

static int write_over_caps(struct view_kit *k)
{
        CHECK(write_text("w2", "new") == 0);
        CHECK_ERR(getxattr("w2", "security.capability", NULL, 0), ENODATA);
        return 0;
}

Test(view_ids, root_ids_of_file_capabilities_are_shifted)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "cd src; umask 0; touch f f3 f-none w2 w3; setcap cap_net_raw+ep f; "
                       "setcap -n 1500 cap_net_raw+ep f3; setcap -n 2000 cap_net_raw+ep f-none");
        view_do(&k, UINT32_MAX, read_caps);
        view_do(&k, UINT32_MAX, write_caps);
        view_do(&k, UINT32_MAX, stored_caps);
        view_do(&k, 5, write_over_caps);
}

/* ---- other attributes ---- */

static int use_xattrs(struct view_kit *k)
{
        char value[64];

        CHECK(setxattr("f", "user.a", "value", 5, XATTR_CREATE) == 0);
        CHECK_ERR(setxattr("f", "user.a", "value", 5, XATTR_CREATE), EEXIST);
        CHECK_ERR(setxattr("f", "user.b", "value", 5, XATTR_REPLACE), ENODATA);
        CHECK(getxattr("f", "user.a", NULL, 0) == 5);
        CHECK_ERR(getxattr("f", "user.a", value, 3), ERANGE);
        CHECK(getxattr("f", "user.a", value, sizeof value) == 5 && memcmp(value, "value", 5) == 0);
        CHECK(listxattr("f", value, sizeof value) == 7 && strcmp(value, "user.a") == 0);
        CHECK(removexattr("f", "user.a") == 0);
        CHECK_ERR(removexattr("f", "user.a"), ENODATA);
        CHECK_ERR(lsetxattr("link", "user.a", "v", 1, 0), EPERM);
        return 0;
}

Test(view_ids, extended_attributes)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f; ln -s f src/link; setfattr -n trusted.t -v x src/f");
        view_do(&k, 0, use_xattrs);
}

static int use_flags(struct view_kit *k)
{
        int fd = open("f", O_RDONLY), dir = open(".", O_RDONLY);
        unsigned flags = 0;
        struct fsxattr x = { 0 };

        CHECK(fd >= 0 && dir >= 0);
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 && errno == ENOTTY)
                return 0; /* the storage has none */
        flags |= FS_NODUMP_FL;
        CHECK(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
        CHECK(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NODUMP_FL));
        CHECK(ioctl(dir, FS_IOC_GETFLAGS, &flags) == 0);
        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) == 0) {
                x.fsx_xflags |= FS_XFLAG_NOATIME;
                CHECK(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0);
                CHECK(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NOATIME_FL));
        }
        CHECK_ERR(ioctl(fd, FIGETBSZ + 1, &flags), ENOTTY);
        return 0;
}

Test(view_ids, inode_flags)
{
        NSM_REQUIRE();
        cleanup_view_kit struct view_kit k = view_kit_new("");

        nsm_world_must(k.w, "touch src/f");
        view_do(&k, 0, use_flags);
        view_do(&k, UINT32_MAX, use_flags);
}
