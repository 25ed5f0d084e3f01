# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sides of the comparison: how each shows a directory of the storage with
ids shifted, and how the programs for it come here."""
import ctypes
import glob
import os
import shutil
import subprocess

from . import place
from .place import BUILD, FIRST_ID, IDS, TOP, Failed

PACKAGES = {'bindfs': 'bindfs', 'fuse-overlayfs': 'fuse-overlayfs', 'fio': 'fio',
            'sqlite3': 'sqlite3', 'git': 'git', 'mke2fs': 'e2fsprogs', 'gcc': 'gcc',
            'make': 'make', 'g++': 'g++', 'meson': 'meson'}
HP_BUILD = os.path.join(BUILD, 'bench-libfuse')
HP = os.path.join(HP_BUILD, 'example/passthrough_hp')


def wait_for_mount(where, daemon):
    """A filesystem in the foreground says nowhere that it is there, but in the table."""
    while not os.path.ismount(where):
        if daemon.poll() is not None:
            raise Failed('%s ended at its start' % daemon.args[3])


class Side:
    name = title = ''
    inside = True  # work is done by the tenant's root, else by the host's

    def show(self, p, source, where):
        """Shows a directory at another, which is empty."""
        raise NotImplementedError

    @staticmethod
    def version():
        return 'Linux ' + os.uname().release.split('-')[0]


class Native(Side):
    name, title, inside = 'native', 'native', False

    def show(self, p, source, where):
        p.mount(where, '--bind', source)


class MountAttr(ctypes.Structure):
    _fields_ = [('set', ctypes.c_uint64), ('clear', ctypes.c_uint64),
                ('propagation', ctypes.c_uint64), ('userns', ctypes.c_uint64)]


class IdMapped(Side):
    """mount(8) of Debian 12 has no X-mount.idmap: the three system calls, then."""
    name, title = 'idmap', 'id-mapped bind mount'

    def show(self, p, source, where):
        libc = ctypes.CDLL(None, use_errno=True)

        def call(number, *args):
            result = libc.syscall(ctypes.c_long(number), *args)
            if result < 0:
                raise Failed('an id-mapped mount: ' + os.strerror(ctypes.get_errno()))
            return result
        empty, at_fdcwd, at_empty_path = ctypes.c_char_p(b''), ctypes.c_long(-100), 0x1000
        tree = call(428, at_fdcwd, ctypes.c_char_p(source.encode()), ctypes.c_long(1))
        userns = os.open('/proc/%d/ns/user' % p.tenant, os.O_RDONLY)
        try:
            attr = MountAttr(set=0x00100000, userns=userns)  # MOUNT_ATTR_IDMAP
            call(442, ctypes.c_long(tree), empty, ctypes.c_long(at_empty_path),
                 ctypes.byref(attr), ctypes.c_long(ctypes.sizeof(attr)))
            call(429, ctypes.c_long(tree), empty, at_fdcwd, ctypes.c_char_p(where.encode()),
                 ctypes.c_long(4))  # MOVE_MOUNT_F_EMPTY_PATH
        finally:
            os.close(tree)
            os.close(userns)
        p.mounts.append(where)


class Daemon(Side):
    def command(self, source, where):
        raise NotImplementedError

    def show(self, p, source, where):
        daemon = p.start(self.command(source, where))
        p.mounts.append(where)
        wait_for_mount(where, daemon)


class Ours(Daemon):
    name, title, coherence = 'nsmount', 'nsmount', 'exclusive'

    def command(self, source, where):
        return [os.path.join(BUILD, 'nsmountfs'), '-f', source, where, '-o',
                'idmap=0:%d:%d,coherence=%s' % (FIRST_ID, IDS, self.coherence)]

    @staticmethod
    def version():
        return first_line(os.path.join(BUILD, 'nsmountfs'), '--version')


class Shared(Ours):
    name, title, coherence = 'shared', 'nsmount, coherence=shared', 'shared'


class Bindfs(Daemon):
    name, title, more = 'bindfs', 'bindfs, single-threaded', []

    def command(self, source, where):
        return ['bindfs', '-f', '--uid-offset=%d' % FIRST_ID, '--gid-offset=%d' % FIRST_ID,
                *self.more, source, where]

    @staticmethod
    def version():
        return first_line('bindfs', '--version')


class BindfsThreads(Bindfs):
    name, title, more = 'bindfs-mt', 'bindfs, multithreaded', ['--multithreaded']


class FuseOverlayfs(Daemon):
    """The storage is the upper directory: nothing is copied up."""
    name, title = 'fuse-ovl', 'fuse-overlayfs, mapped'

    def command(self, source, where):
        lower, work = source + '.lower', source + '.work'
        for made in lower, work:
            os.mkdir(made)
        return ['fuse-overlayfs', '-f', '-o', 'lowerdir=%s,upperdir=%s,workdir=%s,allow_other,'
                'uidmapping=0:%d:%d,gidmapping=0:%d:%d'
                % (lower, source, work, FIRST_ID, IDS, FIRST_ID, IDS), where]

    @staticmethod
    def version():
        return next((line for line in output('fuse-overlayfs', '--version').splitlines()
                     if 'fuse-overlayfs' in line), 'missing')


class PassthroughHp(Daemon):
    """libfuse's own high-performance example, which shifts nothing: for the
    host's root. Its defaults are passthrough of data, caches for a day,
    splicing, and as many threads as libfuse likes."""
    name, title, inside = 'hp', 'passthrough_hp (no shift)', False

    def command(self, source, where):
        return [HP, '--foreground', '-o', 'allow_other', source, where]

    @staticmethod
    def version():
        return os.path.basename(hp_source()) or 'missing'


SIDES = [Native(), IdMapped(), Ours(), Shared(), Bindfs(), BindfsThreads(), FuseOverlayfs(),
         PassthroughHp()]
LIMIT = 'idmap'
SHIFTING_PEERS = ['bindfs', 'bindfs-mt', 'fuse-ovl']


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return 'missing\n'
    return (done.stdout or done.stderr) or '?\n'


def first_line(*command):
    return output(*command).splitlines()[0]


def versions():
    named = {side.title: side.version() for side in SIDES}
    for program in ('fio', 'git', 'sqlite3', 'gcc'):
        named[program] = first_line(program, '--version')
    if postgres():
        named['postgresql'] = first_line(postgres() + '/postgres', '--version')
    return named


def postgres():
    """The directory of PostgreSQL's programs, or None."""
    return max(glob.glob('/usr/lib/postgresql/*/bin'), default=None)


