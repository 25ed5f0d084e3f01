/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "makes a directory", "M=0000,0700,0755,0777,01777,02755,04755,07777",
          "mkdir d $M; stat d type=dir nlink=2 uid=0 gid=0 perm=~ size=4096" },
        { "umask applies", "M=0777,01777,0550 U=022,027,077,0777",
          "umask $U; mkdir d $M; stat d perm=~" },
        { "a name that is taken", "T=%all", "make $T f; mkdir f 0755 = EEXIST; stat f type=$T" },
        { "a link count of the parent", NULL,
          "stat . nlink=2; mkdir a; stat . nlink=3; mkdir b; stat . nlink=4; rmdir a; "
          "stat . nlink=3; create f; stat . nlink=3" },
        { "times", NULL, "watch .; mkdir d; times .=mc" },
        { "belongs to its maker", "U=u1,u2,1000:1001",
          "chmod . 0777; @$U mkdir d 0755; stat d uid=~ gid=~" },
        { "without permission", "U=u1,u2",
          "@$U mkdir d = EACCES; chmod . 0711; @$U mkdir d = EACCES; chmod . 0733; @$U mkdir d" },
};

PX_SUBJECT(mkdir, cases)
