# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns: each work is done by all sides one after the other, round by round, and
who begins moves on with each round."""
import statistics

from .peers import LIMIT, SHIFTING_PEERS
from .place import Failed, say
from .rows import Turn


def do_turn(work, storage, side):
    """The figures, or why there are none."""
    if side.name in storage.broken:
        return storage.broken[side.name]
    try:
        return work.fn(Turn(storage, side))
    except (Failed, OSError, StopIteration, KeyError, ValueError) as e:
        return str(e) or repr(e)


def measure(work, storage, sides, rounds):
    """{row: {side: {median, samples} or {fails: why}}}"""
    samples = {side.name: [] for side in sides}
    fails = {}
    for n in range(rounds):
        first = n % len(sides)
        for side in sides[first:] + sides[:first]:
            if side.name in fails:
                continue
            figures = do_turn(work, storage, side)
            if isinstance(figures, str):
                fails[side.name] = figures
                say('  %s fails: %s' % (side.name, figures.splitlines()[-1][:200]))
            else:
                samples[side.name].append(figures)
    return {row.name: {side.name: {'fails': fails[side.name]} if side.name in fails else
                       {'median': statistics.median(s[i] for s in samples[side.name]),
                        'samples': [s[i] for s in samples[side.name]]}
                       for side in sides}
            for i, row in enumerate(work.rows)}


def speed(result, side, base):
    """How many times as fast a side is as another; None where one has no figure."""
    of, to = (result['sides'].get(name, {}).get('median') for name in (side, base))
    if not of or not to:
        return None
    return to / of if result['lower is better'] else of / to


def best_peer(result):
    """Of those that shift, the fastest; None where all fail."""
    known = [name for name in SHIFTING_PEERS if speed(result, name, LIMIT)]
    return max(known, key=lambda name: speed(result, name, LIMIT), default=None)


def aimed_speed(result):
    """What the aims come to, as a multiple of native: the greatest of them."""
    aim = result['aim']
    peer = best_peer(result)
    wanted = [aim['native']]
    if aim['peers'] and peer:
        wanted.append(aim['peers'] * speed(result, peer, LIMIT))
    if aim['hp'] and speed(result, 'hp', LIMIT):
        wanted.append(aim['hp'] * speed(result, 'hp', LIMIT))
    return max((x for x in wanted if x), default=None)


def met(result):
    """Whether all aims of a row are met; None where that cannot be said."""
    ours, aimed = speed(result, 'nsmount', LIMIT), aimed_speed(result)
    return None if not ours or not aimed else ours >= aimed
