/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device nodes, and the whiteouts of overlayfs, which are the device 0:0. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "shown, and never open", "T=char,block",
          "make $T f 0666; stat f type=$T perm=0666 rdev=~ nlink=1 size=0; "
          "open - f O_RDONLY = EACCES; open - f O_RDWR = EACCES; "
          "open - f O_WRONLY|O_NONBLOCK = EACCES; open - f O_PATH; "
          "truncate f 0 = EINVAL" },
        { "made by whom the kernel lets", "T=char,block M=0600,0666 U=root,u1",
          "chmod . 0777; @$U mknod f $T $M 1 3 = ~; stat f rdev=~ = ~; "
          "@$U mknod g $T $M 4095 1048575 = ~; stat g rdev=~ = ~" },
        { "whiteouts", "U=root,u1 M=0,0600",
          "chmod . 0777; @$U mknod f char $M 0 0; stat f type=char rdev=0:0 perm=~ uid=~; "
          "open - f O_RDONLY = EACCES; mknod f char 0 0 0 = EEXIST; "
          "rename f g; stat g rdev=0:0; unlink g; @$U mknod b block $M 0 0 = EPERM host:~" },
        { "a whiteout is left behind", "T=%plain U=root,u1",
          "mkdir d 0777; chown d 65534 65534; make $T d/f 0644 65534 65534; "
          "@$U rename d/f d/g RENAME_WHITEOUT = ~; stat d/f = ~; stat d/g type=~; "
          "@$U rename d/g d/f RENAME_WHITEOUT|RENAME_NOREPLACE = ~; "
          "@$U rename d/g d/f RENAME_WHITEOUT|RENAME_EXCHANGE = ~; stat d/f = ~" },
        { "a whiteout replaces", NULL,
          "mkdir d; put d/f one; put d/g two; rename d/f d/g RENAME_WHITEOUT; get d/g = one; "
          "stat d/f type=char rdev=0:0 uid=0 gid=0; rename d/f d/g; stat d/g rdev=0:0; "
          "unlink d/g; rmdir d" },
        { "attributes of devices", "T=char,block,fifo",
          "make $T f; chmod f 0604; stat f perm=0604; chown f 5 6; stat f uid=5 gid=6; "
          "utimens f 1 2; link f g; stat g nlink=2 rdev=~; rename g h; unlink f; stat h nlink=1; "
          "setxattr h user.a v = EPERM; @u1 access h R_OK = 0; @u1 access h W_OK = EACCES" },
};

PX_SUBJECT(devices, cases)
