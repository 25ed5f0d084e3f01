/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* truncate, ftruncate, posix_fallocate. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "to every size", "S=0,1,3,4,5,100,4095,4096,4097,8192,1000000,4294967296,1099511627776",
          "put f text; watch f .; truncate f $S; stat f size=$S blocks=~; times f=mc .=-; "
          "truncate f 2; stat f size=2 blocks=~; get f = ~; truncate f 4; get f = ~; truncate f 0; "
          "stat f blocks=0" },
        { "by descriptor", "S=0,1,3,4,5,100,4096,4097,1000000 A=O_WRONLY,O_RDWR",
          "put f text; open 1 f $A; watch f .; ftruncate 1 $S; stat f size=$S blocks=~; "
          "times f=mc .=-" },
        { "to the size that it has", NULL,
          "put f text; watch f; truncate f 4; times f=~; open 1 f O_RDWR; watch f; ftruncate 1 4; "
          "times f=~; truncate f 0; watch f; truncate f 0; times f=~; watch f; "
          "open - f O_WRONLY|O_TRUNC; times f=~" },
        { "sizes that are none", "S=-1,-9223372036854775808,9223372036854775807,17592186044415,"
          "17592186044416,17592186040320,17592186048512,4611686018427387904",
          "put f text; truncate f $S = ~; stat f size=~; open 1 f O_RDWR; ftruncate 1 $S = ~; "
          "stat f size=~" },
        { "every type", "T=%all,loop,dangling S=0,10,-1",
          "make $T f; watch f .; truncate f $S = ~; times f=~ .=-; @u1 truncate f $S = ~" },
        { "every way to open", "A=O_RDONLY,O_WRONLY,O_RDWR,O_WRONLY|O_APPEND,O_PATH S=0,10,-1",
          "put f text; open 1 f $A; ftruncate 1 $S = ~; stat f size=~" },
        { "a directory that is open", NULL, "mkdir d; open 1 d O_RDONLY; ftruncate 1 0 = EINVAL; "
          "fallocate 1 0 0 1 = EBADF" },
        { "permission", "M=0000,0200,0400,0600,0020,0040,0002,0004 U=65534,65533:65534,"
          "65533:65533:65534,"
          "65533", "make file f $M 65534 65534; @$U truncate f 10 = ~; stat f size=~" },
        { "set-id bits", "U=root,65534,65533:65534,65533:1:65534,65532 M=06755,06777,04766,04755",
          "make file f $M 65534 65534; @$U truncate f 10 = ~; stat f perm=~; chmod f $M; "
          "@$U truncate f 10 = ~; stat f perm=~; chmod f $M; @$U open - f O_WRONLY|O_TRUNC = ~; "
          "stat f perm=~; chmod f $M; @$U open 1 f O_WRONLY = ~; @$U ftruncate 1 5 = ~; "
          "stat f perm=~" },
        { "what lay beyond is zero", NULL,
          "put f 123456789; truncate f 3; truncate f 6; open 1 f O_RDONLY; bytes 1 0 10 = "
          "313233000000; put f abc; truncate f 8192; write 1 x = EBADF; "
          "bytes 1 8188 10 = 00000000; "
          "truncate f 8190; bytes 1 8188 10 = 0000" },
        { "while it is open", NULL,
          "put f text; open 1 f O_RDWR; open 2 f O_RDWR; read 2 2 = te; truncate f 1; "
          "read 2 10 = 0; "
          "stat #1 size=1; write 1 ab; stat #2 size=2; unlink f; ftruncate 2 100; "
          "stat #1 size=100" },
        { "fallocate", "O=0,1,4095,4096,10000 L=1,4096,5000,100000",
          "put f text; open 1 f O_RDWR; watch f; fallocate 1 0 $O $L; stat f size=~ blocks=~; "
          "times f=~; posixfallocate 1 $O $L = 0; stat f size=~" },
        { "fallocate that is none", "O=0,-1,9223372036854775807,17592186044415 L=0,-1,1,"
          "9223372036854775807",
          "put f text; open 1 f O_RDWR; fallocate 1 0 $O $L = ~; posixfallocate 1 $O $L = ~; "
          "stat f size=~ blocks=~" },
        { "fallocate, as opened", "A=O_RDONLY,O_WRONLY,O_RDWR,O_PATH,O_WRONLY|O_APPEND",
          "put f text; open 1 f $A; fallocate 1 0 0 10000 = ~; posixfallocate 1 0 10000 = ~; "
          "stat f size=~" },
        { "fallocate of every type", "T=fifo,dir",
          "make $T f; open 1 f O_RDWR|O_NONBLOCK = ~; open 2 f O_RDONLY|O_NONBLOCK; "
          "posixfallocate 2 0 1 = ~; open 3 f O_PATH; posixfallocate 3 0 1 = EBADF" },
        { "fallocate and set-id bits", "U=root,65534,65533:65534 M=06755,06777,04766",
          "make file f $M 65534 65534; @$U open 1 f O_RDWR = ~; @$U fallocate 1 0 0 5000 = ~; "
          "stat f perm=~ size=~" },
};

PX_SUBJECT(truncate, cases)
