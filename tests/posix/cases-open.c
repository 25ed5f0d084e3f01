/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/posix.h"

#define ACCESS "O_RDONLY,O_WRONLY,O_RDWR"

static const struct px_case cases[] = {
        { "creates", "A=" ACCESS " M=0000,0444,0600,0644,0777,02755,04755,06777,01644",
          "watch .; open 1 f $A|O_CREAT $M; times .=mc; stat f type=file perm=~ size=0 nlink=1 "
          "uid=0 gid=0 blocks=0; close 1; open - f $A|O_CREAT|O_EXCL $M = EEXIST" },
        { "umask applies", "U=0,022,027,077,0777 M=0666,0777,07777",
          "umask $U; create f $M; stat f perm=~; mkfifo p $M; stat p perm=~" },
        { "belongs to its maker", "U=u1,1000:7,1000:7:8-40",
          "chmod . 0777; @$U create f 0644; stat f uid=~ gid=~; @$U create g 06755; stat g perm=~; "
          "@$U open 1 h O_RDWR|O_CREAT 0000; @$U write 1 text = 4; @$U get h = EACCES; "
          "stat h perm=0000 size=4" },
        { "an inherited group", "U=root,u1,65534:65534:65530 M=02755,02777,06755,0755,0654",
          "make dir d 02777 0 65530; @$U create d/f $M; stat d/f uid=~ gid=65530 perm=~; "
          "@$U mkdir d/e $M; stat d/e gid=65530 perm=~; @$U mkfifo d/p $M; stat d/p gid=65530 "
          "perm=~; @$U mkdir d/e/g = ~; stat d/e/g = ~; @$U symlink x d/l; stat d/l gid=65530" },
        { "flags on every type", "T=%all,dangling,loop,none A=" ACCESS
          " F=0,O_CREAT,O_CREAT|O_EXCL,O_TRUNC,O_DIRECTORY,O_NOFOLLOW,O_CREAT|O_TRUNC,"
          "O_CREAT|O_NOFOLLOW,O_CREAT|O_DIRECTORY,O_DIRECTORY|O_NOFOLLOW,O_APPEND,O_PATH,"
          "O_PATH|O_NOFOLLOW,O_PATH|O_DIRECTORY,O_NOATIME,O_DIRECT",
          "make $T f; open - f $A|$F|O_NONBLOCK 0600 = ~" },
        { "flags as others", "T=file,dir,link,fifo,sock,dangling A=" ACCESS
          " F=0,O_TRUNC,O_NOATIME,O_PATH,O_CREAT,O_CREAT|O_EXCL U=u1,u2",
          "make $T f; create target; lchown f 65534 65534; "
          "@$U open - f $A|$F|O_NONBLOCK 0600 = ~" },
        { "O_ACCMODE is neither", "M=0000,0444,0222,0666 U=root,u1",
          "make file f $M 65534 65534; @$U open 1 f 3 = ~" },
        { "permission", "M=0000,0100,0200,0400,0600,0010,0020,0040,0060,0001,0002,0004,0006,0642,"
          "0246 "
          "U=65534,65533:65534,65533:65533:65534,65533",
          "make file f $M 65534 65534; @$U open - f O_RDONLY = ~; @$U open - f O_WRONLY = ~; "
          "@$U open - f O_RDWR = ~; @$U open - f O_RDONLY|O_TRUNC = ~; @$U open - f O_PATH = ~; "
          "@$U open - f O_RDWR|O_APPEND = ~" },
        { "permission of a directory",
          "M=0000,0100,0200,0400,0300,0500,0010,0020,0040,0001,0002,0004,0003,0007,0777 "
          "U=65534,65533:65534,65533:65533:65534,65533",
          "make dir d; create d/f 0666; chown d 65534 65534; chmod d $M; "
          "@$U open - d O_RDONLY = ~; "
          "@$U open - d/f O_RDWR = ~; @$U open - d/new O_RDWR|O_CREAT 0600 = ~; @$U stat d/f = ~; "
          "@$U open - d O_RDONLY|O_DIRECTORY = ~; @$U chdir d = ~; @$U unlink d/f = ~" },
        { "truncates", "A=" ACCESS " O=O_TRUNC,O_TRUNC|O_CREAT",
          "put f text; watch f .; open 1 f $A|$O 0600; times f=mc .=-; stat f size=0 blocks=0; "
          "close 1; watch f; open 1 f $A|$O 0600; times f=~" },
        { "does not truncate", "T=fifo,dir,char", "make $T f; watch f; "
          "open 1 f O_RDONLY|O_TRUNC|O_NONBLOCK = ~; times f=~" },
        { "appends", NULL,
          "put f one; open 1 f O_WRONLY|O_APPEND; open 2 f O_WRONLY; write 2 zzzzzz; write 1 two; "
          "get f = zzzzzztwo; write 2 12345; get f = zzzzzz12345; write 1 x; get f = zzzzzz12345x; "
          "lseek 1 0 0; write 1 y; get f = zzzzzz12345xy; write 1 p 0; get f = zzzzzz12345xyp" },
        { "reads and writes as opened", "A=" ACCESS ",O_PATH",
          "put f text; open 1 f $A; read 1 2 = ~; write 1 ab = ~; get f = ~; ftruncate 1 1 = ~; "
          "chmod #1 0600 = ~; fchown 1 0 0 = ~; fsync 1 = ~; lseek 1 0 2 = ~; "
          "utimens #1 1 2 = ~; fallocate 1 0 0 10 = ~; stat #1 size=~" },
        { "a directory", "A=" ACCESS,
          "mkdir d; open - d $A = ~; open - d $A|O_CREAT 0600 = EISDIR; "
          "open - d/ $A|O_CREAT 0600 = "
          "EISDIR; open - new/ $A|O_CREAT 0600 = EISDIR; open - d/. $A|O_CREAT 0600 = EISDIR; "
          "create f; open - f/ $A|O_CREAT 0600 = ~; open - f/ $A = ENOTDIR; open - new/ $A = ~; "
          "open - d/.. $A|O_CREAT 0600 = EISDIR; open - . $A|O_CREAT|O_EXCL 0600 = ~" },
        { "through links", "A=" ACCESS,
          "symlink new l; open - l $A|O_CREAT|O_EXCL 0600 = EEXIST; stat new = ENOENT; "
          "open 1 l $A|O_CREAT 0640; stat new perm=0640; open - l $A|O_NOFOLLOW = ELOOP; "
          "open - l $A|O_CREAT|O_NOFOLLOW 0600 = ELOOP; symlink a/b m; open - m $A|O_CREAT 0600 = "
          "ENOENT; mkdir a; open - m $A|O_CREAT 0600 = 0; stat a/b type=file; symlink a n; "
          "open - n $A|O_NOFOLLOW|O_DIRECTORY = ~; open - n/b $A|O_NOFOLLOW = 0" },
        { "an executable that runs", "A=" ACCESS,
          "program p; spawn 1 p; open - p $A = ~; open - p O_RDONLY|O_TRUNC = ETXTBSY; "
          "truncate p 0 = ETXTBSY; truncate p 10 = ETXTBSY; chmod p 0700; chown p 0 0; "
          "rename p q; open - q $A = ~; stat q size=~; unlink q; reap 1" },
        { "an executable that is written", "A=" ACCESS ",O_WRONLY|O_APPEND",
          "program p; open 1 p $A; spawn 2 p = ~; close 1; spawn 3 p = 0; "
          "open - p O_WRONLY = ETXTBSY; reap 3" },
        { "executables and permission", "M=0000,0100,0111,0700,0755,0644,0010,0001 "
          "U=root,u1,65533:65533:65534,u2",
          "program p; chown p 65534 65534; chmod p $M; @$U run p = ~" },
        { "sockets and FIFOs", NULL,
          "make sock s; open - s O_RDONLY = ENXIO; open - s O_WRONLY = ENXIO; open - s O_PATH; "
          "make fifo p; open - p O_WRONLY|O_NONBLOCK = ENXIO; open 1 p O_RDONLY|O_NONBLOCK; "
          "open 2 p O_WRONLY|O_NONBLOCK; write 2 text = 4; read 1 10 = text; stat p size=0; "
          "open 3 p O_RDWR; lseek 1 0 0 = ESPIPE; ftruncate 2 0 = EINVAL; fsync 1 = EINVAL; "
          "truncate p 0 = EINVAL; truncate s 0 = EINVAL; watch p; write 2 more; ?ext4 times p=mc; "
          "?view times p=-; read 1 4 = more; "
          "?ext4 times p=amc; ?view times p=-" },
        { "times of reading", "A=O_RDONLY,O_RDWR,O_RDONLY|O_NOATIME,O_RDWR|O_SYNC",
          "put f text; watch f; open 1 f $A; times f=-; read 1 4 = text; times f=~; close 1; "
          "watch f; open 1 f $A; read 1 4 = text; times f=~" },
        { "times of reading after a change", NULL,
          "put f text; watch f; get f = text; times f=a; watch f; get f = text; times f=-; "
          "put f more; "
          "watch f; get f = more; times f=a; utimens f 1 2; watch f; get f; times f=~; watch f; "
          "get f; times f=~; utimens f now 5; watch f; get f; times f=~; chmod f 0600; watch f; "
          "get f; times f=~" },
        { "times of writing", "A=O_WRONLY,O_RDWR,O_WRONLY|O_APPEND,O_WRONLY|O_SYNC",
          "put f text; open 1 f $A; watch f .; write 1 more; times f=mc .=-; watch f; "
          "write 1 \\0 = 0; "
          "times f=~; watch f; close 1; times f=-" },
        { "times of listing", "T=dir,full",
          "make $T d; watch d; list d = ~; times d=a; watch d; list d; times d=-; create d/x; "
          "watch d; list d; times d=a; unlink d/x; watch d; list d; times d=a; watch d; list d; "
          "times d=-; open 1 d O_RDONLY; times d=-" },
        { "unnamed files", "A=" ACCESS ",O_PATH",
          "open 1 . $A|O_TMPFILE 0640 = ~; stat #1 = ~; open 2 missing $A|O_TMPFILE 0600 = ~; "
          "create f; open 3 f $A|O_TMPFILE 0600 = ~" },
};

PX_SUBJECT(open, cases)
