# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures as a picture (SVG): a row for each work, and across it how fast
each side is, as a multiple of the id-mapped bind mount, on a log scale."""
import math
from xml.sax.saxutils import escape

from .measuring import aimed_speed, speed
from .peers import LIMIT

LEFT, WIDTH, ROW, TOP = 260, 640, 20, 96
LEAST, MOST = 0.001, 4
STYLE = '''
svg { background: #ffffff; color: #1f2328; font: 12px sans-serif }
text { fill: currentColor } .faint { fill: #656d76 } .grid { stroke: #d0d7de }
.native { stroke: #656d76; stroke-width: 1.5 } .aim { stroke: #bc4c00; stroke-width: 2.5 }
.ours { fill: #0969da } .shared { fill: none; stroke: #0969da; stroke-width: 1.6 }
.peer { fill: none; stroke: #57606a; stroke-width: 1.4 } .band { fill: #f6f8fa }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; color: #e6edf3 } .faint { fill: #8d96a0 } .grid { stroke: #30363d }
.native { stroke: #8d96a0 } .aim { stroke: #f0883e } .ours { fill: #58a6ff }
.shared { stroke: #58a6ff } .peer { stroke: #b1bac4 } .band { fill: #161b22 } }
'''

# What marks a side: its class, its outline around (0, 0), its name.
MARKS = {
    'nsmount': ('ours', 'M-6 0L0 -6L6 0L0 6Z', 'nsmount'),
    'shared': ('shared', 'M-5 0L0 -5L5 0L0 5Z', 'coherence=shared'),
    'bindfs': ('peer', 'M-4 -4L4 4M-4 4L4 -4', 'bindfs'),
    'bindfs-mt': ('peer', 'M0 -5L0 5M-5 0L5 0', 'bindfs, threads'),
    'fuse-ovl': ('peer', 'M-4 -4H4V4H-4Z', 'fuse-overlayfs'),
    'hp': ('peer', 'M0 -5L5 4H-5Z', 'passthrough_hp'),
}


def across(ratio):
    clamped = min(max(ratio, LEAST), MOST)
    return LEFT + WIDTH * math.log(clamped / LEAST) / math.log(MOST / LEAST)


def mark(side, x, y, tip):
    kind, path, _ = MARKS[side]
    return ('<path class="%s" transform="translate(%.1f %.1f)" d="%s"><title>%s</title></path>'
            % (kind, x, y, path, escape(tip)))


def legend():
    parts, x = [], 20
    for side, (_, _, title) in MARKS.items():
        parts.append(mark(side, x, 48, title) + '<text x="%d" y="52">%s</text>' % (x + 11, title))
        x += 34 + 7 * len(title)
    parts.append('<path class="aim" d="M%d 41v14"/><text x="%d" y="52">aim</text>' % (x, x + 9))
    return parts


def axis(bottom):
    parts = []
    for ratio in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3):
        x = across(ratio)
        parts.append('<path class="%s" d="M%.1f %dV%d"/><text class="faint" x="%.1f" y="%d" '
                     'text-anchor="middle">%g</text>'
                     % ('native' if ratio == 1 else 'grid', x, TOP - 8, bottom, x, TOP - 14,
                        ratio))
    return parts


def label(result, y, band):
    parts = []
    if band:
        parts.append('<rect class="band" x="0" y="%d" width="%d" height="%d"/>'
                     % (y - ROW / 2, LEFT + WIDTH + 40, ROW))
    parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>'
                 % (LEFT - 14, y + 4, escape(result['title'])))
    return parts


def marks(result, y):
    parts = []
    aimed = aimed_speed(result)
    if aimed:
        parts.append('<path class="aim" d="M%.1f %dv16"><title>aim: %.3g</title></path>'
                     % (across(aimed), y - 8, aimed))
    for side in reversed(MARKS):
        ratio = speed(result, side, LIMIT)
        if ratio:
            parts.append(mark(side, across(ratio), y, '%s: %.3g' % (MARKS[side][2], ratio)))
    return parts


def draw(report):
    below, above, y, last = [], [], TOP, None
    for i, result in enumerate(report['rows']):
        if result['storage'] != last:
            last = result['storage']
            y += ROW // 2
            above.append('<text x="20" y="%d" font-weight="bold">%s</text>' % (y + 4, last))
            y += ROW
        below += label(result, y, i % 2 == 0)
        above += marks(result, y)
        y += ROW
    size = LEFT + WIDTH + 40, y + 16
    return '\n'.join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">'
        % (size + size),
        '<style>%s</style>' % STYLE,
        '<text x="20" y="26" font-size="15" font-weight="bold">How fast, as a multiple of an '
        'id-mapped bind mount (1 = native; further right is faster)</text>',
        *below, *axis(y + 4), *legend(), *above, '</svg>', ''])
