"""Counts that do not depend on how busy the machine is: user instructions (callgrind) and system calls (strace)
per request of the whole process, for the signed job over TLS."""
import glob, os, signal, subprocess, time

import host, inputs, load, peers


def _send(peer, seconds):
    inputs.requests(load.scheme(peer), 30000 * seconds)
    return load.verify(True, seconds, connections=16)["requests"]


def _callgrind(peer, seconds, keep):
    for old in glob.glob(host.work("callgrind.*")):
        os.unlink(old)
    wrap = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={host.work('callgrind.%p')}"]
    proc = peers.start(peer, tls=True, seconds=120, wrap=wrap)
    try:
        done = _send(peer, seconds)
        time.sleep(1)                              # the last commits
    finally:
        for pid in reversed(host.tree(proc.pid)):
            os.kill(pid, signal.SIGTERM)
        proc.wait(120)
        peers.stop(None)
    most = 0
    for name in glob.glob(host.work("callgrind.*")):
        with open(name) as f:
            here = max([0] + [int(line.split()[1]) for line in f if line.startswith(("totals:", "summary:"))])
        if here > most:
            most = here
            os.replace(name, keep)
    if not most:
        raise host.Broken(f"callgrind wrote nothing for {peer}")
    return most, done


def instructions(peer, seconds):
    """The slope between a short and a long run, so that start and end do not count."""
    stub = peers.stub()
    try:
        few, few_done = _callgrind(peer, 2, host.work("results", f"{peer}.short.callgrind"))
        many, many_done = _callgrind(peer, 2 + seconds, host.work("results", f"{peer}.callgrind"))
        if many_done < 1.5 * few_done:
            raise host.Broken(f"callgrind runs of {few_done} and {many_done} requests give no slope")
        return {"instructions": (many - few) / (many_done - few_done)}
    finally:
        peers.stop_stub(stub)


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
