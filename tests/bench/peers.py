"""How each program under test is started: its configuration written into work/, its command, its ports."""
import glob, os, shutil, urllib.request

import host

ROOT = os.path.dirname(os.path.dirname(host.HERE))
NODE = os.path.join(ROOT, "build/release/bin/holdfast")
PEERS = host.work("peers")
NO_IFMA = {"OPENSSL_ia32cap": ":~0x200000"}       # OpenSSL takes the processor for one without AVX-512 IFMA


def _fill(name, **more):
    """A template of conf/ with its places filled in; where it was written."""
    with open(os.path.join(host.HERE, "conf", name)) as f:
        text = f.read()
    words = {"HERE": host.HERE, "WORK": host.WORK, "PEERS": PEERS, "USER": "user root;" if os.geteuid() == 0 else "", **more}
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    path = host.work(name)
    with open(path, "w") as out:
        out.write(text)
    return path


def _fresh(name):
    shutil.rmtree(host.work(name), ignore_errors=True)


def nginx(config, tls):
    _fill("nginx-http.inc")
    _fresh("ngx_cache")
    lib = glob.glob(os.path.join(PEERS, "usr/lib/*-linux-gnu"))
    return ([os.path.join(PEERS, "usr/sbin/nginx"), "-p", host.WORK + "/", "-e", "stderr", "-c", _fill(config)],
            {"LD_LIBRARY_PATH": ":".join(lib)})


def node(tls, config="node.toml"):
    """The release build, with its stores empty and on a real disk."""
    _fresh("node")
    os.makedirs(host.work("node"), mode=0o700)
    listen = f'address = "127.0.0.1:{host.HTTPS if tls else host.HTTP}"'
    if tls:
        listen += f'\ncertificate = "{host.work("cert.pem")}"\nkey = "{host.work("key.pem")}"'
    return [NODE, "--config", _fill(config, LISTEN=listen)], {}


def signer():
    return [host.work("bin/signer"), str(host.HTTP), str(host.UPSTREAM), host.work("secrets", "app-rsa"),
            host.work("secrets", "alipay-rsa.pub")]


COMMANDS = {"holdfast": node,
            "holdfast-alipay": lambda tls: node(tls, "alipay.toml"),
            "holdfast-alipay-slow": lambda tls: (node(tls, "alipay.toml")[0], NO_IFMA),
            "floor": lambda tls: (signer(), {}),
            "floor-slow": lambda tls: (signer(), NO_IFMA),
            "nginx": lambda tls: nginx("nginx.conf", tls),
            "nginx-lua": lambda tls: nginx("nginx-lua.conf", tls)}


def start(name, tls, wrap=(), seconds=20):
    """Start a peer on the proxy's core and wait until it listens; wrap goes before its command (valgrind)."""
    command, env = COMMANDS[name](tls)
    proc = host.start([*wrap, *command], host.PROXY_CORE, env)
    try:
        host.wait_port(host.HTTPS if tls else host.HTTP, seconds=seconds, proc=proc)
        if name.startswith("holdfast"):
            host.wait_port(host.ADMIN, seconds=seconds, proc=proc)
    except host.Broken:
        host.stop(proc)
        raise
    return proc


def stop(proc):
    host.stop(proc)
    for port in (host.HTTP, host.HTTPS, host.ADMIN):
        host.wait_port(port, up=False)


def stub(port=host.UPSTREAM, answer=None):
    """The centre; `answer` is the file of another body than a good outcome of kind central."""
    proc = host.start([host.work("bin/stub"), str(port), *([answer] if answer else [])], host.LOAD_CORE)
    host.wait_port(port, proc=proc)
    return proc


def stop_stub(proc, port=host.UPSTREAM):
    host.stop(proc)
    host.wait_port(port, up=False)


def metrics():
    """The node's metrics: {name with labels: value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{host.ADMIN}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}


def total(values, name, *labels):
    """Sum of the series of that name that hold all these labels (as they are written: source="live")."""
    return sum(v for k, v in values.items() if k.split("{")[0] == name and all(one in k for one in labels))


def refuse_other_builds():
    """A reason not to measure what lies in build/release, or None."""
    cache = os.path.join(ROOT, "build/release/CMakeCache.txt")
    if not os.path.exists(NODE) or not os.path.exists(cache):
        return "there is no build/release/bin/holdfast: cmake --preset release && cmake --build --preset release"
    with open(cache) as f:
        options = dict(line.strip().partition("=")[::2] for line in f if ":" in line and "=" in line)
    options = {key.partition(":")[0]: value for key, value in options.items()}
    if options.get("CMAKE_BUILD_TYPE") not in ("Release", "RelWithDebInfo"):
        return f"build/release is a {options.get('CMAKE_BUILD_TYPE')} build"
    if options.get("HOLDFAST_SANITIZE"):
        return f"build/release has a sanitizer: {options['HOLDFAST_SANITIZE']}"
    if options.get("HOLDFAST_HARDEN") != "ON":
        return "build/release is not the release preset: HOLDFAST_HARDEN is off"
    if options.get("HOLDFAST_PROFILE") != "use":
        return "build/release is not the release preset: HOLDFAST_PROFILE is not use"
    return None
