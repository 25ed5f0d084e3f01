# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: the table of works, each a function that does it once on
one side and gives the figures of its rows."""
import json
import os

from . import peers
from .place import BUILD, Failed
from .storage import drop_caches, pg_options, postgres_user

MICRO = os.path.join(BUILD, 'tests/bench/nsm-bench-micro')


class Aim:
    """How many times as fast as native, as the best peer that shifts, and as
    passthrough_hp it should be; None: nothing is asked."""

    def __init__(self, native=None, peer=None, hp=None, floor=None):
        self.native, self.peers, self.hp, self.floor = native, peer, hp, floor

    def __str__(self):
        words = []
        if self.native:
            words.append('%g native' % self.native)
        if self.peers:
            words.append('%gx peers' % self.peers)
        if self.floor:
            words.append('floor %gx' % self.floor)
        if self.hp:
            words.append('hp')
        return ', '.join(words)


NATIVE = Aim(native=0.95)
WORK = Aim(peer=3, hp=1)
WARM = Aim(native=0.9, peer=3, hp=1)


class Row:
    def __init__(self, name, title, unit, aim):
        self.name, self.title, self.unit, self.aim = name, title, unit, aim

    @property
    def lower_is_better(self):
        return self.unit in ('s', 'ms')


class Turn:
    """One side's turn at a work: where it works, and as whom."""

    def __init__(self, storage, side):
        self.p, self.sizes, self.storage, self.side = storage.p, storage.sizes, storage, side
        self.view = storage.views[side.name]

    def run(self, script, user=0):
        words = {'tar': self.p.path('tree.tar'), 'micro': MICRO, 's': self.sizes.seconds,
                 'pg': peers.postgres(), 'home': self.p.path('home')}
        for name, value in words.items():
            script = script.replace('@%s@' % name, str(value))
        return self.p.shell(script, inside=self.side.inside, user=user, cwd=self.view)

    def timed(self, script, before='true', after='true', cold=False):
        """Seconds of a script; what goes before and comes after does not count."""
        self.run(before)
        self.storage.settle()
        if cold:
            drop_caches()
        times = self.run('begin=$EPOCHREALTIME\n%s\necho "times $begin $EPOCHREALTIME"' % script)
        begin, end = map(float, times.split('\n')[-2].split()[1:])
        self.run(after)
        return end - begin


# ---- data

def fio(turn, *options):
    report = turn.run('fio --name=x --filename=data --output-format=json --size=%dm '
                      '--invalidate=0 %s' % (turn.sizes.data_mib, ' '.join(options)))
    job = json.loads(report[report.index('{'):])['jobs'][0]
    side = job['read'] if job['read']['total_ios'] else job['write']
    return side['iops'], side['bw_bytes'] / 1e6


def random_io(turn, kind, *options):
    turn.run('cat data >/dev/null')
    turn.storage.settle()
    return fio(turn, '--rw=rand' + kind, '--bs=4k', '--time_based',
               '--runtime=%dms' % (turn.sizes.seconds * 1000), *options)[0]


def buffered_random(turn):
    return [random_io(turn, 'read', '--ioengine=psync'),
            random_io(turn, 'write', '--ioengine=psync')]


def sequential(turn):
    turn.storage.settle()
    drop_caches()
    cold = fio(turn, '--rw=read', '--bs=1m', '--ioengine=psync')[1]
    warm = fio(turn, '--rw=read', '--bs=1m', '--ioengine=psync', '--loops=4')[1]
    written = fio(turn, '--rw=write', '--bs=1m', '--ioengine=psync')[1]
    return [warm, cold, written]


def direct(turn):
    options = '--ioengine=libaio', '--direct=1', '--iodepth=16'
    return [random_io(turn, 'read', *options), random_io(turn, 'write', *options)]


def mapped(turn):
    turn.run('cat data >/dev/null')
    return [float(turn.run('@micro@ mmap data @s@').split()[1])]


# ---- trees

def untar_and_remove(turn):
    made = turn.timed('tar -C new -xf @tar@', before='rm -rf new; mkdir new')
    return [made, turn.timed('rm -rf new')]


def copy(turn):
    return [turn.timed('cp -a tree copy', before='rm -rf copy', after='rm -rf copy')]


def find(turn):
    script = 'find tree -ls >/dev/null'
    return [turn.timed(script, cold=True), turn.timed(script)]


def read_all(turn):
    return [turn.timed('find tree -type f -print0 | xargs -0 cat >/dev/null', cold=True)]


def usage(turn):
    return [turn.timed('du -s tree >/dev/null', cold=True)]


def git_status(turn):
    return [turn.timed('git -C repo status >/dev/null', before='git -C repo status >/dev/null')]


def git_clone(turn):
    return [turn.timed('git clone -q --local repo clone', before='rm -rf clone',
                       after='rm -rf clone')]


