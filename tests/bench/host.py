"""Processes, their CPU time and memory, and the quiet of the machine: what every measure here stands on.

The proxy under test has core 0 to itself; the load generator and the upstream stub share core 1. Everything
listens on 127.0.0.1:28000-28464. Only processes started here are ended, each by its own pid.
"""
import os, resource, signal, socket, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(HERE, "work")
TICK = os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = 0, 1
UPSTREAM, MORTAL, HTTP, HTTPS, ADMIN = 28000, 28001, 28080, 28443, 28464


class Broken(Exception):
    """A run that did not measure what it says, with the reason."""


def work(*parts):
    return os.path.join(WORK, *parts)


def tree(pid):
    """The pid and all its descendants, parents first."""
    out, todo = [], [pid]
    while todo:
        one = todo.pop()
        out.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as f:
                    todo += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return out


def _spent(stat_path):
    """utime+stime in seconds of a process or of one thread; 0 once it is gone."""
    try:
        with open(stat_path) as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except OSError:
        return 0.0


def cpu_seconds(pid):
    """CPU of a process tree, all threads."""
    return sum(_spent(f"/proc/{one}/stat") for one in tree(pid))


def loop_seconds(pid):
    """CPU of the main thread alone: in the node that is the loop."""
    return _spent(f"/proc/{pid}/task/{pid}/stat")


def rss_kb(pid):
    """Resident memory of the largest process of the tree."""
    best = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/status") as f:
                best = max([best] + [int(line.split()[1]) for line in f if line.startswith("VmRSS")])
        except OSError:
            pass
    return best


def cores_busy():
    """Busy seconds of cores 0 and 1 since boot."""
    out = []
    with open("/proc/stat") as f:
        for line in f:
            if line.startswith(("cpu0 ", "cpu1 ")):
                v = [int(x) for x in line.split()[1:]]
                out.append((sum(v[:3]) + v[5] + v[6] + v[7]) / TICK)
    return out


def outrank_others():
    """A scheduling group of our own with high weight, so that other users of the machine disturb less."""
    if os.getpgrp() == os.getpid() and (child := os.fork()):   # the leader of a group cannot begin a session
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
        signal.signal(signal.SIGINT, signal.SIG_IGN)           # the terminal sends it to the child too
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))    # unwinds, so that what was started is stopped
    try:
        os.setsid()
    except PermissionError:
        pass                                                   # leads one already
    try:
        with open("/proc/self/autogroup", "w") as f:
            f.write("-19")
    except OSError:
        pass                                                   # needs root; the paired ratios carry the rest
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wait_quiet(seconds):
    """Until the two cores are 90 % idle over a second, or the time is up."""
    end = time.time() + seconds
    while time.time() < end:
        before = sum(cores_busy())
        time.sleep(1)
        if sum(cores_busy()) - before < 0.2:
            return


def start(command, core, env=None, **pipes):
    """Start a process on one core; what it says goes to work/stderr.log."""
    def settle():
        os.sched_setaffinity(0, {core})
    with open(work("stderr.log"), "ab") as log:
        return subprocess.Popen(command, cwd=HERE, preexec_fn=settle, env={**os.environ, **(env or {})},
                                stdout=pipes.pop("stdout", subprocess.DEVNULL), stderr=log, **pipes)


def stop(proc):
    """End a process of ours and the children it had."""
    if proc is None or proc.poll() is not None:
        return
    family = tree(proc.pid)
    proc.terminate()
    try:
        proc.wait(20)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()
    for pid in family[1:]:                     # children of a killed parent
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def port_up(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_port(port, up=True, seconds=20, proc=None):
    end = time.time() + seconds
    while time.time() < end:
        if port_up(port) == up:
            return
        if proc is not None and proc.poll() is not None:
            raise Broken(f"exit status {proc.returncode} before port {port} was up; see work/stderr.log")
        time.sleep(0.05)
    raise Broken(f"port {port} is {'not up' if up else 'still up'} after {seconds} s; see work/stderr.log")
