"""Scans logs with plainsight under Apache Spark, and gives the report that one machine would give.

    spark-submit plainsight_spark.py INPUT... --output REPORT.json [--bin PATH] [-f table] [--fail-on high]

Inputs are paths, folders and globs of any file system that Spark knows. Plain files are cut into parts, each other file
is one task; every task runs the plainsight binary on what it reads and gives what `plainsight merge` needs; merges of
many at a time join that to one report. Nothing of the scanner is written here: this module finds files, cuts them,
feeds bytes to processes and moves reports.

The exit code is the gate's: 0 nothing at or over --fail-on, 1 findings, 2 something could not be read whole.
"""

from __future__ import annotations

import argparse
import dataclasses
import glob
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

MIB = 1 << 20
#: What the binary tells a format from, in bytes.
HEAD = 64 << 10
#: What is given of the source before a part: enough to see where a line begins, ...
BEFORE = 64 << 10
#: ... and, of logs of containers, to see which pieces of lines wait.
BEFORE_CUT = 4 * MIB
#: Bytes that are passed on at a time.
STEP = 1 * MIB
#: Files with these endings are read as a whole, whatever their size.
WHOLE = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz", ".tar", ".har", ".json", ".sqlite", ".db", ".html", ".plist")


class JobError(Exception):
    """The job cannot be done, and why."""


@dataclasses.dataclass(frozen=True)
class Input:
    """A file: its name in reports, which also says where it is, and its size in bytes."""

    name: str
    size: int