def build(turn):
    clean = 'rm -f sources/*.o sources/*.d'
    return [turn.timed('make -s -C sources -j2', before=clean, after=clean)]


# ---- names

NAME_ROWS = [('open', 'open+close', Aim(peer=3, hp=1, floor=1.5)),
             ('create', 'create', Aim(peer=3, hp=1, floor=2)),
             ('unlink', 'unlink', WORK), ('rename', 'rename', WORK), ('mkdir', 'mkdir', WORK),
             ('readdir', 'readdir, entries', WORK), ('stat', 'stat, warm', WARM)]


def names(processes):
    def work(turn):
        turn.run('rm -rf fresh; mkdir fresh')
        turn.storage.settle()
        said = turn.run('@micro@ names many fresh %d @s@' % processes)
        turn.run('rm -rf fresh')
        figures = dict(line.split() for line in said.splitlines())
        return [float(figures[name]) for name, _, _ in NAME_ROWS]
    return work


def name_rows(processes):
    return [Row('%s-%d' % (name, processes), '%s, %d process%s'
                % (title, processes, 'es' if processes > 1 else ''), '/s', aim)
            for name, title, aim in NAME_ROWS]


# ---- databases

def sqlite(journal, size):
    """One transaction per row, and synchronous as SQLite itself chooses."""
    def work(turn):
        n = getattr(turn.sizes, size)
        turn.run('rm -f @home@/sql; (echo "PRAGMA journal_mode=%s; CREATE TABLE t(x);"; '
                 'for ((i = 0; i < %d; i++)); do echo "INSERT INTO t VALUES($i);"; done) '
                 '>@home@/sql' % (journal, n))
        return [n / turn.timed('sqlite3 db <@home@/sql >/dev/null', before='rm -f db db-*',
                               after='rm -f db db-* @home@/sql')]
    return work


def pgbench(turn):
    if not peers.postgres():
        raise Failed('no PostgreSQL is installed')
    said = turn.run('''
        export PATH=@pg@:$PATH
        postgres -D pg %s >/dev/null 2>&1 &
        # By its pid, for not every side lets it read what it has written into a file.
        trap "kill -QUIT $!; wait" EXIT
        for ((i = 0; i < 200; i++)); do pg_isready -q -h @home@ && break; sleep 0.1; done
        pgbench -h @home@ -U bench -c 4 -j 1 -T %d bench 2>/dev/null
        ''' % (pg_options(turn.p), turn.sizes.pgbench_s), user=postgres_user())
    return [next(float(line.split()[2]) for line in said.splitlines()
                 if line.startswith('tps = '))]


class Work:
    def __init__(self, fn, rows, kinds=('tmpfs', 'ext4')):
        self.fn, self.rows, self.kinds = fn, rows, kinds


WORKS = [
    Work(buffered_random, [Row('randread', 'random read, 4 KiB', '/s', NATIVE),
                           Row('randwrite', 'random write, 4 KiB', '/s', NATIVE)]),
    Work(sequential, [Row('read', 'sequential read', 'MB/s', NATIVE),
                      Row('read-cold', 'sequential read, cold', 'MB/s', NATIVE),
                      Row('write', 'sequential write', 'MB/s', NATIVE)]),
    Work(mapped, [Row('mmap', 'mmap random read', '/s', NATIVE)]),
    Work(direct, [Row('direct-read', 'direct read, 4 KiB, depth 16', '/s', NATIVE),
                  Row('direct-write', 'direct write, 4 KiB, depth 16', '/s', NATIVE)]),
    Work(untar_and_remove, [Row('untar', 'untar', 's', WORK), Row('rm', 'rm -rf', 's', WORK)]),
    Work(find, [Row('find-cold', 'find -ls, cold', 's', WORK),
                Row('find-warm', 'find -ls, warm', 's', WARM)]),
    Work(read_all, [Row('read-all', 'read all files, cold', 's', WORK)]),
    Work(copy, [Row('cp', 'cp -a', 's', WORK)]),
    Work(git_status, [Row('git-status', 'git status', 's', WORK)]),
    Work(git_clone, [Row('git-clone', 'git clone', 's', WORK)]),
    Work(usage, [Row('du', 'du, cold', 's', WORK)]),
    Work(build, [Row('build', 'make -j2', 's', WORK)]),
    Work(names(1), name_rows(1)),
    Work(names(4), name_rows(4)),
    Work(sqlite('WAL', 'wal_inserts'), [Row('sqlite-wal', 'SQLite, WAL', '/s',
                                            Aim(native=0.9))], ['ext4']),
    Work(sqlite('DELETE', 'inserts'), [Row('sqlite-journal', 'SQLite, rollback journal', '/s',
                                           Aim(native=0.7))], ['ext4']),
    Work(pgbench, [Row('pgbench', 'pgbench', '/s', Aim(native=0.9))], ['ext4']),
]
