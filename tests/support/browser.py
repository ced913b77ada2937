#!/usr/bin/env python3
"""Looks at /ui in a real headless Chromium, driven over its debugging pipe.

  browser.py ORIGIN REQUEST_ID [FOLDER]     prints every fault; exit 1 when there is one

Expects a degraded node that has answered REQUEST_ID. With FOLDER it leaves screenshots there: ui-light.png, ui-dark.png.
"""
import base64
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--window-size=1000,900", "--remote-debugging-pipe"]
LIMIT = 30  # seconds, of one command
START_LIMIT = 120  # of the first one, for which the browser is read from the disk beside whatever else runs


class Browser:
    def __init__(self, folder):
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        line = f'exec chromium "$@" 3<&{to_read} 4>&{to_write}'
        self.process = subprocess.Popen(["bash", "-c", line, "chromium", *FLAGS, f"--user-data-dir={folder}", "about:blank"],
                                        pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number, self.buffer, self.session, self.complaints = 0, b"", None, []
        self.limit = START_LIMIT
        pages = self.ask("Target.getTargets")["targetInfos"]
        self.limit = LIMIT
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], self.limit)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.back, 1 << 16)
            if not part:
                raise EOFError("the browser has ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] in ("warning", "error"):
            entry = message["params"]["entry"]
            if not entry.get("url", "").endswith("/favicon.ico"):
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(message["params"]["exceptionDetails"]))
        return message

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def go(self, url):
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression, limit=10):
        end = time.monotonic() + limit
        while not self.value(expression):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def end(self):
        self.process.terminate()
        self.process.wait()


def text(identity):
    return f"document.getElementById('{identity}').textContent"


def faults_with_script(browser, origin):
    browser.go(origin + "/ui")
    if not browser.until(text("link") + " === 'updating'"):
        yield "the stream of numbers does not come"
    if browser.value(text("verdict")) != "degraded" or browser.value("document.querySelector('.tile').className") != "tile open":
        yield "an open circuit is not shown"
    before = browser.value(text("fact-version"))
    if not browser.until(f"{text('fact-version')} !== {json.dumps(before)}"):
        yield "the numbers stand still"
    if browser.value("document.querySelectorAll('path.area').length") != 5 or browser.value("document.querySelectorAll('path.line').length") != 2:
        yield "a chart lacks a line"
    # An operator's reason was markup: it must be there as text, and only as text.
    if not browser.value("document.getElementById('table-orders').textContent.includes('<img src=x onerror=alert(1)>')"):
        yield "an order's reason is not shown as it was given"
    if browser.value("document.querySelectorAll('img, script:not([src])').length") != 0:
        yield "what somebody wrote became markup"
    # Where the policy of the page is not kept, this would run.
    browser.value("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); 0")
    if browser.value("window.ran") is not None:
        yield "an inline script runs: there is no policy"
    elif not any("Content Security Policy" in one for one in browser.complaints):
        yield "the browser did not say that it refused an inline script"
    browser.complaints.clear()


def colours(browser, scheme):
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    return browser.value("getComputedStyle(document.body).backgroundColor")


def faults_of_looks(browser, origin, folder):
    browser.go(origin + "/ui")
    browser.until(text("link") + " === 'updating'")
    seen = {}
    for scheme in ("light", "dark"):
        seen[scheme] = colours(browser, scheme)
        if folder:
            image = browser.ask("Page.captureScreenshot", format="png")["data"]
            pathlib.Path(folder, f"ui-{scheme}.png").write_bytes(base64.b64decode(image))
    if seen["light"] == seen["dark"]:
        yield f"light and dark look alike: {seen}"
    if browser.value("document.documentElement.scrollWidth > window.innerWidth"):
        yield "the page is wider than its window"
    nameless = browser.value("[...document.querySelectorAll('[role=img]')].filter(e => !e.getAttribute('aria-label')).length")
    if nameless or not browser.value("document.querySelectorAll('[role=img]').length"):
        yield f"{nameless} charts have no name for who cannot see them"


def faults_when_narrow(browser, origin, request):
    for width in (320, 360, 368, 420):
        browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=700, deviceScaleFactor=1, mobile=False)
        for path in ("/ui", "/ui?request=" + request):
            browser.go(origin + path)
            if not browser.until(f"location.href === {json.dumps(origin + path)} && document.readyState === 'complete' && "
                                 f"window.innerWidth === {width} && document.getElementById('charts') !== null"):
                yield f"{path} does not come in a window of {width}"
            wide = browser.value("document.documentElement.scrollWidth")
            if wide > width:
                yield f"{path} is {wide} wide in a window of {width}"
    browser.ask("Emulation.clearDeviceMetricsOverride")


def faults_without_script(browser, origin, request):
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    browser.ask("Page.navigate", url=f"{origin}/ui?request={request}")
    end = time.monotonic() + 10
    page = ""
    while "explained" not in page and time.monotonic() < end:
        try:
            root = browser.ask("DOM.getDocument")["root"]["nodeId"]
            page = browser.ask("DOM.getOuterHTML", nodeId=root)["outerHTML"]
        except RuntimeError:  # the old page went while it was asked about
            time.sleep(0.05)
    for part in ("tile open", ">degraded<", "requestId: " + request, "source: cache", 'class="area live" d="M0'):
        if part not in page:
            yield f"without a script: {part} is not there"


def main():
    origin, request, *folder = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="holdfast-browser-", ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            faults = [*faults_with_script(browser, origin), *faults_of_looks(browser, origin, folder[0] if folder else None),
                      *faults_when_narrow(browser, origin, request),
                      *faults_without_script(browser, origin, request), *browser.complaints]
        finally:
            browser.end()
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
