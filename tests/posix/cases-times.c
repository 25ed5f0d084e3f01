/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utimensat and futimens; what else moves times is with each subject. */
#include "tests/posix/posix.h"

static const struct px_case cases[] = {
        { "every type, exactly", "T=%all",
          "make $T f; watch f .; lutimens f 1000000000.123456789 1500000000.987654321; "
          "gettime f a = 1000000000.123456789; gettime f m = 1500000000.987654321; "
          "times f=a!m!c .=-; stat f type=$T" },
        { "far times", "S=0,1,-1,-2147483648,-2147483649,2147483647,2147483648,4294967295,"
          "4294967296,"
          "6442450943,6442450944,8589934592,12884901887,12884901888,15032385535,15032385536,"
          "-9223372036854775808,9223372036854775807,15032385537,-2147483650",
          "create f; utimens f 3 4; utimens f $S $S = ~; gettime f a = ~; gettime f m = ~; "
          "utimens f $S.999999999 "
          "$S.000000001 = ~; gettime f a = ~; gettime f m = ~" },
        { "nanoseconds", "N=0,1,999,1000,999999,999999999,1000000000,-1,1073741821,2000000000",
          "create f; utimens f 3 4; utimens f 5.$N 6 = ~; gettime f a = ~; utimens f 5 6.$N = ~; "
          "gettime f m = ~" },
        { "now and omit", "A=now,omit,5 M=now,omit,6 T=%all",
          "make $T f; lutimens f 1 2; watch f; lutimens f $A $M; times f=~" },
        { "no times at all", "T=%nolink",
          "make $T f; utimens f 1 2; watch f; utimens f; times f=amc" },
        { "by descriptor", "A=O_RDONLY,O_WRONLY,O_RDWR,O_PATH",
          "create f; utimens f 3 4; open 1 f $A; utimens #1 7 8 = ~; gettime f m = ~; "
          "utimens #1 now omit = ~; "
          "utimens #1 = ~; unlink f; utimens #1 9 10 = ~; gettime #1 m = ~" },
        { "a directory by descriptor", NULL,
          "mkdir d; open 1 d O_RDONLY; utimens #1 7 8; gettime d m = 8.0; create d/f; watch d; "
          "utimens #1 omit 9; times d=m!c" },
        { "through a link", NULL,
          "create f; symlink f l; watch f l; utimens l 3 4; times l=~ f=a!m!c; gettime f m = 4.0; "
          "watch f; lutimens l 5 6; times f=-; gettime l m = 6.0; symlink x m; "
          "utimens m 1 2 = ENOENT; "
          "lutimens m 1 2; gettime m a = 1.0; symlink n n; utimens n 1 2 = ELOOP" },
        { "who may", "T=file,dir U=u1,u2,65533:65534,1000:5:65534 M=0000,0200,0020,"
          "0002 A=5,now,omit B=6,now,omit",
          "make $T f $M 65534 65534; lutimens f 1 2; @$U utimens f $A $B = ~" },
        { "who may without times", "T=file,dir,fifo U=u1,u2,65533:65534,1000:5:65534 "
          "M=0000,0200,0400,0020,0040,0002,0004,0666",
          "make $T f $M 65534 65534; utimens f 1 2; watch f; @$U utimens f = ~; times f=~" },
        { "who may, of links", "U=root,u1,u2 A=5,now,omit",
          "symlink x l; lchown l 65534 65534; @$U lutimens l $A $A = ~; @$U lutimens l = ~" },
        { "who may by descriptor", "U=u1,u2 M=0644,0666,0600 A=now,5",
          "make file f $M 65534 65534; open 1 f O_RDWR; @$U utimens #1 $A $A = ~; "
          "@$U utimens #1 = ~" },
        { "both omitted asks nothing", "T=file,dir U=root,u1,u2",
          "make $T f 0000; watch f; @$U utimens f omit omit = ~; times f=-; "
          "@$U utimens missing omit omit = ~; "
          "@$U utimens f/x omit omit = ~; @$U utimens {n256} omit omit = ~" },
        { "flags", "F=0,AT_SYMLINK_NOFOLLOW,AT_EMPTY_PATH,1,0x200",
          "create f; utimensflags f $F = ~" },
        { "what else moves times", "T=file,fifo,dir",
          "make $T f; watch f; stat f; access f R_OK; open 1 f O_PATH; times f=-; chmod f 0600; "
          "times f=c; watch f; lchown f 1 1; times f=c; watch f; rename f g; times g@f=c; "
          "utimens g 1 2; watch g; rename g f; times f@g=c; gettime f m = 2.0" },
        { "btime never moves", "T=%all",
          "make $T f; watch f; lutimens f 1 2; lchown f 1 2; rename f g; link g h = ~; "
          "unlink h = ~; times g@f=a!m!c" },
        { "a write after a time was set", NULL,
          "put f text; open 1 f O_RDWR; utimens f 1 2; write 1 x; gettime f a = 1.0; watch f; "
          "write 1 y; times f=mc; utimens #1 3 4; gettime f m = 4.0; close 1; gettime f m = 4.0; "
          "utimens f 5 6.5; truncate f 0; gettime f a = 5.0; watch f; truncate f 1; times f=mc" },
        { "a time in the future", NULL,
          "put f text; utimens f 4000000000 4000000000; gettime f m = 4000000000.0; watch f; "
          "get f; times f=~; "
          "put f more; watch f; get f; times f=~; mkdir d; utimens d 4000000000 4000000000; "
          "create d/x; watch d; create d/y; times d=mc" },
};

PX_SUBJECT(times, cases)
