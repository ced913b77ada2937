"""What a run showed: its phases, the table of them, and the assertions that decide the exit status."""

from watch import KINDS, CIRCUIT


def merged(reports):
    buckets = {}
    for report in reports:
        for us, count in report.histogram:
            buckets[us] = buckets.get(us, 0) + count
    return sorted(buckets.items())


def quantile_ms(reports, q):
    """The upper end of the bucket that holds the quantile, in milliseconds; None without answers."""
    buckets = merged(reports)
    total = sum(count for _, count in buckets)
    seen = 0
    for us, count in buckets:
        seen += count
        if seen >= q * total:
            return us / 1000
    return None


class Phase:
    def __init__(self, name, begin, end, node, direct):
        self.name, self.begin, self.end = name, begin, end
        self.node = [r for r in node if begin < r.end <= end]
        self.direct = [r for r in direct if begin < r.end <= end]

    def count(self, kind):
        return sum(r.counts[kind] for r in self.node)

    @property
    def total(self):
        return sum(r.total for r in self.node)

    def share(self, kind):
        return self.count(kind) / self.total if self.total else 0.0

    @staticmethod
    def answered(reports):
        total = sum(r.total for r in reports)
        return sum(r.ok for r in reports) / total if total else None


class Times:
    """The moments that part the phases, in seconds since the load began; None for what did not happen."""

    def __init__(self, watch, dark, heal, end):
        self.dark, self.heal, self.end = dark, heal, end
        self.opened = watch.first_time(2, dark)
        if self.opened is not None and self.opened > heal:
            self.opened = None
        self.closed = watch.first_time(0, heal) if self.opened is not None else None
        self.full = None
        if self.closed is not None:
            after = [r for r in watch.node if r.end > self.closed and r.total]
            for i, report in enumerate(after):
                if all(r.counts["live"] >= 0.99 * r.total for r in after[i:i + 3]):
                    self.full = report.end
                    break

    def phases(self, watch, step):
        """Reports are credited to the phase that they end in; a phase begins with the first whole report."""
        opened = self.opened if self.opened is not None else self.heal
        full = self.full if self.full is not None else self.end
        cuts = [("healthy", 0, self.dark), ("dark, still closed", self.dark, opened + step),
                ("circuit open", opened + step, self.heal), ("recovery", self.heal, full),
                ("healthy again", full, self.end + 10)]
        return [Phase(name, begin, end, watch.node, watch.direct) for name, begin, end in cuts]


COLUMNS = {"live": 6, "cached": 7, "provisional": 12, "refused": 8, "failed": 7}


def table(phases, end):
    def percent(share):
        return "-" if share is None else f"{100 * share:.1f}%"

    def millis(value):
        return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"

    head = (f"{'phase':<19}{'secs':>5}{'answers':>8}" + "".join(f"{k:>{COLUMNS[k]}}" for k in KINDS)
            + f"{'p50 ms':>7}{'p90 ms':>7}{'p99 ms':>7}{'with node':>10}{'without':>8}")
    rule = "-" * len(head)
    whole = Phase("whole run", -1, 1e9, [r for p in phases for r in p.node], [r for p in phases for r in p.direct])
    rows = []
    for phase in [*phases, whole]:
        seconds_long = min(phase.end, end) - max(phase.begin, 0)
        rows.append(f"{phase.name:<19}{seconds_long:5.1f}{phase.total:8d}"
                    + "".join(f"{phase.count(k):{COLUMNS[k]}d}" for k in KINDS)
                    + "".join(f"{millis(quantile_ms(phase.node, q)):>7}" for q in (0.5, 0.9, 0.99))
                    + f"{percent(Phase.answered(phase.node)):>10}{percent(Phase.answered(phase.direct)):>8}")
    notes = ["with node, without: share answered with an outcome (live, cached or provisional); without is the same kind",
             "of load straight at the centre, with the same patience. refused: 503, as the scene's policy says. failed: the",
             "call was tried, and nothing could answer in its stead."]
    return "\n".join([head, rule, *rows[:-1], rule, rows[-1], "", *notes])


def by_source(phases):
    """Answers of the whole run, by scene and by what they say."""
    counts = {}
    for phase in phases:
        for report in phase.node:
            for a in report.answers:
                what = (a["scene"] or "-", a["status"], a.get("source", ""), a.get("outcome", "") or a.get("code", ""))
                counts[what] = counts.get(what, 0) + a["count"]
    lines = [f"{'scene':<10}{'status':>7}  {'source':<9}{'outcome or code':<26}{'answers':>9}"]
    lines.append("-" * len(lines[0]))
    for (scene, status, source, what), count in sorted(counts.items()):
        lines.append(f"{scene:<10}{status or '-':>7}  {source or '-':<9}{what:<26}{count:9d}")
    return "\n".join(lines)


