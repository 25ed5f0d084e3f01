/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content: where it is, how it grows, how far; mappings and writers are probes. */
#include "tests/posix/posix.h"

/* About 16 TiB, the longest file of ext4 with blocks of 4 KiB, and further. */
#define FAR "17592186040319,17592186040320,17592186040321,17592186044416," \
        "4611686018427387904,9223372036854775807"

static const struct px_case cases[] = {
        { "probes", "P=mapped,mapped-past-end,direct-and-mapped,appended-by-several,"
          "written-by-several,programs,file-size-limit,file-size-signal,nameless,fifo,socket",
          "probe $P = 0" },
        { "modes of mappings", NULL, "probe mapped-modes = ~" },
        { "writes far out", "O=-1,0,4096,4294967296," FAR,
          "open 1 f O_CREAT|O_RDWR 0644; write 1 xy $O = ~; stat f size=~; read 1 1 $O = ~" },
        { "truncation far out", "O=-1,0,4096,4294967296," FAR,
          "put f abc; truncate f $O = ~; stat f size=~; open 1 f O_WRONLY|O_APPEND; "
          "write 1 x = ~; stat f size=~; ftruncate 1 $O = ~" },
        { "allocation far out", "O=-1,0,1048576," FAR " L=-1,0,1,5000,9223372036854775807 "
          "M=0,FALLOC_FL_KEEP_SIZE,FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE,FALLOC_FL_ZERO_RANGE",
          "open 1 f O_CREAT|O_RDWR 0644; fallocate 1 $M $O $L = ~; stat f size=~ blocks=~" },
        /* The kernel forwards no more modes than those. */
        { "allocation of other kinds", "M=FALLOC_FL_COLLAPSE_RANGE,FALLOC_FL_INSERT_RANGE",
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 12288; "
          "fallocate 1 $M 4096 4096 = 0 view:EOPNOTSUPP; unlink f" },
        { "allocation of no kind", "M=2,4,64,128,0xffff",
          "open 1 f O_CREAT|O_RDWR 0644; fallocate 1 $M 0 4096 = ~; stat f size=0" },
        { "seeking", "O=-1,0,5,10000,10001 W=SEEK_SET,SEEK_CUR,SEEK_END,SEEK_DATA,SEEK_HOLE,5,-1",
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 10000; seek 1 3 SEEK_SET; seek 1 $O $W = ~; "
          "seek 1 0 SEEK_CUR = ~" },
        /* The kernel answers from its own, wider limit; reading and writing have the storage's. */
        { "seeking further than files reach", "O=17592186040321,4611686018427387904",
          "open 1 f O_CREAT|O_RDWR 0644; seek 1 $O SEEK_SET = EINVAL view:$O; "
          "read 1 1 = 0; write 1 x = 1 view:EFBIG; ftruncate 1 0" },
        { "holes", NULL,
          "open 1 f O_CREAT|O_RDWR 0644; ftruncate 1 1048576; extents 1 = (none); "
          "fill 1 a 65536 4096; fill 1 b 500000 1; fsync 1; extents 1 = ~; "
          "seek 1 1048576 SEEK_DATA = ENXIO; seek 1 1048576 SEEK_HOLE = ENXIO; "
          "seek 1 66000 SEEK_DATA = 66000; seek 1 -1 SEEK_DATA = ENXIO; stat f blocks=~; "
          "fallocate 1 FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 65536 4096; extents 1 = ~; "
          "stat f blocks=~; fallocate 1 0 0 8192; extents 1 = ~; stat f blocks=~" },
        { "allocation", NULL,
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 20000; fallocate 1 0 0 100; runs 1 = ~; "
          "fallocate 1 0 19000 5000; runs 1 = ~; fallocate 1 FALLOC_FL_KEEP_SIZE 30000 5000; "
          "stat f size=24000; fallocate 1 FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 100 200; "
          "runs 1 = ~; fallocate 1 FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 4096 4096; runs 1 = ~; "
          "fallocate 1 FALLOC_FL_ZERO_RANGE 8190 100; runs 1 = ~; "
          "fallocate 1 FALLOC_FL_ZERO_RANGE 30000 100; stat f size=30100; "
          "fallocate 1 FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE 40000 100; stat f size=30100; "
          "fallocate 1 FALLOC_FL_PUNCH_HOLE 0 10 = EOPNOTSUPP; ftruncate 1 10; runs 1 = 10*a; "
          "unlink f" }, /* how many blocks its map takes depends on when it was written back */
        { "allocation and who may", NULL,
          "put f abc; open 1 f O_RDONLY; fallocate 1 0 0 10 = EBADF; open 2 . O_RDONLY; "
          "fallocate 2 0 0 10 = ~; open 3 f O_PATH; fallocate 3 0 0 10 = EBADF; "
          "open 4 f O_WRONLY|O_APPEND; fallocate 4 FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE 0 2; "
          "runs 1 = 2*.,1*c" },
        { "appending", NULL,
          "put f 123; open 1 f O_RDWR|O_APPEND; seek 1 0 SEEK_SET; write 1 4; "
          "seek 1 0 SEEK_CUR = 4; write 1 5 0; seek 1 0 SEEK_CUR = 4; get f = 12345; "
          "open 2 f O_RDWR; write 2 X; write 1 6; get f = X23456; ftruncate 2 1; write 1 7; "
          "get f = X7; setfl 1 0; seek 1 0 SEEK_SET; write 1 Z; get f = Z7; setfl 2 O_APPEND; "
          "write 2 W; get f = Z7W" },
        { "sparse writes", NULL,
          "open 1 f O_CREAT|O_RDWR 0644; write 1 a 10000; runs 1 = 10000*.,1*a; "
          "ftruncate 1 5; runs 1 = 5*.; ftruncate 1 8; runs 1 = 8*.; fill 1 b 4 2; "
          "runs 1 = 4*.,2*b,2*." },
        { "truncation clears what it cuts off", NULL,
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 9000; ftruncate 1 4097; ftruncate 1 9000; "
          "runs 1 = 4097*a,4903*.; truncate f 1; truncate f 4096; runs 1 = 1*a,4095*." },
        { "opening truncates", "F=O_WRONLY,O_RDWR,O_RDONLY,O_WRONLY|O_APPEND,O_RDWR|O_CREAT",
          "put f text; open 1 f O_RDONLY; open 2 f $F|O_TRUNC; stat f size=0; read 1 9 = 0; "
          "?host @u1 open - f O_RDONLY|O_TRUNC = EACCES; stat f size=0" },
        { "copying", "S=0,5,9990,10000,20000 D=0,50,1000000 L=0,10,100,20000",
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 5000; fill 1 b 5000 5000; "
          "open 2 g O_CREAT|O_RDWR 0644; copy 1 $S 2 $D $L = ~; runs 2 = ~; stat g size=~" },
        { "copying reads", NULL,
          "put f text; utimens f 1 2; open 1 f O_RDONLY; open 2 g O_CREAT|O_RDWR 0644; watch f; "
          "copy 1 0 2 0 4 = 4; times f=~" },
        { "copying within a file", "S=0,5 D=0,5,10,9999 L=5,10",
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 a 0 5; fill 1 b 5 9995; copy 1 $S 1 $D $L = ~; "
          "runs 1 = ~" },
        { "copying and who may", NULL,
          "put f text; create g; mkdir d; open 1 f O_RDONLY; open 2 f O_WRONLY; open 3 g O_RDONLY; "
          "open 4 g O_WRONLY; open 5 g O_WRONLY|O_APPEND; open 6 d O_RDONLY; open 7 f O_PATH; "
          "copy 1 0 3 0 4 = EBADF; copy 2 0 4 0 4 = EBADF; copy 1 0 5 0 4 = EBADF; "
          "copy 6 0 4 0 4 = EISDIR; copy 1 0 6 0 4 = ~; copy 7 0 4 0 4 = EBADF; copy 1 0 7 0 4 = "
          "EBADF; copy 1 -1 4 0 4 = ~; copy 1 0 4 -1 4 = ~; copy 1 0 4 17592186044416 4 = ~; "
          "copy 1 0 4 0 4 = 4; get g = text" },
        { "O_DIRECT", "O=0,1,100,512,4096,16384,19968,20000,20480,65536 L=0,1,100,512,4096,65536",
          "open 1 f O_CREAT|O_RDWR 0644; fill 1 q 0 20000; fsync 1; open 2 f O_RDWR|O_DIRECT; "
          "direct-read 2 $O $L = ~; direct-write 2 $O $L = ~; stat f size=~; runs 1 = ~" },
        { "O_DIRECT set later", NULL,
          "open 1 f O_CREAT|O_RDWR 0644; setfl 1 O_DIRECT; "
          "direct-write 1 0 100 = EINVAL view:100; "
          "direct-write 1 0 512 = 512; setfl 1 0; direct-write 1 1 100 = 100; stat f size=512" },
        { "O_DIRECT taken away by who writes", NULL, /* dd(1), before an odd last block */
          "open 1 f O_CREAT|O_WRONLY|O_DIRECT 0644; direct-write 1 0 512 = 512; setfl 1 0; "
          "direct-write 1 512 100 = 100; stat f size=612" },
        { "O_DIRECT taken away by who reads", NULL,
          "open 1 f O_CREAT|O_RDWR|O_DIRECT 0644; direct-write 1 0 512 = 512; setfl 1 0; "
          "direct-write 1 512 100 = 100 view:EINVAL; direct-read 1 1 100 = 100 view:EINVAL; "
          "unlink f" },
        { "calls on descriptors of every kind", "F=O_RDONLY,O_WRONLY,O_RDWR,O_PATH T=file,dir",
          "make $T f 0644; open 1 f $F = ~; fsync 1 = ~; fdatasync 1 = ~; syncfs 1 = ~; "
          "sync-range 1 0 100 7 = ~; sync-range 1 -1 100 7 = ~; sync-range 1 0 100 8 = ~; "
          "fadvise 1 0 100 3 = ~; fadvise 1 0 100 99 = ~; fadvise 1 0 -1 0 = ~; "
          "readahead 1 0 100 = ~; ftruncate 1 1 = ~; ftruncate 1 -1 = ~; read 1 10 = ~; "
          "write 1 text = ~; seek 1 1 SEEK_SET = ~; chmod #1 0600 = ~" },
        { "flags that are set later", "U=root,u1,u2 "
          "F=O_APPEND,O_NONBLOCK,O_NOATIME,O_DIRECT,O_SYNC,0",
          "make file f 0666 65534 65534; @$U open 1 f O_RDWR; @$U setfl 1 $F = ~" },
        { "O_NOATIME is the owner's", "U=root,u1,u2 F=O_RDONLY,O_WRONLY,O_RDWR",
          "make file f 0666 65534 65534; @$U open - f O_NOATIME|$F = ~; "
          "make dir d 0777 65534 65534; @$U open - d O_NOATIME = ~; "
          "@$U open - new O_NOATIME|O_CREAT|$F 0600 = ~" },
        { "O_TMPFILE", "F=O_RDWR,O_WRONLY,O_RDWR|O_EXCL,O_RDWR|O_APPEND,O_RDONLY,O_RDWR|O_CREAT",
          "mkdir d; open 1 d O_TMPFILE|$F 0640 = ~; stat #1 perm=~ nlink=~ = ~; write 1 text = ~; "
          "link /proc/self/fd/none x = ENOENT; link #1 d/f = ~; stat #1 nlink=~ = ~; get d/f = ~; "
          "link #1 d/f = ~; unlink d/f = ~; stat #1 nlink=~ = ~; link #1 d/g = ~; "
          "chmod #1 0600 = ~" },
        { "O_TMPFILE where it is not for", "T=%plain",
          "make $T f; open 1 f O_TMPFILE|O_RDWR 0600 = ~; open 1 none O_TMPFILE|O_RDWR 0600 = "
          "ENOENT; mkdir d 0755; @u1 open 1 d O_TMPFILE|O_RDWR 0600 = EACCES; "
          "open 1 d O_TMPFILE 0600 = ~" },
        { "inode flags", "T=file,dir B=0x1,0x2,0x8,0x10,0x20,0x40,0x80,0x400,0x800,0x8000,0x10000,"
          "0x20000,0x800000,0x80000000 U=root,u1,u2",
          "make $T f 0666 65534 65534; @$U open 1 f O_RDONLY; flags 1 = ~; @$U flags 1 +$B = ~; "
          "flags 1 = ~; @$U flags 1 -$B = ~; flags 1 -$B = ~; flags 1 = ~" },
        { "inode flags, the other way", "U=root,u1 "
          "B=0x1,0x8,0x10,0x20,0x40,0x80,0x400,0x800,0x8000",
          "make file f 0666 65534 65534; @$U open 1 f O_RDONLY; xflags 1 = ~; "
          "@$U xflags 1 +$B = ~; xflags 1 = ~; @$U xflags 1 -$B = ~; xflags 1 -$B = ~; "
          "xflags 1 = ~" },
        { "immutable and append-only files", "B=0x10,0x20",
          "?host put f text; ?host put g text; ?host open 2 f O_RDWR; ?host open 1 f O_RDONLY; "
          "?host flags 1 +$B; ?host open - f O_WRONLY = EPERM; ?host truncate f 1 = EPERM; "
          "?host open - f O_WRONLY|O_APPEND = ~; ?host chmod f 0600 = EPERM; "
          "?host chown f 1 1 = EPERM; ?host unlink f = EPERM; ?host rename f h = EPERM; "
          "?host rename g f = EPERM; ?host link f h = EPERM; ?host utimens f 1 1 = EPERM; "
          "?host setxattr f user.a v = EPERM; ?host ftruncate 2 1 = EPERM; "
          "?host flags 1 -$B; ?host truncate f 1" },
        { "other ioctls", "T=file,dir N=2,0x541b,0x5401,0x12345678,0x80087601,0x40087602",
          "make $T f; open 1 f O_RDONLY; ioctl 1 $N = ~" },
        /* The kernel's FUSE client asks no view for these. */
        { "ioctls that no view is asked for", NULL,
          "create f; open 1 f O_RDONLY; ioctl 1 0xc020660b = ~ view:EOPNOTSUPP; "
          "ioctl 1 0x81009431 = 0 view:ENOTTY" },
        { "what the kernel decides for FUSE", NULL,
          "probe epoll = EPERM view:0; probe read-nowait = 0|EAGAIN view:EOPNOTSUPP; "
          "probe direct-odd-buffer = EINVAL" },
};

PX_SUBJECT(data, cases)
