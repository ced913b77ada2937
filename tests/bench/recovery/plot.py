#!/usr/bin/env python3
"""plot.py SERIES.csv PICTURE.svg: the share of requests answered live after the centre's return, a panel per growth."""

import csv
import sys
from collections import defaultdict

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 1000, 60, 20, 78, 150, 50
SPAN = 6  # seconds a point
COLORS = ["#d73027", "#e6ab02", "#4575b4", "#1b9e77", "#7fbf7b"]


class Picture:
    def __init__(self, series):
        self.series, self.parts = series, []
        self.arms = list(dict.fromkeys(arm for arm, _ in series))
        self.growths = list(dict.fromkeys(growth for _, growth in series))

    def text(self, x, y, text, size=12, anchor="start", color="#333"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}">{text}</text>')

    def line(self, points, color, width=1.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def panel(self, growth, base):
        end = max(t for t, *_ in self.series[self.arms[0], growth])
        x = lambda t: LEFT + (WIDTH - LEFT - RIGHT) * t / end
        y = lambda share: base - PANEL * min(share, 1.0)
        self.text(LEFT, base - PANEL - 8, f"the centre grows from 15 % to all in {growth} s")
        for percent in (0, 50, 100):
            self.line([(LEFT, y(percent / 100)), (WIDTH - RIGHT, y(percent / 100))], "#eee")
            self.text(LEFT - 6, y(percent / 100) + 4, f"{percent} %", 11, "end")
        for t in range(0, int(end) + 1, 30 if end < 400 else 60):
            self.text(x(t), base + 15, str(t), 11, "middle", "#777")
        self.line([(x(t), y(capacity)) for t, _, _, capacity in self.series[self.arms[0], growth] if t >= 0], "#999", 1.2, "4 3")
        for arm, color in zip(self.arms, COLORS):
            asked, live = defaultdict(int), defaultdict(int)
            for t, a, l, _ in self.series[arm, growth]:
                if t >= 0:
                    asked[t // SPAN] += a
                    live[t // SPAN] += l
            points = [(x((b + 0.5) * SPAN), y(live[b] / asked[b])) for b in sorted(asked) if (b + 1) * SPAN <= end and asked[b]]
            self.line(points, color, 2.4 if arm == "Holdfast" else 1.4)

    def svg(self):
        height = TOP + len(self.growths) * (PANEL + GAP)
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
                      'font-family="sans-serif">', '<rect width="100%" height="100%" fill="#fff"/>']
        self.text(LEFT, 24, "A centre comes back: requests of 20 POPs answered live, by what guards it (one outage, seed 1)", 16)
        at = LEFT
        for arm, color in zip(self.arms + ["what the centre could serve"], COLORS + ["#999"]):
            self.text(at, 46, arm, 12, "start", color)
            at += 30 + 6.6 * len(arm)
        for i, growth in enumerate(self.growths):
            self.panel(growth, TOP + (i + 1) * PANEL + i * GAP)
        self.text(WIDTH - RIGHT, height - 12, "seconds since the return", 11, "end", "#777")
        return "\n".join(self.parts) + "\n</svg>\n"


def main(source, target):
    series = defaultdict(list)
    with open(source, encoding="utf-8") as file:
        for arm, growth, t, asked, live, _, capacity in csv.reader(file):
            series[arm, growth].append((int(float(t)), int(asked), int(live), float(capacity)))
    with open(target, "w", encoding="utf-8") as file:
        file.write(Picture(series).svg())


if __name__ == "__main__":
    main(*sys.argv[1:])
