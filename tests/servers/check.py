"""Tries the advice: a real server without and with what plainsight tells its administrator to paste.

Without it, its log leaks what was planted, and plainsight finds it there and gives the snippet. With it, nothing that
the server writes holds the planted values, and plainsight still reads the log's lines. What stands in the path is not
masked, as the advice says: it shows that client, method and status are read.

    check.py PLAINSIGHT [SERVER...]
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import origin
import planted
import server
import visits

SERVERS = ["nginx", "apache", "haproxy", "squid", "caddy", "tomcat"]
#: For all of them, in seconds; a quiet machine needs one minute.
LIMIT = 900
ADVICE = Path(__file__).resolve().parents[2] / "rules/advice"

#: What stays in the log when the query is cut off.
IN_PATH = "reset_token"
#: What servers get to see in query or Referer.
MASKED = ["arcgis_token", "password", "oauth_code"]


class Failed(Exception):
    """What is not as it should be."""


def need(condition, message):
    if not condition:
        raise Failed(message)


class Plainsight:
    def __init__(self, program, folder):
        self.program = program
        self.key = folder / "key"
        self.key.write_text("0123456789abcdef" * 2)
        self.key.chmod(0o600)
        self.fingerprints = self.planted_fingerprints(folder / "planted.log")

    def scan(self, form, log, *options):
        command = [self.program, "scan", "--fail-on", "never", "--fingerprint-key-file", self.key, "-f", form]
        out = subprocess.run([*command, *options, log], capture_output=True, text=True, timeout=120)
        need(out.returncode == 0, f"plainsight scan {log.name} ends with {out.returncode}: {out.stderr}")
        return out.stdout

    def report(self, log):
        return json.loads(self.scan("json", log))

    def stream(self, log, *options):
        """The source and the exposures of a log."""
        lines = [json.loads(line) for line in self.scan("ndjson", log, *options).splitlines()]
        source = next(x for x in lines if x["type"] == "source")
        return source, [x for x in lines if x["type"] == "exposure"]

    def planted_fingerprints(self, log):
        """The fingerprint of each planted value, from a log that holds one a line."""
        names = {"password": "password", "oauth_code": "code", "access_token": "access_token"}
        values = planted.values()
        lines = [f"http://{origin.GIS}/signin/callback?{names.get(k, 'token')}={v}" for k, v in values.items()]
        log.write_text("\n".join(lines) + "\n")
        _, exposures = self.stream(log)
        need(len(exposures) == len(values), "plainsight does not find the planted values in a list of URLs")
        return {kind: e["fingerprint"] for kind, e in zip(values, exposures)}


def raw(path):
    """The kinds of planted values in a file, as they were planted."""
    text = path.read_text(errors="replace")
    return {kind for kind, value in planted.values().items() if value in text}


def given(report, advice):
    """A snippet, as a finding of the report has it."""
    for finding in report["findings"]:
        for a in finding["advice"]:
            if a["id"] == advice:
                return a["snippet"]
    return None


def stated(advice):
    """A snippet, as the file of advice has it."""
    for file in sorted(ADVICE.glob("*.toml")):
        for a in tomllib.loads(file.read_text())["advice"]:
            if a["id"] == advice:
                return a["snippet"]
    raise Failed(f"there is no advice {advice}")


def without(kind, folder, site, plainsight):
    """Runs the server as it is; gives what plainsight says to paste."""
    with server.Running(kind, folder, site) as running:
        visits.make(running.port, getattr(kind, "FORWARD", False))
    main = next(iter(kind.LOGS))
    leaked = raw(running.log(main))
    need(leaked >= {*MASKED, IN_PATH}, f"without the snippet, {main} holds {sorted(leaked)} only")
    reports = []
    for name in kind.LOGS:
        log = running.log(name)
        _, exposures = plainsight.stream(log)
        found = {e["fingerprint"] for e in exposures}
        missed = [k for k in raw(log) if plainsight.fingerprints[k] not in found]
        need(not missed, f"plainsight does not find {missed} in {name}")
        reports.append(plainsight.report(log))
    snippets = {"mask": next((s for s in (given(r, kind.MASK) for r in reports) if s), None)}
    need(snippets["mask"], f"no finding in {main} gets the advice {kind.MASK}")
    if kind.POLICY:
        # Where the log tells no Referer from other text, no finding asks for it: it is tried all the same.
        told = any(f["field"] == "referer" for r in reports for f in r["findings"])
        snippets["policy"] = next((s for s in (given(r, kind.POLICY) for r in reports) if s), None)
        need(snippets["policy"] or not told, f"no finding gets the advice {kind.POLICY}")
        snippets["policy"] = snippets["policy"] or stated(kind.POLICY)
    return snippets


def with_snippets(kind, folder, site, plainsight, snippets):
    """Runs the server with what it is told to paste: nothing leaks, and the log is still read."""
    with server.Running(kind, folder, site, snippets) as running:
        made = visits.make(running.port, getattr(kind, "FORWARD", False))
        if kind.POLICY:
            forward = getattr(kind, "FORWARD", False)
            head = visits.request(running.port, visits.all_visits()[0], forward, head=True).lower().splitlines()
            policies = [line for line in head if line.startswith("referrer-policy:")]
            need(policies == ["referrer-policy: strict-origin"], f"the reply's header is {policies}")
    written = [*(folder / "logs").iterdir(), folder / "stdout.txt", folder / "stderr.txt"]
    for file in written:
        leaked = raw(file) - {IN_PATH}
        need(not leaked, f"with the snippet, {file.name} still holds {sorted(leaked)}")
    log = running.log(next(iter(kind.LOGS)))
    # As a user would read it: recognised, and told by the string of the configuration.
    ways = [[]]
    if hasattr(kind, "log_format"):
        ways.append(["--log-format", kind.log_format(snippets["mask"])])
    expected = [
        (visits.CLIENT, visit.method, status, plainsight.fingerprints[IN_PATH])
        for visit, status in made
        if planted.values()[IN_PATH] in visit.path
    ]
    for options in ways:
        source, exposures = plainsight.stream(log, *options)
        read = (source["status"], source["unparsed"])
        how = " ".join(options) or "recognised"
        need(source["format"] not in (None, "text"), f"{how}: its log is read as {source['format']}")
        need(read == ("complete", 0), f"{how}: its log is read as {read}")
        need(source["records"] >= len(made), f"{how}: {source['records']} of {len(made)} requests are read")
        got = [(e["client"], e["method"], e["status"], e["fingerprint"]) for e in exposures]
        need(got == expected, f"{how}: read {got}, not {expected}")


def try_one(name, folder, site, plainsight):
    kind = importlib.import_module(name)
    if not server.program(kind.PROGRAM):
        return f"SKIPPED {name}: not installed: apt-get install {kind.PACKAGE}"
    snippets = without(kind, folder / name / "without", site, plainsight)
    with_snippets(kind, folder / name / "with", site, plainsight, snippets)
    advice = " and ".join(a for a in [kind.MASK, kind.POLICY] if a)
    return f"ok {name}: {advice} keep what they promise"


def stop(*_):
    raise SystemExit("check.py was ended, or took too long")


def main(program, names):
    for s in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(s, stop)
    signal.alarm(LIMIT)
    failed = False
    with tempfile.TemporaryDirectory(prefix="servers.") as folder:
        os.chmod(folder, 0o755)
        plainsight = Plainsight(program, Path(folder))
        site = origin.serve().server_port
        for name in names or SERVERS:
            try:
                print(try_one(name, Path(folder), site, plainsight), flush=True)
            except (Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed = True
                print(f"FAILED {name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
