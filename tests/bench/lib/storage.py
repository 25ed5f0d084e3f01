# SPDX-License-Identifier: LGPL-2.1-or-later
"""What lies on the storage before anything is shown: the same for each side."""
import os
import pwd
import random

from . import peers
from .place import Failed


class Sizes:
    """How much of everything, in a full run and in a quick one."""

    def __init__(self, quick):
        self.directories, self.per_directory = (60, 16) if quick else (400, 16)
        self.sources = 24 if quick else 300
        self.data_mib = 32 if quick else 128
        self.seconds = 0.1 if quick else 0.5     # of each timed loop
        self.pgbench_s = 1 if quick else 5
        self.inserts = 40 if quick else 500      # with a rollback journal
        self.wal_inserts = 400 if quick else 5000
        self.inodes = 100000 if quick else 1000000
        self.names = 2000 if quick else 10000


def write_file(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def make_tree(where, sizes):
    """Small files: half of them below 2 KiB, the largest 16 KiB; two levels."""
    draw = random.Random(1)
    for d in range(sizes.directories):
        path = '%s/part-%02d/group-%03d' % (where, d % 20, d)
        os.makedirs(path)
        for i in range(sizes.per_directory):
            size = int(draw.choice((200, 800, 2000, 4000, 16000)) * draw.uniform(0.5, 1))
            write_file('%s/file-%03d.txt' % (path, i), draw.randbytes(size // 2).hex().encode())


def make_sources(where, sizes):
    """C files that include small headers, and a Makefile for them."""
    os.makedirs(where + '/include')
    for i in range(60):
        write_file('%s/include/h%d.h' % (where, i),
                   b'#ifndef H%d\n#define H%d\nstatic inline int h%d(int x) { return x + %d; }\n'
                   b'#endif\n' % (i, i, i, i))
    for i in range(sizes.sources):
        uses = [(i * 7 + k) % 60 for k in range(20)]
        write_file('%s/s%d.c' % (where, i), b''.join(b'#include "h%d.h"\n' % n for n in uses) +
                   b'int s%d(int x);\nint s%d(int x)\n{\n        return %s;\n}\n'
                   % (i, i, b' + '.join(b'h%d(x)' % n for n in uses)))
    write_file(where + '/Makefile', b'all: $(patsubst %.c,%.o,$(wildcard *.c))\n'
               b'%.o: %.c\n\tgcc -O0 -Iinclude -MMD -c -o $@ $<\n')


def postgres_user():
    """Who must not be root; the package makes one. The tenant has the same number."""
    return pwd.getpwnam('postgres').pw_uid


def pg_options(p):
    return '-k %s -h \'\' -c shared_buffers=16MB -c max_wal_size=64MB' % p.path('home')


def make_database(p, where):
    """A cluster of PostgreSQL with pgbench's tables."""
    programs = peers.postgres()
    if not programs:
        return
    os.mkdir(where, 0o700)
    os.chown(where, postgres_user(), postgres_user())
    os.chmod(os.path.dirname(where), 0o755)
    p.shell('''
        export PATH=%(programs)s:$PATH
        initdb -D %(where)s -U bench --auth=trust --no-sync --wal-segsize=1 >/dev/null
        pg_ctl -D %(where)s -w -l /dev/null -o "%(options)s" start >/dev/null
        trap 'pg_ctl -D %(where)s -m immediate stop >/dev/null' EXIT
        createdb -h %(socket)s -U bench bench
        pgbench -h %(socket)s -U bench -q -i -s 2 bench >/dev/null 2>&1
        trap - EXIT
        pg_ctl -D %(where)s -w stop >/dev/null
        ''' % {'programs': programs, 'where': where, 'socket': p.path('home'),
               'options': pg_options(p)}, user=postgres_user())


def fill(p, sizes, storage, with_database):
    """Makes storage/template: what each side gets a copy of."""
    where = storage + '/template'
    os.mkdir(where)
    make_tree(where + '/tree', sizes)
    make_sources(where + '/sources', sizes)
    os.mkdir(where + '/many')
    for i in range(sizes.names):
        write_file('%s/many/%d' % (where, i), b'')
    write_file(where + '/data', os.urandom(1 << 20) * sizes.data_mib)
    p.shell('''
        tar -C %(where)s -cf %(tar)s tree
        cp -a %(where)s/tree %(where)s/repo
        cd %(where)s/repo && git init -q . && git add -A
        git -c user.name=x -c user.email=x@example.org commit -q -m x && git gc -q
        ''' % {'where': where, 'tar': p.path('tree.tar')})
    os.chmod(p.path('tree.tar'), 0o644)
    if with_database:
        make_database(p, where + '/pg')


class Storage:
    """A tmpfs or an ext4, with a copy of the template for each side, each shown."""

    def __init__(self, p, kind, sizes, sides, with_database):
        self.p, self.kind, self.sizes = p, kind, sizes
        self.dir = p.mkdir(kind)
        if kind == 'tmpfs':
            p.mount(self.dir, '-t', 'tmpfs', '-o', 'mode=711,size=8G,nr_inodes=4M', 'tmpfs')
        else:
            self.mount_ext4()
        fill(p, sizes, self.dir, with_database)
        self.views = {}
        self.broken = {}
        for side in sides:
            source, where = '%s/%s' % (self.dir, side.name), '%s/%s.view' % (self.dir, side.name)
            p.must('cp', '-a', self.dir + '/template', source)
            os.chmod(source, 0o755)
            os.mkdir(where)
            try:
                side.show(p, source, where)
                self.views[side.name] = where
            except (Failed, OSError) as e:
                self.broken[side.name] = str(e)
        p.must('rm', '-rf', self.dir + '/template')

    def mount_ext4(self):
        image = self.p.path('ext4.image')
        with open(image, 'wb') as f:
            f.truncate(8 << 30)
        self.p.must('mke2fs', '-q', '-t', 'ext4', '-F', '-N', '500000', '-E',
                    'lazy_itable_init=0,lazy_journal_init=0', image)
        # The loop device goes with its mount.
        self.p.mount(self.dir, '-o', 'loop', image)
        os.unlink(image)
        os.chmod(self.dir, 0o711)

    def settle(self):
        """Nothing of the turn before is left to be written."""
        self.p.must('sync', '-f', self.dir)

    def close(self):
        for where in self.views.values():
            self.p.unmount(where)
        self.p.unmount(self.dir)


def drop_caches():
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')
