"""The tree of merges alone, without a cluster: how long it takes, how much memory, how large reports become.

    simulate.py PARTS COUNT [FAN_IN] [BINARY]

PARTS is a folder with reports of parts (`scan -f part`). They are told again under other names of sources until there are
COUNT of them; one process merges at a time, so that times are those of one core.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

from plainsight_spark import levels


def merge(binary: str, reports, out: str) -> tuple[float, int, int]:
    """Merges reports into a file; gives the seconds of processor, the most memory in bytes and the size."""
    run = [binary, "merge", "-", "-j", "1", "--no-config", "--allow-partial", "-f", "part"]
    with open(out, "wb") as file:
        process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=file)
        for report in reports:
            process.stdin.write(report)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"merge ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.path.getsize(out)


def main() -> None:
    folder, count = sys.argv[1], int(sys.argv[2])
    fan_in = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    binary = sys.argv[4] if len(sys.argv) > 4 else "plainsight"
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    texts = [open(p, "rb").read() for p in paths[:count]]
    source = re.compile(rb'("path":|"source":)"')

    def leaves():
        for n in range(count):
            turn, at = divmod(n, len(texts))
            yield texts[at] if turn == 0 else source.sub(b'\\1"%d/' % turn, texts[at])

    with tempfile.TemporaryDirectory(prefix="plainsight-") as work:
        began = time.monotonic()
        inputs = leaves()
        left = count
        for level, merges in enumerate(levels(count, fan_in)):
            cpu, memory, size, made = 0.0, 0, 0, []
            for n in range(merges):
                take = min(fan_in, left - n * fan_in)
                out = os.path.join(work, f"{level}-{n}.json")
                got = merge(binary, (next(inputs) for _ in range(take)), out)
                cpu, memory, size = cpu + got[0], max(memory, got[1]), max(size, got[2])
                made.append(out)
            print(
                f"level {level + 1}: {merges} merges, {cpu:.1f} s of one core ({cpu / merges:.3f} s each), "
                f"at most {memory / 2**20:.0f} MiB, reports up to {size / 2**20:.1f} MiB",
                flush=True,
            )

            def read(paths=made):
                for path in paths:
                    with open(path, "rb") as file:
                        data = file.read()
                    os.unlink(path)
                    yield data

            inputs, left = read(), merges
        print(f"{count} parts in {time.monotonic() - began:.0f} s on one core")


if __name__ == "__main__":
    main()
