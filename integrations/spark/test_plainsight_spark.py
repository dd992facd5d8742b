"""What needs no cluster: cutting and bundling, processes of the real binary, reading through Hadoop, bad files.

PLAINSIGHT names the binary. `test.sh` has the rest: a cluster of which a worker is killed.
"""

import gzip
import json
import os
import random
import subprocess
import zlib

import pytest

import plainsight_spark as job

NOW = "2026-11-21T00:00:00Z"
KEY = b"0123456789abcdef0123456789abcdef"
BINARY = os.environ.get("PLAINSIGHT", "plainsight")


def log(lines: int, seed: int = 1) -> bytes:
    rnd = random.Random(seed)
    out = []
    for n in range(lines):
        query = f"?password={rnd.getrandbits(64):x}" if n % 7 == 0 else ""
        out.append(f'192.0.2.{n % 200} - - [01/Jan/2026:00:00:00 +0000] "GET /a/login{query} HTTP/1.1" 200 1 "-" "curl/8"\n')
    return "".join(out).encode()


def w3c(rows: int) -> bytes:
    out = ["\ufeff#Software: x\r\n"]
    for n in range(rows):
        if n % 50 == 0:
            out.append("#Fields: " + ("date time cs-uri-stem cs-uri-query sc-status\r\n", "date time sc-status cs-uri-query cs-uri-stem\r\n")[n // 50 % 2])
        row = (f"/a password=x{n:08} 200", f"200 password=x{n:08} /b")[n // 50 % 2]
        out.append(f"2026-01-01 00:00:00 {row}\r\n")
    return "".join(out).encode()


def cri(lines: int) -> bytes:
    time, out = "2026-01-01T00:00:00.669794202Z", []
    for n in range(lines):
        text = f'192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /login?password=Zq81kf{n:08} HTTP/1.1" 200 1 "-" "curl/8"'
        stream = ("stdout", "stderr")[n % 3 == 0]
        out.append(f"{time} {stream} P {text[:75]}\n{time} {stream} F {text[75:]}\n")
    return "".join(out).encode()


@pytest.fixture
def settings():
    return job.Settings(binary=BINARY, key=KEY, now=NOW, retries=2)


def whole(tmp_path, *paths) -> dict:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    run = [job.find(BINARY), "scan", "--no-config", "--now", NOW, "--fingerprint-key-file", str(key), "-f", "json"]
    return json.loads(subprocess.run([*run, *map(str, paths)], capture_output=True).stdout)


def joined(tmp_path, settings, reports) -> dict:
    """The report that the driver would write."""
    os.makedirs(tmp_path / "driver", exist_ok=True)
    args = job.arguments(["x", "--output", str(tmp_path / "out.json")])
    code = job.finish(args, settings, str(tmp_path / "driver"), list(reports))
    report = json.loads((tmp_path / "out.json").read_text())
    return {**report, "code": code}


def same(report: dict, want: dict) -> None:
    for key in ("summary", "sources", "findings", "credentials", "diagnostics", "state"):
        assert report[key] == want[key], key


def test_files_are_cut_into_parts_that_lack_and_double_nothing():
    parts = job.splits(job.Input("a", 1001), 100)
    assert [p.start for p in parts] == list(range(0, 1001, 100))
    assert sum(p.length for p in parts) == 1001


def test_tasks_hold_everything_once_and_the_largest_come_first():
    rnd = random.Random(3)
    pieces = [job.Piece(f"f{n}", rnd.choice([0, 10, 5_000, 10**6, 10**9])) for n in range(500)]
    tasks = job.bundle(pieces, 128 << 20)
    assert sorted(p.name for t in tasks for p in t) == sorted(p.name for p in pieces)
    assert all(len(t) == 1 or sum(p.weight for p in t) <= 128 << 20 for t in tasks)
    first = [t[0].weight for t in tasks]
    assert first == sorted(first, reverse=True)
    assert job.bundle([], 100) == []


def test_the_tree_ends_in_one():
    assert job.levels(100_000, 64) == [1563, 25, 1]
    assert job.levels(1, 64) == []
    assert job.levels(65, 64) == [2, 1]


def test_every_part_has_the_header_before_it():
    parts = job.splits(job.Input("a", 400), 100) + job.splits(job.Input("b", 200), 100)
    found = {("a", 0): "#Fields: x", ("a", 200): "#Fields: y"}
    got = {(p.name, p.start): p.header for p in job.headers_before(found, parts)}
    assert got == {("a", 0): None, ("a", 100): "#Fields: x", ("a", 200): "#Fields: x", ("a", 300): "#Fields: y", ("b", 0): None, ("b", 100): None}


@pytest.mark.parametrize("name, data", [("a.log", log(3000)), ("w3c.log", w3c(2000)), ("cri.log", cri(1500))])
@pytest.mark.parametrize("size", [1 << 14, 33_333])
@pytest.mark.parametrize("reading", ["local", "hadoop"])
def test_parts_give_the_report_of_the_whole(tmp_path, settings, name, data, size, reading):
    settings = job.dataclasses.replace(settings, reader=reading)
    path = tmp_path / name
    path.write_bytes(data)
    file = job.Input(str(path), len(data))
    kind = job.look(settings, file)[1]
    assert kind == ("headers" if name == "w3c.log" else "parts")
    pieces = job.splits(file, size)
    if kind == "headers":
        found = [job.last_header(settings, p) for p in pieces]
        pieces = job.headers_before(dict(f for f in found if f), pieces)
    random.Random(5).shuffle(pieces)
    tasks = job.bundle(pieces, 3 * size)
    reports = [r for task in tasks for r in job.scan_task(settings, task)]
    same(joined(tmp_path, settings, reports), whole(tmp_path, path))


def test_compressed_and_small_files_share_tasks(tmp_path, settings):
    paths = []
    for n in range(5):
        path = tmp_path / f"{n}.log.gz"
        path.write_bytes(gzip.compress(log(200, n)))
        paths.append(path)
    (tmp_path / "empty.log").write_bytes(b"")
    paths.append(tmp_path / "empty.log")
    tasks = job.bundle([job.Piece(str(p), p.stat().st_size) for p in paths], 1 << 20)
    reports = [r for task in tasks for r in job.scan_task(settings, task)]
    report = joined(tmp_path, settings, reports)
    same(report, whole(tmp_path, *paths))
    assert report["code"] == 1


def test_what_cannot_be_read_is_said_and_fails_nothing_else(tmp_path, settings):
    good = tmp_path / "good.log"
    good.write_bytes(log(100))
    cut = tmp_path / "cut.log.gz"
    cut.write_bytes(gzip.compress(log(5000))[:-100])
    missing = str(tmp_path / "missing.log")
    pieces = [job.Piece(str(good), 1), job.Piece(str(cut), 1), job.Piece(missing, 1), job.Piece(missing + "2", 10, 5, 5)]
    report = joined(tmp_path, settings, job.scan_task(settings, pieces))
    status = {os.path.basename(s["path"]): s["status"] for s in report["sources"]}
    assert status["good.log"] == "complete"
    assert status["cut.log.gz"] == "partial"
    assert status["missing.log"] in ("partial", "skipped") and status["missing.log2"] in ("partial", "skipped")
    assert not report["summary"]["complete"]
    assert {f["severity"] for f in report["findings"]}


def test_a_compressed_file_under_a_plain_name_is_read_as_a_whole(tmp_path, settings):
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(log(100)))
    assert job.look(settings, job.Input(str(path), path.stat().st_size))[1] == "whole"


def test_nothing_at_all_is_a_report(tmp_path, settings):
    report = joined(tmp_path, settings, [])
    assert (report["findings"], report["code"]) == ([], 0)


def test_what_a_broken_binary_says_is_told(tmp_path, settings):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no such option >&2\nexit 2\n")
    broken.chmod(0o700)
    path = tmp_path / "a.log"
    path.write_bytes(log(5))
    with pytest.raises(job.Broken, match="no such option"):
        list(job.scan_task(job.dataclasses.replace(settings, binary=str(broken)), [job.Piece(str(path), 1)]))


def test_reports_are_packed_and_hold_no_credential(tmp_path, settings):
    path = tmp_path / "a.log"
    path.write_bytes(log(50))
    (report,) = job.scan_task(settings, [job.Piece(str(path), 1)])
    for line in log(50).splitlines():
        if b"password=" in line:
            assert line.split(b"password=")[1].split(b" ")[0] not in zlib.decompress(report)
