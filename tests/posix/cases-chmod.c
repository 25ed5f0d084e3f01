/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every bit of every type", "T=%nolink m=0,1,02,04,010,020,040,0100,0200,0400,01000,02000,"
          "04000,07777,0644,0755,06755,01777,0100644,017777",
          "make $T f; watch f .; chmod f $m; stat f perm=~; times f=c .=-; "
          "stat f type=$T" },
        { "one by one", "T=%nolink M=0111,0222,0444,0777,01777,02777,04777,06777,07777",
          "make $T f; chmod f $M; stat f perm=$M; chmod f 0; stat f perm=0000; open 1 f O_PATH; "
          "chmod #1 $M = EBADF; stat f perm=0000" },
        { "by descriptor", "T=file,dir M=0111,0644,0777,07777",
          "make $T f; open 1 f O_RDONLY; watch f; chmod #1 $M; times f=c; stat f perm=~; "
          "unlink f = ~; "
          "chmod #1 0711 = ~; stat #1 perm=~" },
        { "through a link", NULL,
          "create f; symlink f l; watch l f; chmod l 0600; times l=~ f=c; stat f perm=0600; "
          "stat l perm=0777; symlink missing m; chmod m 0600 = ENOENT; symlink n n; "
          "chmod n 0 = ELOOP" },
        { "others may not", "T=file,dir,fifo U=u2,65533:65534,65533:65533:65534,1000 M=0644,0777,"
          "06777",
          "make $T f 0640 65534 65534; watch f; @$U chmod f $M = EPERM; times f=-; "
          "stat f perm=0640" },
        { "owners may", "T=file,dir,fifo U=65534:65534,65534:65533,65534:65533:65532,65534:1:65530 "
          "M=0644,01644,02755,04755,06755,07777,02644,07000 G=65534,65530",
          "make $T f 0640 65534 $G; watch f; @$U chmod f $M; times f=c; stat f perm=~" },
        { "root in every group", "T=file,dir G=0,5,65534 M=02755,06755,02644",
          "make $T f 0640 65534 $G; chmod f $M; stat f perm=$M" },
        { "no change is a change of ctime", "T=%nolink",
          "make $T f; watch f; chmod f 0644; times f=c; stat f perm=0644" },
        { "a directory whose search goes", "U=u1",
          "make dir d 0755 65534 65534; make dir d/e 0755 65534 65534; create d/e/f 0666; "
          "@$U chmod d 0; @$U stat d/e = EACCES; @$U chmod d/e 0700 = EACCES; stat d/e perm=0755; "
          "@$U chmod d 0600; @$U chmod d/e 0700 = EACCES; @$U chmod d 0100; @$U chmod d/e 0700; "
          "@$U open - d/e/f O_RDWR; @$U list d = EACCES; @u2 stat d/e = EACCES" },
        { "a mode that is used at once", "U=u1,u2",
          "make file f 0600 65534 65534; @$U get f = ~; chmod f 0644; @$U get f = ~; chmod f 0; "
          "@$U get f = EACCES; chmod f 0004; @$U get f = ~; chown f 65533 65533; @$U get f = ~; "
          "chmod f 0400; @$U get f = ~" },
        { "all names see it", NULL,
          "create f; mkdir d; link f d/g; link f h; chmod d/g 0600; stat f perm=0600; "
          "stat h perm=0600; "
          "unlink f; chmod h 0640; stat d/g perm=0640; watch d/g; chmod h 0641; times d/g=c" },
};

PX_SUBJECT(chmod, cases)
