"""Counts that do not depend on how busy the machine is: user instructions (callgrind) and system calls (strace)
per request of the whole process, for the signed job over TLS."""
import glob, os, signal, subprocess, time

import host, inputs, load, peers


def _send(peer, seconds):
    inputs.requests(load.scheme(peer), 60000 * seconds)   # more than it can answer: wrk fails when they run out
    return load.verify(True, seconds, connections=16)["requests"]


def _control(action, pid):
    """Zero the counters, or dump them, which zeroes them too."""
    done = subprocess.run(["callgrind_control", action, str(pid)], capture_output=True, text=True, timeout=120)
    if "OK" not in done.stdout:
        raise host.Broken(f"callgrind_control {action}: {done.stdout[-200:]} {done.stderr[-200:]}")


def _dumped(pid, number):
    """Instructions of one dump, and its path; a dump is complete a moment after callgrind_control returns."""
    path = host.work(f"callgrind.{pid}.{number}")
    for _ in range(100):
        if os.path.exists(path):
            with open(path) as f:
                totals = [int(line.split()[1]) for line in f if line.startswith(("totals:", "summary:"))]
            if totals:
                return max(totals), path
        time.sleep(0.1)
    raise host.Broken(f"callgrind wrote no {path}")


def instructions(peer, seconds):
    """The slope between a short and a long run of the warm process, so that start, hand-shakes and end do not count.

    Warm: every subject has been seen, as in the run that measures CPU time."""
    for old in glob.glob(host.work("callgrind.*")):
        os.unlink(old)
    stub, proc = peers.stub(), None
    wrap = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={host.work('callgrind.%p')}"]
    try:
        proc = peers.start(peer, tls=True, seconds=120, wrap=wrap)
        warm = 0
        while warm < 1.2 * inputs.SUBJECTS:
            seen = _send(peer, 4 if warm == 0 else 2 * seconds)
            warm = max(warm, seen)                 # one run must meet every subject: each begins with the first
        worker = host.tree(proc.pid)[-1]
        _control("-z", worker)
        few_done = _send(peer, 2)
        time.sleep(0.5)                            # the last commits
        _control("-d", worker)
        many_done = _send(peer, 2 + seconds)
        time.sleep(0.5)
        _control("-d", worker)
        few, _ = _dumped(worker, 1)
        many, path = _dumped(worker, 2)
        os.replace(path, host.work("results", f"{peer}.callgrind"))
        if many_done < 1.5 * few_done:
            raise host.Broken(f"callgrind runs of {few_done} and {many_done} requests give no slope")
        return {"instructions": (many - few) / (many_done - few_done), "requests": many_done}
    finally:
        for pid in reversed(host.tree(proc.pid)) if proc else []:
            os.kill(pid, signal.SIGTERM)
        if proc:
            proc.wait(120)
        peers.stop_stub(stub)
        peers.stop(None)


def system_calls(peer):
    """System calls per request, the most frequent by name."""
    stub, proc = peers.stub(), None
    log = host.work("strace.txt")
    try:
        proc = peers.start(peer, tls=True)
        _send(peer, 1)
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", log, "-p", str(host.tree(proc.pid)[-1])],
                                  stderr=subprocess.DEVNULL)
        time.sleep(1)
        done = _send(peer, 3)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
    finally:
        peers.stop(proc)
        peers.stop_stub(stub)
    calls = {}
    with open(log) as f:
        for line in f:
            words = line.split()
            if len(words) >= 5 and words[0][0].isdigit() and words[-1] != "total":
                calls[words[-1]] = int(words[3]) / done
    often = sorted(calls.items(), key=lambda one: -one[1])[:8]
    return {"calls": sum(calls.values()), "of_which": ", ".join(f"{k} {v:.2f}" for k, v in often if v > 0.02)}