@dataclasses.dataclass(frozen=True)
class Piece:
    """What one process of the binary scans: a file, or the lines that begin in a part of one."""

    name: str
    size: int
    start: int = 0
    length: int | None = None
    header: str | None = None

    @property
    def weight(self) -> int:
        return self.size if self.length is None else self.length


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every task is told."""

    binary: str
    key: bytes
    now: str
    scan_args: tuple[str, ...] = ()
    merge_args: tuple[str, ...] = ()
    reader: str = "auto"
    hadoop: tuple[tuple[str, str], ...] = ()
    retries: int = 3


# Planning: what is one task.


def splits(file: Input, size: int) -> list[Piece]:
    """The file in parts of `size` bytes."""
    return [Piece(file.name, file.size, at, min(size, file.size - at)) for at in range(0, file.size, size)]


def bundle(pieces: Iterable[Piece], size: int) -> list[list[Piece]]:
    """Tasks of about `size` bytes: what is large is one task, what is small shares one. The largest come first, so that
    none of them is begun when all others are done."""
    tasks: list[list[Piece]] = []
    small: list[Piece] = []
    room = size
    for piece in sorted(pieces, key=lambda p: (-p.weight, p.name, p.start)):
        if piece.weight * 2 > size:
            tasks.append([piece])
            continue
        # A process costs more than an empty file.
        cost = max(piece.weight, 256 << 10)
        if small and cost > room:
            tasks.append(small)
            small, room = [], size
        small.append(piece)
        room -= cost
    return tasks + ([small] if small else [])


def headers_before(found: dict[tuple[str, int], str], pieces: Iterable[Piece]) -> list[Piece]:
    """Parts with the header in force at their beginning; `found` tells the last header line that begins in each part."""
    last: dict[str, str] = {}
    out = []
    for piece in sorted(pieces, key=lambda p: (p.name, p.start)):
        out.append(dataclasses.replace(piece, header=last.get(piece.name)))
        if (piece.name, piece.start) in found:
            last[piece.name] = found[piece.name, piece.start]
    return out


def levels(parts: int, fan_in: int) -> list[int]:
    """How many merges each level of the tree has, down to one."""
    out = []
    while parts > 1:
        parts = -(-parts // fan_in)
        out.append(parts)
    return out


# Reading: bytes of a file from an offset on, into a process.


def local_path(name: str) -> str | None:
    """The path of a file of this machine; None where it is elsewhere."""
    parts = urlsplit(name)
    if parts.scheme == "file":
        return unquote(parts.path)
    return name if parts.scheme == "" or len(parts.scheme) == 1 else None


class Local:
    """Files of the machine."""

    def read(self, name: str, start: int, size: int) -> bytes:
        with open(local_path(name), "rb") as file:
            file.seek(start)
            return file.read(size)

    def feed(self, name: str, start: int, out: int, wanted: Callable[[], bool]) -> None:
        """Writes the file from `start` on into `out`, as long as it is wanted."""
        with open(local_path(name), "rb", buffering=0) as file:
            file.seek(start)
            while wanted():
                step = file.read(STEP)
                if not step:
                    return
                view = memoryview(step)
                while view:
                    view = view[os.write(out, view) :]


class Hadoop:
    """Files of whatever Hadoop knows, read by a Java process beside this one, which serves all tasks of this worker and
    writes straight into pipes."""

    _gateway = None

    def __init__(self, settings: tuple[tuple[str, str], ...]):
        self.settings = settings

    def jvm(self):
        if Hadoop._gateway is None:
            from py4j.java_gateway import JavaGateway, launch_gateway
            from pyspark import SparkFiles
            from pyspark.find_spark_home import _find_spark_home

            home = os.environ.get("SPARK_HOME") or _find_spark_home()
            folders = [os.path.join(home, "jars"), os.getcwd()]
            try:
                folders.append(SparkFiles.getRootDirectory())
            except Exception:  # outside of a task there are none
                pass
            path = ":".join(os.path.join(f, "*") for f in folders)
            java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
            jar = glob.glob(os.path.join(home, "jars", "py4j-*.jar"))
            port, token = launch_gateway(
                classpath=path,
                jarpath=jar[0] if jar else None,
                java_path=java,
                javaopts=["-Xmx256m"],
                die_on_exit=True,
                enable_auth=True,
                return_proc=False,
            )
            from py4j.java_gateway import GatewayParameters

            Hadoop._gateway = JavaGateway(
                gateway_parameters=GatewayParameters(port=port, auth_token=token, auto_convert=True)
            )
            conf = Hadoop._gateway.jvm.org.apache.hadoop.conf.Configuration()
            for key, value in self.settings:
                conf.set(key, value)
            Hadoop._conf = conf
        return Hadoop._gateway.jvm

    def open(self, name: str, start: int):
        jvm = self.jvm()
        path = jvm.org.apache.hadoop.fs.Path(name)
        stream = path.getFileSystem(Hadoop._conf).open(path)
        if start:
            stream.seek(start)
        return stream

    def read(self, name: str, start: int, size: int) -> bytes:
        size = max(0, min(size, self.size(name) - start))
        read, write = os.pipe()
        parts: list[bytes] = []

        def drain() -> None:
            with os.fdopen(read, "rb") as file:
                parts.append(file.read())

        thread = threading.Thread(target=drain)
        thread.start()
        try:
            self._copy(name, start, write, [size])
        finally:
            os.close(write)
            thread.join()
        return parts[0]

    def size(self, name: str) -> int:
        path = self.jvm().org.apache.hadoop.fs.Path(name)
        return path.getFileSystem(Hadoop._conf).getFileStatus(path).getLen()

    def _copy(self, name: str, start: int, out: int, steps: Iterable[int]) -> None:
        """Copies from `start` on into the pipe, in steps of so many bytes."""
        jvm = self.jvm()
        stream = self.open(name, start)
        try:
            sink = jvm.java.io.FileOutputStream(f"/proc/{os.getpid()}/fd/{out}")
            try:
                for step in steps:
                    jvm.org.apache.hadoop.io.IOUtils.copyBytes(stream, sink, step, False)
            finally:
                sink.close()
        finally:
            stream.close()

    def feed(self, name: str, start: int, out: int, wanted: Callable[[], bool]) -> None:
        size = self.size(name)

        def steps() -> Iterator[int]:
            # What is behind a part is wanted only as far as its last line reaches.
            at = start
            while at < size and wanted():
                step = min(16 * MIB, size - at)
                yield step
                at += step

        self._copy(name, start, out, steps())


def reader(name: str, settings: Settings) -> Local | Hadoop:
    """Who reads the file."""
    if settings.reader == "hadoop" or (settings.reader == "auto" and local_path(name) is None):
        return Hadoop(settings.hadoop)
    return Local()


# Scanning and joining: processes of the binary.


class Broken(Exception):
    """A process of the binary did not do what it has to."""


def find(binary: str) -> str:
    """The binary on this machine: shipped with --files, in the working folder, on PATH, or where it is said to be."""
    name = os.path.basename(binary)
    places = [name]
    try:
        from pyspark import SparkFiles

        places.insert(0, SparkFiles.get(name))
    except Exception:  # no task of Spark
        pass
    for place in places + [binary]:
        if os.path.isfile(place):
            if not os.access(place, os.X_OK):
                os.chmod(place, 0o700)
            return os.path.abspath(place)
    found = shutil.which(name)
    if found is None:
        raise JobError(f"{name} is neither shipped with --files nor on PATH: give --bin PATH")
    return found


def is_report(out: bytes) -> bool:
    return out.startswith(b'{"schema_version":') and out.endswith(b"}\n")


class Scanner:
    """Runs the binary on pieces; its folder holds the key and heads, for this user only."""

    def __init__(self, settings: Settings, folder: str):
        self.settings = settings
        self.binary = find(settings.binary)
        self.folder = folder
        self.heads: dict[str, bytes] = {}
        self.key = self._file("key", settings.key)

    def _file(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        return path

    def head(self, name: str) -> bytes:
        if name not in self.heads:
            self.heads = {name: reader(name, self.settings).read(name, 0, HEAD)}
        return self.heads[name]

    def command(self, piece: Piece) -> tuple[list[str], int]:
        """What to run, and the offset of the first byte that it wants."""
        s = self.settings
        run = [self.binary, "scan", "-", "--source", piece.name, "--jobs", "1", "--no-config", "--now", s.now]
        run += ["--fingerprint-key-file", self.key, "--fail-on", "never", "-f", "part", *s.scan_args]
        if piece.length is None:
            return run, 0
        head = self.head(piece.name)
        cut = any(mark in head for mark in (b" stdout ", b" stderr ", b'{"log":"'))
        offset = max(0, piece.start - (BEFORE_CUT if cut else BEFORE))
        run += ["--split", f"{piece.start}:{piece.length}", "--offset", str(offset)]
        run += ["--head", self._file("head", head)]
        if piece.header:
            run += ["--header", piece.header]
        return run, offset

    def scan(self, piece: Piece) -> bytes:
        """The report of the piece. What cannot be read to its end is tried again; in the end the report says so."""
        for attempt in range(self.settings.retries):
            last = attempt + 1 == self.settings.retries
            try:
                run, offset = self.command(piece)
            except OSError as e:
                if not last:
                    time.sleep(attempt)
                    continue
                print(f"cannot be read: {type(e).__name__}", file=sys.stderr)
                return self._unread(piece)
            out, failed = self._run(run, piece, offset, last)
            if failed is None or last:
                return out
            time.sleep(attempt)
        raise AssertionError("there is at least one attempt")

    def _unread(self, piece: Piece) -> bytes:
        run, _ = Scanner.command(self, dataclasses.replace(piece, length=None))
        out, _ = self._run(run, piece, None, True)
        return out

    def _run(self, run: list[str], piece: Piece, offset: int | None, keep: bool) -> tuple[bytes, Exception | None]:
        process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        failed: list[Exception] = []

        def feed() -> None:
            try:
                if offset is None:
                    raise OSError("cannot be read")
                source = reader(piece.name, self.settings)
                source.feed(piece.name, offset, process.stdin.fileno(), lambda: process.poll() is None)
            except BrokenPipeError:
                pass  # it has what it wants
            except Exception as e:
                if process.poll() is None and "Broken pipe" not in str(e):
                    # Ended like this, it says that it has not read everything.
                    failed.append(e)
                    time.sleep(0.3)
                    process.send_signal(signal.SIGTERM)
            finally:
                try:
                    process.stdin.close()
                except OSError:
                    pass

        feeder = threading.Thread(target=feed)
        said: list[bytes] = []
        listener = threading.Thread(target=lambda: said.append(process.stderr.read()))
        listener.start()
        feeder.start()
        out = process.stdout.read()
        code = process.wait()
        feeder.join()
        listener.join()
        if not is_report(out) or code not in (0, 1, 2, 143):
            if failed and not keep:
                return out, failed[0]
            text = said[0].decode(errors="replace").strip()[-500:]
            raise Broken(f"plainsight ended with {code}: {text}")
        return out, failed[0] if failed else None

    def merge(self, reports: Iterable[bytes]) -> bytes:
        """One report of several, which are compressed, as it is."""
        run = [self.binary, "merge", "-", "--jobs", "1", "--no-config", "--allow-partial", "-f", "part"]
        run += self.settings.merge_args
        process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said: list[bytes] = []
        out: list[bytes] = []
        listeners = [
            threading.Thread(target=lambda: said.append(process.stderr.read())),
            threading.Thread(target=lambda: out.append(process.stdout.read())),
        ]
        for thread in listeners:
            thread.start()
        try:
            for report in reports:
                process.stdin.write(zlib.decompress(report))
            process.stdin.close()
        except BrokenPipeError:
            pass
        code = process.wait()
        for thread in listeners:
            thread.join()
        if code != 0 or not is_report(out[0]):
            raise Broken(f"plainsight merge ended with {code}: {said[0].decode(errors='replace').strip()[-500:]}")
        return out[0]


def pack(report: bytes) -> bytes:
    return zlib.compress(report, 1)


def scan_task(settings: Settings, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """What a task of Spark does: the report of all its pieces."""
    with tempfile.TemporaryDirectory(prefix="plainsight-") as folder:
        scanner = Scanner(settings, folder)
        reports = [pack(scanner.scan(piece)) for piece in pieces]
        if len(reports) > 1:
            reports = [pack(scanner.merge(reports))]
        yield from reports


def merge_task(settings: Settings, reports: Iterable[bytes]) -> Iterator[bytes]:
    """The report of several."""
    with tempfile.TemporaryDirectory(prefix="plainsight-") as folder:
        reports = list(reports)
        if len(reports) < 2:
            yield from reports
        else:
            yield pack(Scanner(settings, folder).merge(reports))


def look(settings: Settings, file: Input) -> tuple[Input, str]:
    """Whether a large file can be read in parts: `parts`, `headers` (parts that need the header before them), `whole`."""
    try:
        with tempfile.TemporaryDirectory(prefix="plainsight-") as folder:
            scanner = Scanner(settings, folder)
            head = scanner.head(file.name)
            report = scanner.scan(Piece(file.name, file.size, 0, 1))
    except (OSError, Broken):
        return file, "whole"  # which will say what is wrong with it
    if b"cannot be read in parts" in report:
        return file, "whole"
    return file, "headers" if b"Fields:" in head else "parts"


def last_header(settings: Settings, piece: Piece) -> tuple[tuple[str, int], str] | None:
    """The last header line that begins in a part."""
    end, rest = piece.start + piece.length, b""
    while end > piece.start:
        at = max(piece.start, end - 8 * MIB)
        # A byte before tells whether a line begins there; a line that is cut is found with what follows.
        before = 1 if at > 0 else 0
        data = reader(piece.name, settings).read(piece.name, at - before, end - at + before) + rest
        found = max(data.rfind(b"\n#Fields:"), data.rfind(b"\n# Fields:"))
        if found < 0 and at == 0 and data.removeprefix(b"\xef\xbb\xbf").startswith((b"#Fields:", b"# Fields:")):
            found, data = 0, b"\n" + data.removeprefix(b"\xef\xbb\xbf")
        if found >= 0:
            line = data[found + 1 :].split(b"\n", 1)[0]
            if len(line) == len(data) - found - 1:
                line += reader(piece.name, settings).read(piece.name, end, HEAD).split(b"\n", 1)[0]
            return (piece.name, piece.start), line.decode(errors="replace").strip()
        end, rest = at, data[:16]
    return None


# The job: what runs on the driver.


def list_inputs(spark, patterns: list[str]) -> list[Input]:
    """Files that the patterns name, through Hadoop's file systems. What is named by a path of this machine keeps it."""
    jvm = spark.sparkContext._jvm
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    found: dict[str, Input] = {}
    for pattern in patterns:
        path = jvm.org.apache.hadoop.fs.Path(pattern)
        fs = path.getFileSystem(conf)
        matches = fs.globStatus(path)
        if not matches:
            raise JobError(f"nothing is there: {pattern}")
        for match in matches:
            files = fs.listFiles(match.getPath(), True) if match.isDirectory() else None
            statuses = [match] if files is None else iterate(files)
            for status in statuses:
                uri = status.getPath().toUri()
                name = uri.getPath() if uri.getScheme() == "file" else status.getPath().toString()
                found[name] = Input(name, status.getLen())
    return [found[name] for name in sorted(found)]


