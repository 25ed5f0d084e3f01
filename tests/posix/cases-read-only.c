/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read-only views: nothing changes, whatever is tried, and the error is ext4's. */
#include "tests/posix/posix.h"

#define TREE                                                                            \
        "echo text > there && mkdir d full && echo f > d/f && touch full/inside && "    \
        "ln -s d/f link && ln -s d dlink && ln -s missing dangling && ln -s loop loop && " \
        "mkfifo fifo && mknod sock p && mknod char c 1 3 && mkdir -m 700 closed && "    \
        "touch closed/f && mkdir -m 1777 open && touch open/theirs own && "             \
        "chown 65534:65534 own open/theirs && chmod 666 there && chmod 6777 own && "    \
        "setfattr -n user.a -v one there && setfacl -m u:7:rw d/f && touch -d @1000 old there"

static const struct px_case cases[] = {
        { "every operation on every path",
          "U=root,u1,u2 P=d,d/f,full,link,dlink,dangling,loop,fifo,char,own,open/theirs,missing,"
          "d/missing,missing/x,there/x,closed/f,.,..,d/.,own/,d/,missing/,{n255},{n256},"
          "{p4095:own},"
          "{p4096:own} o=%paths", "@$U $o = ~" },
        { "every way to open",
          "U=root,u1 a=O_RDONLY,O_WRONLY,O_RDWR,O_RDONLY|O_TRUNC,O_WRONLY|O_TRUNC,"
          "O_WRONLY|O_APPEND,"
          "O_RDWR|O_CREAT,O_RDWR|O_CREAT|O_EXCL,O_RDWR|O_CREAT|O_TRUNC,O_RDONLY|O_CREAT,O_PATH,"
          "O_RDONLY|O_NOATIME,O_RDWR|O_TMPFILE P=there,own,d,fifo,link,dangling,missing,open,"
          "closed/f",
          "@$U open - $P $a|O_NONBLOCK 0644 = ~" },
        { "what is open for reading", "P=there,own,d",
          "open 1 $P O_RDONLY; write 1 x = ~; ftruncate 1 0 = ~; fallocate 1 0 0 10 = ~; "
          "chmod #1 0600 = EROFS; fchown 1 1 1 = EROFS; utimens #1 1 2 = EROFS; "
          "utimens #1 = EROFS; "
          "fsync 1 = ~; setxattr #1 user.b v = EROFS; removexattr #1 user.a = ~; "
          "@u2 chmod #1 0600 = ~; stat #1 = ~" },
        { "attributes that are set", "U=root,u1,u2 P=there,own,d,link,missing",
          "@$U setxattr $P user.a two = ~; @$U setxattr $P user.b two = ~; "
          "@$U removexattr $P user.a = ~; "
          "@$U setxattr $P security.b two = ~; @$U setxattr $P trusted.b two = ~; "
          "@$U setacl $P access u=7,u7=6,g=5,m=7,o=0 = ~; "
          "@$U removexattr $P system.posix_acl_access = ~; "
          "@$U getxattr $P user.a = ~" },
        { "inode flags", "P=there,d,own U=root,u1",
          "open 1 $P O_RDONLY; flags 1 = ~; @$U flags 1 +0x10 = ~; @$U flags 1 +0x20 = ~; "
          "@$U flags 1 +0x40 = ~; @$U xflags 1 +0x40 = ~; flags 1 = ~" },
        { "reading leaves no trace", NULL,
          "watch there d d/f link old .; get there; get old = (empty); list d = ~; list . = ~; "
          "readlink link; "
          "get d/f; times there=- d=- d/f=- link=- old=- .=-; open 1 there O_RDONLY; "
          "read 1 4 = text; "
          "times there=-" },
        { "what may be done", "U=root,u1",
          "@$U get there = text\\x0a; @$U stat own perm=6777 uid=65534; @$U access there R_OK = 0; "
          "@$U access there W_OK = EROFS worker:0; @$U access fifo W_OK = ~; "
          "@$U access char W_OK = ~; "
          "@$U access d W_OK = ~; @$U statfs . = ~; @$U chdir d; @$U getcwd = ./d" },
};

PX_SUBJECT_READ_ONLY(read_only, cases, TREE)
