#!/usr/bin/env python3
"""Holds rules, their tests, the runbook and the dashboard against the metrics of a real node, given on standard input.

  watching.py < METRICS      prints every fault; exit 1 when there is one
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"
PROMETHEUS = PACKAGING / "prometheus"


def exported(text):
    """The names of series, each with its labels."""
    out = {}
    for line in text.splitlines():
        if found := re.match(r"(\w+)(?:{(.*)})? ", line):
            out.setdefault(found[1], set()).update(re.findall(r'(\w+)="', found[2] or ""))
    return out


def unknown(expression, metrics):
    """What an expression names that the node does not export: series, or labels in their selectors."""
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", "", expression)
    recorded = set(re.findall(r"[a-z_]+:holdfast_[a-z0-9_:]+", bare))
    for name, selector in re.findall(r"(?<![:\w])(holdfast_\w+)(?:{([^}]*)})?", bare):
        if name not in metrics:
            yield name
            continue
        labels = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', selector or "")
        yield from (f"{name}{{{label}}}" for label in labels if label not in metrics[name] | {"instance"})
    rules = (PROMETHEUS / "rules.yml").read_text()
    yield from (name for name in recorded if f"record: {name}\n" not in rules)


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, cwd=PROMETHEUS)
    if done.returncode != 0:
        yield f"promtool {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"


def rule_faults(metrics):
    rules = (PROMETHEUS / "rules.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    expressions = re.findall(r"expr: (?:>-\n)?(.*?)\n\s+(?:for|labels|- record|- alert|- name):", rules + "\n  - name:", re.S)
    if len(alerts) < 15 or len(expressions) < len(alerts):
        yield f"{len(alerts)} alerts, {len(expressions)} expressions: not read"
    yield from promtool("check", "rules", "rules.yml")
    yield from promtool("test", "rules", "rules_test.yml")
    tests = (PROMETHEUS / "rules_test.yml").read_text()
    runbook = re.split(r"^## (\w+)\n", (PROMETHEUS / "runbook.md").read_text(), flags=re.M)
    entries = dict(zip(runbook[1::2], runbook[2::2]))
    for alert in alerts:
        if f"alertname: {alert}\n" not in tests:
            yield f"{alert}: no test that it fires"
        if not all(word in entries.get(alert, "") for word in ("Do: ",)):
            yield f"{alert}: no entry in the runbook that says what to do"
    yield from (f"runbook: {name} is no alert" for name in entries.keys() - set(alerts))
    for expression in expressions:
        yield from (f"rules: no node exports {name}" for name in unknown(expression, metrics))


def dashboard_faults(metrics):
    board = json.loads((PACKAGING / "grafana" / "holdfast.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    queries = [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]
    queries += [(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    if len(queries) < 30 or len({panel["id"] for panel in board["panels"]}) != len(board["panels"]):
        yield "dashboard: too few queries, or ids that are not unique"
    rules = "groups:\n  - name: dashboard\n    rules:\n"
    for number, (title, query) in enumerate(queries):
        if not re.search(r"holdfast_\w", query):
            yield f"dashboard, {title}: names no metric"
        yield from (f"dashboard, {title}: no node exports {name}" for name in unknown(query, metrics))
        plain = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        rules += f"      - record: dashboard:query{number}\n        expr: {json.dumps(plain)}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(rules)
        file.flush()
        yield from promtool("check", "rules", file.name)


def main():
    metrics = exported(sys.stdin.read())
    found = list(unknown('holdfast_none{} + holdfast_mode{subject="x"} + a:holdfast_gone:rate5m', metrics))
    if sorted(found) != ["a:holdfast_gone:rate5m", "holdfast_mode{subject}", "holdfast_none"]:
        print("what is missing is not noticed:", found)
        return 1
    faults = [*rule_faults(metrics), *dashboard_faults(metrics)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