def iterate(remote) -> Iterator:
    while remote.hasNext():
        yield remote.next()


def run(spark, args: argparse.Namespace) -> int:
    """Does the job; gives the gate's exit code."""
    context = spark.sparkContext
    context.addPyFile(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix="plainsight-") as folder:
        if args.fingerprint_key_file:
            with open(args.fingerprint_key_file, "rb") as file:
                key = file.read()
        else:
            key = secrets.token_bytes(32)
        conf = context._jsc.hadoopConfiguration().iterator()
        wanted = ("fs.", "dfs.", "hadoop.security.", "ipc.")
        hadoop = [(e.getKey(), e.getValue()) for e in iter_java(conf) if e.getKey().startswith(wanted)]
        settings = Settings(
            binary=args.bin,
            key=key,
            now=args.now or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            scan_args=tuple(args.scan_arg),
            merge_args=tuple(args.merge_arg),
            reader=args.reader,
            hadoop=tuple(hadoop),
        )
        shared = context.broadcast(settings)
        inputs = list_inputs(spark, args.inputs)
        large = [f for f in inputs if f.size > args.split_size and not f.name.lower().endswith(WHOLE)]
        kinds: dict[str, str] = {}
        if large:
            looked = context.parallelize(large, min(len(large), 10_000)).map(lambda f: look(shared.value, f))
            kinds = {file.name: kind for file, kind in looked.collect()}
        pieces: list[Piece] = []
        headed: list[Piece] = []
        for file in inputs:
            match kinds.get(file.name):
                case "parts":
                    pieces += splits(file, args.split_size)
                case "headers":
                    headed += splits(file, args.split_size)
                case _:
                    pieces.append(Piece(file.name, file.size))
        if headed:
            found = context.parallelize(headed, len(headed)).map(lambda p: last_header(shared.value, p))
            pieces += headers_before(dict(f for f in found.collect() if f), headed)
        tasks = bundle(pieces, args.split_size)
        print(f"{len(inputs)} files, {sum(f.size for f in inputs)} bytes, {len(tasks)} tasks", file=sys.stderr)
        reports = join_up(context, shared, tasks, args.fan_in)
        return finish(args, settings, folder, reports)


