"""Watching a run while it happens: the reports of the load generators, the node's own metrics, and the live strip."""

import http.client
import json
import os
import re
import shutil
import sys
import threading
import time

KINDS = ("live", "cached", "provisional", "refused", "failed")
CIRCUIT = {0: "closed", 1: "half-open", 2: "OPEN"}
KIND_COLORS = {"live": "32", "cached": "36", "provisional": "33", "refused": "35", "failed": "31"}
COLORS = {"closed": "32", "half-open": "33", "OPEN": "31", "?": "90"}


def kind_of(answer):
    """Which of KINDS one group of answers is."""
    if answer["status"] == 200:
        return {"live": "live", "cache": "cached", "policy": "provisional"}.get(answer.get("source"), "failed")
    if answer["status"] == 503 and answer.get("code") == "VerificationUnavailable":
        return "refused"
    return "failed"


class Report:
    """What one load generator said about one short interval."""

    def __init__(self, line, offset):
        self.end = line["t"] + offset
        self.answers = line["answers"]
        self.histogram = line.get("histogramUs", [])
        self.counts = dict.fromkeys(KINDS, 0)
        for answer in self.answers:
            self.counts[kind_of(answer)] += answer["count"]
        self.ok = sum(a["count"] for a in self.answers if a["status"] == 200)
        self.total = line["answered"] + line["failures"]
        self.p99 = line["latencyMs"]["p99"]
        self.in_flight = line["inFlight"]


class Watch:
    """Collects everything with its time on one clock: seconds since the load began."""

    def __init__(self, admin_port):
        self.admin_port = admin_port
        self.began = time.monotonic()
        self.node = []       # Reports of the load at the node
        self.direct = []     # Reports of the load at the centre itself
        self.circuit = []    # (time, state)
        self.summaries = {}
        self.lock = threading.Lock()
        self.threads = []
        self.ended = False

    def now(self):
        return time.monotonic() - self.began

    def follow(self, process, into, name):
        thread = threading.Thread(target=self._read, args=(process, into, name), daemon=True)
        thread.start()
        self.threads.append(thread)

    def _read(self, process, into, name):
        offset = None
        for text in process.stdout:
            line = json.loads(text)
            if line.get("summary"):
                self.summaries[name] = line
                continue
            if offset is None:
                offset = self.now() - line["t"]
            with self.lock:
                into.append(Report(line, offset))

    def follow_circuit(self, every=0.1):
        thread = threading.Thread(target=self._poll, args=(every,), daemon=True)
        thread.start()
        self.threads.append(thread)

    def _poll(self, every):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=2)
        while not self.ended:
            try:
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
                found = re.search(r"^holdfast_circuit_state\{[^}]*\} (\d)", text, re.M)
                if found:
                    with self.lock:
                        self.circuit.append((self.now(), int(found.group(1))))
            except (OSError, http.client.HTTPException):
                connection.close()
            time.sleep(every)

    def circuit_state(self):
        with self.lock:
            return CIRCUIT[self.circuit[-1][1]] if self.circuit else "?"

    def finish(self):
        self.ended = True
        for thread in self.threads:
            thread.join(5)

    # Times at which the circuit changed, after `since`.
    def first_time(self, state, since):
        with self.lock:
            return next((t for t, s in self.circuit if t >= since and s == state), None)


class Strip:
    """One line that is rewritten on a terminal, or one line a second elsewhere."""

    def __init__(self, watch, out=sys.stdout):
        self.watch = watch
        self.out = out
        self.tty = out.isatty()
        self.color = self.tty and "NO_COLOR" not in os.environ
        self.next_line = 0.5

    def paint(self, text, code):
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def say(self, text):
        """A line of its own, that stays."""
        self.out.write(("\r\x1b[2K" if self.tty else "") + text + "\n")
        self.out.flush()

    def event(self, what):
        self.say(self.paint(f"{self.watch.now():5.1f} s  >> {what}", "1"))

    def tick(self, phase):
        now = self.watch.now()
        if not self.tty and now < self.next_line:
            return
        self.next_line = now + 1.0
        with self.watch.lock:
            recent = [r for r in self.watch.node if r.end > now - 1.0]
            direct = [r for r in self.watch.direct if r.end > now - 1.0]
        state = self.watch.circuit_state()
        counts = {k: sum(r.counts[k] for r in recent) for k in KINDS}
        total, ok = sum(r.total for r in direct), sum(r.ok for r in direct)
        without = f"{100 * ok / total:3.0f} %" if total else "  - "
        p99 = max((r.p99 for r in recent if r.total), default=0)
        columns = shutil.get_terminal_size().columns if self.tty else 200
        narrow = columns < 118
        pieces = [(f"{now:5.1f} s ", ""), ("" if narrow else f" {phase:<8} circuit ", ""), (f"{state:<9}", COLORS[state])]
        for kind in KINDS:
            pieces += [(f" {kind[:4] if narrow else ' ' + kind} ", "90"),
                       (f"{counts[kind]:3d}", KIND_COLORS[kind] if counts[kind] else "90")]
        pieces += [(f" /s p99 {p99:3.0f} ms", ""), (f" | without {'' if narrow else 'the node '}{without}", "")]
        if self.tty:
            self.out.write("\r\x1b[2K" + self.fitted(pieces, columns - 1))
            self.out.flush()
        else:
            self.say("".join(text for text, _ in pieces))

    def fitted(self, pieces, width):
        """The pieces in their colors, cut to the terminal: a line that wraps could not be rewritten."""
        out = ""
        for text, code in pieces:
            text = text[:width]
            width -= len(text)
            out += self.paint(text, code) if code and text else text
        return out
