"""What one run of each measure is. A run gives a dict of figures; figures of two peers are compared only
when they were taken seconds apart, in one round."""
import json, subprocess, time

import host, inputs, load, peers


def measured(proc, play, seconds):
    """Play a load and say what a request cost the peer, and how much of both cores went to others."""
    loop, cpu, busy, began = host.loop_seconds(proc.pid), host.cpu_seconds(proc.pid), host.cores_busy(), time.time()
    got = play(seconds)
    wall = time.time() - began
    loop, cpu = host.loop_seconds(proc.pid) - loop, host.cpu_seconds(proc.pid) - cpu
    after = host.cores_busy()
    n = got["requests"]
    return {"requests": n, "rps": n / got["seconds"], "p50_us": got["p50_us"], "p99_us": got["p99_us"],
            "cpu_us": cpu / n * 1e6, "loop_us": loop / n * 1e6,
            "core0_others": max(0.0, after[0] - busy[0] - cpu) / wall}


def _lag(play):
    """Run play beside a bare timer loop on the proxy's core: (its result, what that loop saw)."""
    timer = host.start([host.work("bin/lag")], host.PROXY_CORE, stdout=subprocess.PIPE)
    try:
        got = play()
    finally:
        timer.terminate()
        seen = timer.communicate(timeout=20)[0].decode()
    return got, json.loads(seen)


def _stalls(before, after):
    """(turns the node timed, those over 10 ms, the least bound that holds them all, as text)."""
    name = "holdfast_loop_lag_seconds"
    rise = {k: v - before.get(k, 0) for k, v in after.items() if k.startswith(name)}
    count = peers.total(rise, name + "_count")
    buckets = sorted((float(k.split('le="')[1].split('"')[0]), v) for k, v in rise.items() if k.startswith(name + "_bucket"))
    exact = [v for le, v in buckets if abs(le - 0.01) < 1e-9]
    if not count or not exact:
        raise host.Broken(f"{name} has no bucket at 0.01, or timed nothing")
    worst = next(le for le, v in buckets if v >= count)
    return count, count - exact[0], f"{worst * 1e3:g}"


def whole_job(peer, seconds):
    """Signed verification over TLS, forwarded to the centre: live answers only."""
    stub, proc = peers.stub(), None
    try:
        proc = peers.start(peer, tls=True)
        load.prove_checks(peer, tls=True)
        inputs.requests(load.scheme(peer), load.RATE_MAX)
        load.verify(True, 1)
        inputs.requests(load.scheme(peer), load.RATE_MAX * seconds)
        before = peers.metrics() if peer == "holdfast" else None
        figures, noise = _lag(lambda: measured(proc, lambda s: load.verify(True, s), seconds))
        figures.update(noise_late=noise["late"], noise_worst_ms=noise["worst_ms"])
        if before is not None:
            time.sleep(0.3)                        # the last commits
            after = load.answered(before, "live", figures["requests"])
            count, late, worst = _stalls(before, after)
            commits = peers.total(after, "holdfast_commit_duration_seconds_count") \
                - peers.total(before, "holdfast_commit_duration_seconds_count")
            if not commits:
                raise host.Broken("nothing was committed")
            figures.update(turns=count, late=late, worst_bucket_ms=worst, commits=commits)
        return figures
    finally:
        peers.stop(proc)
        peers.stop_stub(stub)


def degraded_node(seconds):
    """Warm every subject live, end the centre, and load until the circuit is open; then measure."""
    stub, proc = peers.stub(), None
    try:
        proc = peers.start("holdfast", tls=False)
        load.prove_checks("holdfast", tls=False)
        inputs.requests("node", 2 * load.RATE_MAX)
        while load.verify(False, 2)["requests"] < 1.2 * inputs.SUBJECTS:    # until one run has met every subject
            inputs.requests("node", 2 * load.RATE_MAX)
        time.sleep(0.5)
        peers.stop_stub(stub)
        stub = None
        inputs.requests("node", load.RATE_MAX)
        try:
            load.verify(False, 1)                  # these fail or are answered from the cache while the circuit opens
        except host.Broken:
            pass
        if peers.total(peers.metrics(), "holdfast_circuit_state") != 2:
            raise host.Broken("the centre is dead and the circuit is not open")
        inputs.requests("node", load.RATE_MAX * seconds)
        before = peers.metrics()
        figures = measured(proc, lambda s: load.verify(False, s), seconds)
        load.answered(before, "cache", figures["requests"])
        return figures
    finally:
        peers.stop(proc)
        if stub:
            peers.stop_stub(stub)


def degraded_nginx(seconds):
    """Fill the cache while the mortal upstream lives, then end it and wait until entries are stale."""
    mortal, proc = peers.stub(host.MORTAL), None
    try:
        proc = peers.start("nginx", tls=False)
        while load.keyed(2)["requests"] < 1.2 * inputs.SUBJECTS:
            pass
        peers.stop_stub(mortal, host.MORTAL)
        mortal = None
        time.sleep(3)
        load.keyed(1)                              # its group learns that no server lives
        return measured(proc, load.keyed, seconds)
    finally:
        peers.stop(proc)
        if mortal:
            peers.stop_stub(mortal, host.MORTAL)


def degraded(peer, seconds):
    return degraded_node(seconds) if peer == "holdfast" else degraded_nginx(seconds)


def idle(peer, count):
    """Resident memory per TLS connection that asked once and is silent."""
    stub, proc, client = peers.stub(), None, None
    try:
        proc = peers.start(peer, tls=True)
        with_few = host.start([host.work("bin/idle"), str(host.HTTPS), "64"], host.LOAD_CORE,
                              stdout=subprocess.PIPE, stdin=subprocess.PIPE)      # what is allocated once
        with_few.communicate(b"\n")
        time.sleep(1)
        before = host.rss_kb(proc.pid)
        client = host.start([host.work("bin/idle"), str(host.HTTPS), str(count)], host.LOAD_CORE,
                            stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        ready = client.stdout.readline().decode().split()
        if ready != ["READY", str(count)]:
            raise host.Broken(f"{peer} did not hold {count} connections; see work/stderr.log")
        time.sleep(2)
        return {"kib": (host.rss_kb(proc.pid) - before) / count}
    finally:
        if client:
            client.communicate(b"\n")
        peers.stop(proc)
        peers.stop_stub(stub)