def hp_source():
    return max(glob.glob(os.path.join(TOP, 'tools/subprojects/fuse-3.*/')),
               default='').rstrip('/')


def install():
    """Installs what is missing; what cannot be had fails in the table."""
    missing = sorted({package for program, package in PACKAGES.items()
                      if not shutil.which(program)})
    missing += [] if postgres() else ['postgresql']
    if missing:
        place.say('installing ' + ' '.join(missing))
        apt = ['apt-get', '-qq', '-y', '--no-install-recommends']
        env = dict(os.environ, DEBIAN_FRONTEND='noninteractive')
        for command in (['apt-get', '-qq', 'update'], [*apt, 'install', *missing]):
            done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, check=False)
            if done.returncode != 0:
                place.say('%s: %s' % (' '.join(command), done.stderr.strip()))
    if not os.path.exists(HP):
        build_hp()


def build_hp():
    source = hp_source()
    if not source:
        place.say('no libfuse below tools/subprojects: passthrough_hp fails')
        return
    place.say('building passthrough_hp')
    for command in (['meson', 'setup', HP_BUILD, source, '-Dexamples=true', '-Dutils=false',
                     '-Dtests=false', '-Dbuildtype=release', '-Ddefault_library=static'],
                    ['ninja', '-C', HP_BUILD, 'example/passthrough_hp']):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            place.say('%s: %s' % (' '.join(command), done.stdout.strip()[-1000:]))
            return
