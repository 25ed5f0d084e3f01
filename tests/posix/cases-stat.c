/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat, statx, statfs, and directories that agree with them. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every type", "T=%all,full,dangling",
          "make $T f 0751 = ~; stat f = ~; "
          "stat f type=~ perm=~ uid=~ gid=~ nlink=~ size=~ blocks=~ "
          "rdev=~ dev=.; follow f = ~" },
        { "every mask", "T=file,dir,link m=0,1,2,4,8,0x10,0x20,0x40,0x80,0x100,0x200,0x400,0x7ff,"
          "0x800,"
          "0xfff,0x1000", "make $T f; statx f $m = ~; statx . $m = ~" },
        { "everything that statx has", "T=file,dir,link,fifo",
          "make $T f; statxall f = ~; open 1 f O_PATH|O_NOFOLLOW; statxall #1 = ~" },
        { "sizes and blocks", "S=0,1,59,60,61,156,157,4095,4096,4097,8192",
          "blob f $S; stat f size=$S blocks=~; fsynced f; stat f blocks=~" },
        { "holes", NULL,
          "create f; open 1 f O_RDWR; write 1 x 1000000; fsync 1; stat f size=1000001 blocks=8; "
          "write 1 x 0; fsync 1; stat f size=1000001 blocks=16; ftruncate 1 1; fsync 1; "
          "stat f blocks=8" },
        { "a directory that grows", "N=10,100,300",
          "mkdir d; many d $N; stat d size=~ nlink=2; list d = ~" },
        { "inode numbers stay", "T=%all",
          "make $T a; mkdir d; link a b = ~; rename a d/a; stat d/a = ~; rename d e; "
          "stat e/a dev=.; list e = ~" },
        { "statfs", "T=file,dir,fifo", "make $T f; statfs f = ~; statfs . = ~; mkdir d; "
          "statfs d = ~" },
        { "by descriptor", "T=%all,full",
          "make $T f; open 1 f O_PATH|O_NOFOLLOW; stat #1 ino=f dev=f btime=f; stat #1 type=~; "
          "chmod f 0600 = ~; stat #1 perm=~; rename f g; stat #1 ino=g; stat #1/inside = ~" },
        { "trees deeper than a path is long", "N=20,40",
          "mkdir top; chdir top; deep $N; create f; stat f type=file; mkdir g; rename f g/h; "
          "stat g nlink=2; stat .. nlink=~; symlink x l; readlink l = x; put g/h text; "
          "get g/h = text; "
          "link g/h i; stat i nlink=2; unlink i; chmod . 0700; stat . perm=0700; list . = ~; "
          "rename g/h ../h; stat ../h size=4; open 1 . O_RDONLY; chdir ..; create #1/new; "
          "getcwd = ~" },
        { "the working directory has a name", "N=1,10,15,16,17",
          "deep $N; getcwd = ~" },
        { "entries", "T=%all",
          "make $T x; list . = ~; rename x y; list . = ~; make dir d; rename y d/y; list . = ~; "
          "list d = ~; unlink d/y = ~; rmdir d/y = ~; list d = ~" },
};

PX_SUBJECT(stat, cases)
