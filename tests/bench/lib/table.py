# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures as a table: for a terminal, and in Markdown."""
from .measuring import aimed_speed, best_peer, met, speed
from .peers import LIMIT

COLUMNS = ['native', 'idmap', 'nsmount', 'shared', 'bindfs', 'bindfs-mt', 'fuse-ovl', 'hp']
HEAD = ['', 'work', 'unit', *COLUMNS, '/idmap', '/peer', '/hp', 'aimed', 'aim', 'met']


def number(value):
    if value is None:
        return '-'
    if value >= 1000:
        return '{:,.0f}'.format(value)
    return '%.3g' % value if value >= 100 else '%.2f' % value if value >= 1 else '%.3f' % value


def cell(result, side):
    figure = result['sides'].get(side)
    if figure is None:
        return '-'
    return 'fails' if 'fails' in figure else number(figure['median'])


def verdict(value):
    return {None: '', True: 'yes', False: 'no'}[value]


def rows_of(report):
    for r in report['rows']:
        peer = best_peer(r)
        yield [r['storage'], r['title'], r['unit'], *(cell(r, name) for name in COLUMNS),
               number(speed(r, 'nsmount', LIMIT)),
               number(speed(r, 'nsmount', peer)) if peer else '-',
               number(speed(r, 'nsmount', 'hp')), number(aimed_speed(r)), r['aim']['text'],
               verdict(met(r))]


def own_rows(report):
    for o in report['own']:
        fails = 'fails' in o
        yield [o['title'], 'fails' if fails else number(o['figure']), o['unit'],
               '< %g' % o['limit'], verdict(None if fails else o['figure'] < o['limit'])]


def foot(report):
    return ('Medians of %d rounds%s; %d processors. /idmap (native), /peer, /hp: how many times as '
            'fast nsmount is as an id-mapped bind mount, as the fastest of bindfs and '
            'fuse-overlayfs, as passthrough_hp; aimed: what /idmap should be by the aim; shared: '
            'how many times as fast coherence=shared is as exclusive.'
            % (report['rounds'], ', quick' if report['quick'] else '', report['processors']))


def named(report):
    return '; '.join('%s: %s' % item for item in report['versions'].items())


def text(report):
    lines = []
    table = [HEAD, *rows_of(report)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
    for row in table if len(table) > 1 else []:
        lines.append('  '.join(
            word.ljust(width) if i < 3 or i >= len(HEAD) - 2 else word.rjust(width)
            for i, (word, width) in enumerate(zip(row, widths))).rstrip())
    lines += ['%-44s %8s %-4s %s  %s' % tuple(row) for row in own_rows(report)]
    return '\n'.join([*lines, '', foot(report), named(report)])


def ratio(value):
    return '-' if value is None else '%.1f' % value if value >= 10 else '%.2f' % value


def ratios(result):
    """What the README tells of a row on one storage."""
    peer = best_peer(result)
    return [ratio(speed(result, 'nsmount', LIMIT)),
            ratio(speed(result, 'nsmount', peer) if peer else None),
            ratio(speed(result, 'nsmount', 'hp')), ratio(speed(result, 'shared', 'nsmount'))]


def markdown(report):
    """A row for each work, both storages beside each other, ratios alone."""
    kinds = list(dict.fromkeys(r['storage'] for r in report['rows']))
    works = {}
    for r in report['rows']:
        works.setdefault(r['name'], {})[r['storage']] = r

    def line(words):
        return '| ' + ' | '.join(words) + ' |'
    head = [word for kind in kinds for word in (kind + ': native', 'peers', 'hp', 'shared', 'met')]
    lines = [line(['work', 'aim', *head]), '|---|---|' + '---:|---:|---:|---:|---|' * len(kinds)]
    for of in works.values():
        first = next(iter(of.values()))
        cells = [word for kind in kinds for word in
                 ([*ratios(of[kind]), verdict(met(of[kind]))] if kind in of else [''] * 5)]
        lines.append(line([first['title'], first['aim']['text'], *cells]))
    lines += ['', '| nsmount alone | figure | unit | aim | met |', '|---|---:|---|---|---|']
    lines += [line(row) for row in own_rows(report)]
    return '\n'.join([*lines, '', report['date'] + ', ' + report['machine'] + ', %d processors; '
                      'medians of %d rounds. ' % (report['processors'], report['rounds']) +
                      named(report) + '.'])
