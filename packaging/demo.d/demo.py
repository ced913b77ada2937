"""The demo: one node over real TLS, its centre lost and found again, watched from outside. Run by packaging/demo."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import caller
import plot
import report
from site_setup import CREDENTIAL, SetupError, Site
from watch import Strip, Watch

PROGRAMS = ("holdfast", "holdfastctl", "central-sim", "holdfast-load")
DIRECT_RATE = 40  # requests a second straight at the centre


class Pace:
    """How long everything takes: a minute to look at, or as short as it can be."""

    def __init__(self, fast):
        self.healthy, self.outage, self.recovery = (3.0, 6.0, 5.0) if fast else (10.0, 25.0, 15.0)
        self.step = 0.2
        self.rate = 200 if fast else 300  # requests a second at the node
        # So many that a good part of them is known when the centre goes dark, and a good part is not.
        self.subjects = int(self.rate * self.healthy / 2)
        self.deadline_ms = 1500
        self.open_wait_ms = 800 if fast else 2000
        self.ramp_step_ms = 300 if fast else 1000
        self.provisional_after_ms = 1500 if fast else 5000
        self.provisional_budget = 60
        self.recovery_limit = 4 if fast else 8

    @property
    def total(self):
        return self.healthy + self.outage + self.recovery

    def budget_bound(self, times):
        """The budget holds over any minute."""
        return self.provisional_budget * (1 + int((times.heal - times.dark) / 60))


class Stopped(Exception):
    pass


def stop(number, frame):
    raise Stopped()


def wait_until(watch, strip, t, phase):
    while watch.now() < t:
        strip.tick(phase)
        time.sleep(0.1)


def ask(site, strip, asked, key, scene, subject, country="JP"):
    """Asks and shows one verification; a failure to answer shows as an assertion that fails."""
    try:
        asked[key] = caller.ask(site, CREDENTIAL, scene, subject, country)
        strip.say(f"{strip.watch.now():5.1f} s     {subject} asks for {scene}: {asked[key]}")
    except (OSError, ValueError) as error:
        strip.say(f"{strip.watch.now():5.1f} s     {subject} asks for {scene}: no answer ({error})")


def play(site, pace, watch, strip, asked):
    """The story itself. Answers when the centre went dark and when it came back."""
    wait_until(watch, strip, pace.healthy - 1.0, "healthy")
    ask(site, strip, asked, "healthy", "LOGIN", "visitor")
    ask(site, strip, asked, "denied", "LOGIN", "traveller", country="US")
    wait_until(watch, strip, pace.healthy, "healthy")
    site.control_centre({"mode": "blackhole"})
    dark = watch.now()
    strip.event("the centre goes dark: it accepts connections and never answers")
    while watch.now() < pace.healthy + pace.outage - 0.8:
        was = watch.circuit_state()
        strip.tick("outage")
        time.sleep(0.1)
        if was == "closed" and watch.circuit_state() == "OPEN":
            strip.event("the circuit opened: from now on the scene's policy answers")
    ask(site, strip, asked, "outage", "LOGIN", "visitor")
    ask(site, strip, asked, "stranger", "PAYMENT", "stranger")
    wait_until(watch, strip, pace.healthy + pace.outage, "outage")
    site.control_centre({"mode": "healthy"})
    heal = watch.now()
    strip.event("the centre is back")
    closed = False
    while watch.now() < pace.total - 0.8:
        strip.tick("recovery")
        time.sleep(0.1)
        if not closed and watch.circuit_state() == "closed":
            closed = True
            strip.event("the circuit closed: live calls come back in steps of the ramp")
    ask(site, strip, asked, "recovered", "LOGIN", "visitor")
    wait_until(watch, strip, pace.total, "recovery")
    return dark, heal


def run(site, pace, options):
    print("making certificates and secrets, starting the centre's stand-in and the node, all on 127.0.0.1 over TLS")
    site.prepare()
    site.start_centre({"outcomes": {"visitor": "pass"}, "latencyMs": {"min": 4, "max": 12}})
    site.start_node(pace)
    print(f"  centre  https://127.0.0.1:{site.centre_port}   node  https://127.0.0.1:{site.node_port}"
          f"   metrics  http://127.0.0.1:{site.admin_port}/metrics")
    node, centre = f"https://127.0.0.1:{site.node_port}", f"https://127.0.0.1:{site.centre_port}"
    site.warm_up(node, pace)
    print(f"driving {pace.rate} signed requests a second at the node for {pace.total:.0f} s, and {DIRECT_RATE} a second"
          " straight at the centre\n")
    load = site.start_load("load", node, pace, pace.rate, 600, 5000, signed=True)
    direct = site.start_load("direct", centre, pace, DIRECT_RATE, 80, pace.deadline_ms, signed=False)
    watch = Watch(site.admin_port)
    watch.follow(load, watch.node, "load")
    watch.follow(direct, watch.direct, "direct")
    watch.follow_circuit()
    strip = Strip(watch)
    asked = {}
    dark, heal = play(site, pace, watch, strip, asked)
    load.wait(15)
    direct.wait(15)
    end = watch.now()
    watch.finish()
    endings = finish(site)
    return conclude(site, pace, options, watch, strip, asked, report.Times(watch, dark, heal, end), endings)


def finish(site):
    """Looks at what is left behind, then ends the node and the centre."""
    journal = subprocess.run([str(site.bin / "holdfastctl"), "--socket", str(site.folder / "admin.sock"), "journal",
                              "verify"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [("the audit journal's hash chain verifies: holdfastctl journal verify", journal.returncode),
            ("the node drains and ends on SIGTERM", site.stop("node")),
            ("the stand-in ends on SIGTERM", site.stop("central-sim"))]


def conclude(site, pace, options, watch, strip, asked, times, endings):
    phases = times.phases(watch, pace.step)
    assertions = report.judge(watch, phases, times, pace, asked, endings)
    strip.say("\n" + report.table(phases, times.end))
    strip.say("\n" + report.by_source(phases))
    out = pathlib.Path(options.out)
    out.write_text(plot.Plot(watch, times, pace.step).svg())
    strip.say("\nwhat this run showed:\n" + assertions.text(strip.paint))
    failed = assertions.failed()
    if failed:
        strip.say(f"\nlast lines of the node's log ({site.logs}/node.log):\n" + site.log_tail("node"))
    strip.say(f"\nplot: {out}\nlogs: {site.logs}/")
    strip.say("demo: " + (f"{failed} of {len(assertions.rows)} assertions FAILED" if failed else
                          f"all {len(assertions.rows)} assertions hold"))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(prog="packaging/demo", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="a short run, for tests")
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--work", required=True, help="folder for logs and the plot")
    parser.add_argument("--out", help="where the plot goes")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder: configuration, secrets, state")
    options = parser.parse_args()
    missing = [name for name in PROGRAMS if not (pathlib.Path(options.bin) / name).exists()]
    if missing:
        print(f"demo: {', '.join(missing)} not in {options.bin}: build first, or leave out --no-build", file=sys.stderr)
        return 1
    logs = pathlib.Path(options.work)
    logs.mkdir(parents=True, exist_ok=True)
    options.out = options.out or str(logs / "outage.svg")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    folder = tempfile.mkdtemp(prefix="holdfast-demo-")
    site = Site(folder, options.bin, logs)
    try:
        return run(site, Pace(options.fast), options)
    except SetupError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except Stopped:
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        site.stop_all()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
