"""The run as one picture, SVG by hand: answers a second by source, and the share answered with and without the node."""

from report import circuit_changes
from watch import KINDS

WIDTH, LEFT, RIGHT = 1000, 60, 20
TOP, BARS, GAP, LINES = 94, 230, 46, 130
COLORS = {"live": "#1b9e77", "cached": "#4575b4", "provisional": "#e6ab02", "refused": "#b07aa1", "failed": "#d73027"}
BANDS = {"closed": "#1b9e77", "half-open": "#e6ab02", "OPEN": "#d73027"}


class Plot:
    def __init__(self, watch, times, step):
        self.watch, self.times, self.step = watch, times, step
        self.end = max(r.end for r in watch.node)
        self.parts = []

    def x(self, t):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(t, 0), self.end) / self.end

    def text(self, x, y, text, size=12, anchor="start", color="#333"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}">{text}</text>')

    def rect(self, x, y, w, h, color, opacity=1.0):
        self.parts.append(f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0):.2f}" height="{max(h, 0):.2f}" fill="{color}" opacity="{opacity}"/>')

    def line(self, x1, y1, x2, y2, color="#bbb", dash=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-dasharray="{dash}"/>')

    def legend(self):
        self.text(LEFT, 50, "answers a second:")
        x = LEFT + 125
        for kind in KINDS:
            self.rect(x, 40, 12, 12, COLORS[kind])
            self.text(x + 17, 50, kind)
            x += 26 + 7 * len(kind) + 20

    def circuit_band(self):
        changes = circuit_changes(self.watch)
        for i, (t, state) in enumerate(changes):
            until = changes[i + 1][0] if i + 1 < len(changes) else self.end
            begin = t if i else 0
            self.rect(self.x(begin), TOP - 24, self.x(until) - self.x(begin), 14, BANDS[state], 0.8)
            if self.x(until) - self.x(begin) > 8 * len(state):
                self.text((self.x(begin) + self.x(until)) / 2, TOP - 13, state, 10, "middle", "#fff")
        self.text(LEFT - 6, TOP - 13, "circuit", 11, "end")

    def bars(self):
        rates = [(r, {k: r.counts[k] / self.step for k in KINDS}) for r in self.watch.node]
        # The last report may be of a few milliseconds only.
        top = max([sum(rate.values()) for r, rate in rates[:-1]] + [1])
        scale = BARS / (top * 1.05)
        base = TOP + BARS
        for mark in range(0, int(top) + 1, max(50, int(top / 4 / 50 + 1) * 50)):
            self.line(LEFT, base - mark * scale, WIDTH - RIGHT, base - mark * scale, "#eee")
            self.text(LEFT - 6, base - mark * scale + 4, str(mark), 11, "end")
        for report, rate in rates:
            y = base
            x = self.x(report.end - self.step)
            for kind in KINDS:
                height = min(rate[kind] * scale, y - TOP)
                y -= height
                self.rect(x, y, self.x(report.end) - x + 0.3, height, COLORS[kind])

    def availability(self, reports, color, width):
        base = TOP + BARS + GAP + LINES
        # An interval in which requests waited and nobody answered counts as not answered.
        shares = [(r.end, r.ok / r.total if r.total else 0.0) for r in reports if r.total or r.in_flight]
        points = [(self.x(end - self.step / 2), base - LINES * share) for end, share in shares]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>')

    def lines(self):
        base = TOP + BARS + GAP + LINES
        for percent in (0, 50, 100):
            y = base - LINES * percent / 100
            self.line(LEFT, y, WIDTH - RIGHT, y, "#eee")
            self.text(LEFT - 6, y + 4, f"{percent} %", 11, "end")
        self.availability(self.watch.direct, "#d73027", 1.5)
        self.availability(self.watch.node, "#1b9e77", 2.5)
        self.text(LEFT, base - LINES - 10, "answered with an outcome:")
        self.text(LEFT + 175, base - LINES - 10, "with the node", 12, "start", "#1b9e77")
        self.text(LEFT + 280, base - LINES - 10, "without it", 12, "start", "#d73027")

    def marks(self):
        base = TOP + BARS + GAP + LINES
        for t, text in ((self.times.dark, "centre goes dark"), (self.times.heal, "centre is back")):
            self.line(self.x(t), TOP - 26, self.x(t), base, "#333", "4 3")
            self.text(self.x(t) + 4, base + 30, text, 11)
        step = 1 if self.end < 20 else 5
        for t in range(0, int(self.end) + 1, step):
            self.text(self.x(t), base + 16, f"{t}", 11, "middle", "#777")
        self.text(WIDTH - RIGHT, base + 30, "seconds", 11, "end", "#777")

    def svg(self):
        height = TOP + BARS + GAP + LINES + 44
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                      f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
                      '<rect width="100%" height="100%" fill="#fff"/>']
        self.text(LEFT, 26, "Holdfast: an outage of the centre, as callers of one node saw it", 16)
        self.legend()
        self.bars()
        self.circuit_band()
        self.lines()
        self.marks()
        return "\n".join(self.parts) + "\n</svg>\n"
