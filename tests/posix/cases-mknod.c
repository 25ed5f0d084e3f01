/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mknod and mkfifo. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every type", "T=file,fifo,sock,dir,link,zero,bad M=0000,0644,0777,04755,02755,01644,"
          "07777",
          "watch .; mknod f $T $M = ~; times .=~; stat f = ~; stat f perm=~ = ~" },
        { "every type as others", "T=file,fifo,sock,dir,link,zero,bad,char,block U=u1,u2 M=0755,"
          "0777",
          "chmod . $M; @$U mknod f $T 06755 1 3 = ~; stat f = ~; stat f uid=~ gid=~ perm=~ = ~" },
        { "devices", "T=char,block N=1,255,256,300,1048575 D=0,1,259,4095",
          "mknod f $T 0644 $D $N = 0 tenant:EPERM; stat f rdev=~ type=~ perm=~ = ~; "
          "chmod f 0600 = ~; stat f perm=~ = ~" },
        { "devices of a tenant", "T=char,block D=0,1",
          "mknod f $T 0644 $D 3 = 0 tenant:EPERM; "
          "mknod g char 0600 0 0; stat g rdev=0:0 perm=0600" },
        { "a name that is taken", "T=%all,dangling,loop,full U=file,fifo,sock,char",
          "make $T f; mknod f $U 0644 = EEXIST; mknod f/ $U 0644 = ~; mkfifo f = EEXIST; "
          "stat f = ~" },
        { "umask applies", "U=022,027,077,0777 T=file,fifo,sock",
          "umask $U; mknod f $T 0777; stat f perm=~; mknod g $T 06666; stat g perm=~" },
        { "belongs to its maker", "U=u1,u2,1000:7 T=file,fifo,sock",
          "chmod . 0777; @$U mknod f $T 0644; stat f uid=~ gid=~ nlink=1 size=0" },
        { "without permission", "U=u1 T=file,fifo,sock,char M=0755,0733,0722,0711,0777",
          "make dir d $M; @$U mknod d/f $T 0644 = ~; @$U mkfifo d/g = ~" },
        { "names", "T=file,fifo,sock",
          "mknod {n255} $T 0644; stat {n255} type=$T; mknod {n256} $T 0644 = ENAMETOOLONG; "
          "mknod . $T 0644 = EEXIST; mknod .. $T 0644 = EEXIST; mknod x/ $T 0644 = ENOENT" },
        { "links, owners and modes of devices", "T=char,block",
          "make $T f; stat f type=$T rdev=~; link f g; stat g nlink=2; chmod f 0600; chown f 5 6; "
          "stat g perm=0600 uid=5 gid=6 rdev=~; utimens f 1 2; gettime g m = 2.0; "
          "truncate f 0 = ~; "
          "open - f O_RDWR = ~; open 1 f O_PATH; stat #1 type=$T; rename f h; unlink g; "
          "stat h nlink=1; access h R_OK|W_OK = ~; @u1 access h R_OK = ~; unlink h" },
};

PX_SUBJECT(mknod, cases)