def join_up(context, shared, tasks: list[list[Piece]], fan_in: int) -> list[bytes]:
    """Scans, and merges until as few reports are left as one process takes."""
    if not tasks:
        return []
    scanned = context.parallelize(tasks, len(tasks)).mapPartitions(
        lambda part: (report for pieces in part for report in scan_task(shared.value, pieces))
    )
    count = len(tasks)
    for level in levels(count, fan_in)[:-1]:
        width = -(-count // level)
        grouped = scanned.mapPartitionsWithIndex(
            lambda n, part, width=width: ((n // width, report) for report in part)
        ).partitionBy(level, int)
        scanned = grouped.values().mapPartitions(lambda part: merge_task(shared.value, part))
        count = level
    return scanned.collect()


def iter_java(iterator) -> Iterator:
    while iterator.hasNext():
        yield iterator.next()


def finish(args: argparse.Namespace, settings: Settings, folder: str, reports: list[bytes]) -> int:
    """The last merge, here: it writes what was asked for, and its exit code is the job's."""
    binary = find(settings.binary)
    parts = os.path.join(folder, "parts")
    os.mkdir(parts, 0o700)
    if not reports:
        empty = os.path.join(folder, "empty")
        open(empty, "wb").close()
        key = Scanner(settings, folder).key
        command = [binary, "scan", empty, "--no-config", "--fingerprint-key-file", key, "--now", settings.now]
        reports = [pack(subprocess.run([*command, "-f", "part"], check=True, capture_output=True).stdout)]
    for n, report in enumerate(reports):
        with open(os.path.join(parts, f"{n:06}.json"), "wb") as file:
            file.write(zlib.decompress(report))
    local = local_path(args.output)
    target = local or os.path.join(folder, "report.json")
    command = [binary, "merge", parts, "--no-config", "--now", settings.now, "--fail-on", args.fail_on]
    command += ["-f", f"json={target}", *settings.merge_args]
    for output in args.format:
        command += ["-f", output]
    if args.allow_partial:
        command.append("--allow-partial")
    code = subprocess.run(command).returncode
    if local is None and os.path.exists(target):
        upload(target, args.output)
    return code


def upload(path: str, to: str) -> None:
    """Copies the report to a file system of Hadoop's."""
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    jvm, conf = context._jvm, context._jsc.hadoopConfiguration()
    target = jvm.org.apache.hadoop.fs.Path(to)
    target.getFileSystem(conf).copyFromLocalFile(False, True, jvm.org.apache.hadoop.fs.Path(path), target)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="plainsight_spark.py", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="paths, folders and globs of any file system that Spark knows")
    add("--output", required=True, metavar="REPORT.json", help="where the JSON report goes, on any file system")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[=FILE]", help="more outputs of plainsight, on the driver")
    add("--fail-on", default="medium", metavar="SEVERITY", help="as in plainsight scan [default: medium]")
    add("--allow-partial", action="store_true", help="exit 0 even if something could not be read whole")
    add("--bin", default="plainsight", metavar="PATH", help="the binary, as shipped with --files or on PATH [default: plainsight]")
    add("--split-size", type=int, default=128 * MIB, metavar="BYTES", help="plain files are cut into parts of this size [default: 128 MiB]")
    add("--fan-in", type=int, default=64, metavar="N", help="reports that one merge joins [default: 64]")
    add("--fingerprint-key-file", metavar="FILE", help="the key of fingerprints [default: one for this run]")
    add("--now", metavar="TIME", help="the clock [default: the time at which the job begins]")
    add("--reader", choices=("auto", "local", "hadoop"), default="auto", help="who reads files of the machine itself")
    add("--scan-arg", action="append", default=[], metavar="ARG", help="passed on to plainsight scan: --scan-arg=--only=arcgis")
    add("--merge-arg", action="append", default=[], metavar="ARG", help="passed on to plainsight merge")
    args = parser.parse_args(argv)
    if args.split_size < 1 or args.fan_in < 2:
        parser.error("--split-size is at least 1, --fan-in at least 2")
    return args


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("plainsight").getOrCreate()
    try:
        return run(spark, args)
    except JobError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    finally:
        spark.stop()


if __name__ == "__main__":
    # By its name, so that executors know where what they are sent comes from.
    import plainsight_spark

    sys.exit(plainsight_spark.main())