class Assertions:
    def __init__(self):
        self.rows = []

    def check(self, good, text):
        self.rows.append((bool(good), text))

    def failed(self):
        return sum(not good for good, _ in self.rows)

    def text(self, paint):
        return "\n".join(f"  {paint('ok    ', '32') if good else paint('FAILED', '31')}  {text}"
                         for good, text in self.rows)


def seconds(value):
    return "never" if value is None else f"{value:.1f} s"


def judge(watch, phases, times, pace, asked, endings):
    """Everything that the demo claims to show."""
    a = Assertions()
    healthy, dark, opened, recovery, again = phases
    outage_node = [r for r in watch.node if times.dark < r.end <= times.heal]
    outage_direct = [r for r in watch.direct if times.dark + pace.deadline_ms / 1000 < r.end <= times.heal]
    provisional = [(x["scene"], x["count"]) for r in watch.node for x in r.answers if x.get("source") == "policy"]
    granted = sum(count for _, count in provisional)

    a.check(healthy.total > 0 and healthy.share("live") >= 0.99, f"healthy: {100 * healthy.share('live'):.1f} % of the answers are live")
    a.check(healthy.count("cached") + healthy.count("provisional") == 0, "healthy: not one degraded answer")
    delay = None if times.opened is None else times.opened - times.dark
    a.check(delay is not None and delay <= 4, f"the circuit opens by itself after the centre goes dark ({seconds(delay)})")
    for kind in ("cached", "provisional", "refused"):
        count = dark.count(kind) + opened.count(kind)
        a.check(count > 0, f"during the outage: {count} {kind} answers")
    a.check(opened.total > 0 and opened.count("live") == 0, "while the circuit is open no answer claims to be live")
    a.check(all(scene == "LOGIN" for scene, _ in provisional), "provisional answers only where the scene allows them: never PAYMENT")
    a.check(granted <= pace.budget_bound(times), f"provisional answers stay within the budget ({granted} given, {pace.provisional_budget} a minute)")
    quick = quantile_ms(opened.node, 0.9)
    a.check(quick is not None and quick <= 100, f"degraded answers are quick: p90 {quick} ms while the circuit is open")
    worst = quantile_ms(watch.node, 1.0)
    limit = pace.deadline_ms + 500
    a.check(worst is not None and worst <= limit, f"no answer takes longer than its deadline of {pace.deadline_ms} ms allows (worst {worst:.0f} ms)")
    judge_asked(a, asked)
    back = None if times.closed is None else times.closed - times.heal
    a.check(back is not None and back <= pace.recovery_limit, f"the circuit closes by itself after the centre is back ({seconds(back)})")
    ramp = [r.counts["live"] / r.total for r in recovery.node if r.total]
    a.check(any(0.02 < share < 0.9 for share in ramp), "recovery is a ramp, not a jump: live answers come back step by step")
    a.check(again.total > 0 and again.share("live") >= 0.99, f"healthy again: {100 * again.share('live'):.1f} % of the answers are live")
    with_node = Phase.answered(outage_node) or 0
    without = Phase.answered(outage_direct) or 0
    a.check(with_node >= 0.4 and without <= 0.05,
            f"answered during the outage: {100 * with_node:.0f} % with the node, {100 * without:.0f} % without it")
    lost = sum(x["count"] for r in watch.node for x in r.answers if x["status"] == 0)
    a.check(lost == 0, f"the node answered every request ({lost} without an answer)")
    for name, status in endings:
        a.check(status == 0, f"{name} (exit status {status})")
    return a


def judge_asked(a, asked):
    """What one visitor and one stranger were told in each phase."""
    def is_pass(answer, source):
        return answer is not None and answer.status == 200 and answer.body.get("outcome") == "pass" and \
            answer.body.get("source") == source and answer.body.get("degraded") == (source != "live")

    a.check(is_pass(asked.get("healthy"), "live"), "the visitor passes, live, while the centre is healthy")
    a.check(is_pass(asked.get("outage"), "cache"), "the visitor still passes during the outage, from the cache and marked as degraded")
    status = (asked["outage"].headers.get("Cache-Status", "") if asked.get("outage") else "")
    a.check("hit" in status and "degraded" in status, f"its header says so too: Cache-Status: {status}")
    refused = asked.get("stranger")
    a.check(refused is not None and refused.status == 503 and refused.body.get("code") == "VerificationUnavailable",
            "a stranger's PAYMENT during the outage is refused: 503 VerificationUnavailable")
    denied = asked.get("denied")
    a.check(denied is not None and denied.status == 403 and denied.body.get("code") == "PrecheckDenied",
            "a caller outside the residency rule is refused before anything is asked: 403 PrecheckDenied")
    a.check(is_pass(asked.get("recovered"), "live"), "the visitor is verified live again after the recovery")


def circuit_changes(watch):
    """The circuit's states as (time, name), without repetition."""
    out = []
    for t, state in watch.circuit:
        if not out or out[-1][1] != CIRCUIT[state]:
            out.append((t, CIRCUIT[state]))
    return out
