"""The soak: requests go to nginx on loopback, its log is rotated, and what plainsight says of it is timed and counted."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PLANT_EVERY = 20  # requests
ROTATE_EVERY = 15  # seconds
PAUSE = 0.001  # seconds between requests, so that other work has a chance
LATENCY = 1.0  # seconds, the most that 99 of 100 warnings may take
GROWTH = 16 << 10  # KiB, the most that memory may grow after the first third

CONF = """
pid {dir}/nginx.pid; error_log {dir}/error.log; worker_processes 1; daemon off; {user}
events {{ worker_connections 64; }}
http {{ access_log {dir}/access.log combined; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "x"; }} }} }}
"""


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def main(program, minutes):
    folder = tempfile.mkdtemp(prefix="plainsight-soak-")
    os.chmod(folder, 0o755)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = f"{folder}/access.log"
    user = "user root;" if os.getuid() == 0 else ""
    with open(f"{folder}/nginx.conf", "w") as f:
        f.write(CONF.format(dir=folder, port=port, user=user))
    nginx = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-p", folder])
    while not os.path.exists(f"{folder}/nginx.pid") or not os.path.exists(log):
        time.sleep(0.05)
        if nginx.poll() is not None:
            sys.exit("nginx did not start")
    # What tail itself gave is kept, to tell its losses from ours.
    pipe = f"exec tail -n +1 -F {log} 2>{folder}/tail.err"
    tail = subprocess.Popen(["sh", "-c", pipe], stdout=subprocess.PIPE)
    tee = subprocess.Popen(["tee", f"{folder}/given.log"], stdin=tail.stdout, stdout=subprocess.PIPE)
    scan = subprocess.Popen(
        [program, "scan", "--no-config", "--fail-on", "never", "-f", "ndjson", "-"],
        stdin=tee.stdout, stdout=subprocess.PIPE, text=True)
    tail.stdout.close()
    tee.stdout.close()
    arrived, summary = [], {}

    def read():
        for line in scan.stdout:
            event = json.loads(line)
            if event["type"] == "exposure":
                arrived.append(time.monotonic())
            elif event["type"] == "summary":
                summary.update(event)

    reader = threading.Thread(target=read)
    reader.start()
    sent, memory, requests, rotations = [], [], 0, 0
    start = time.monotonic()
    end = start + minutes * 60
    rotate, sample = start + ROTATE_EVERY, start
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (now := time.monotonic()) < end:
        requests += 1
        planted = requests % PLANT_EVERY == 0
        path = f"/login?user=jo&password=Zq81kfUwe_{requests}" if planted else f"/tiles/{requests % 977}?v=3"
        if planted:
            sent.append(time.monotonic())
        connection.request("GET", path, headers={"User-Agent": "soak", "Referer": f"https://a.example/{requests}"})
        connection.getresponse().read()
        time.sleep(PAUSE)
        if now >= sample:
            memory.append(rss(scan.pid))
            sample = now + 1
        if now >= rotate:
            rotations += 1
            os.rename(log, f"{log}.1")
            os.kill(nginx.pid, signal.SIGUSR1)
            while not os.path.exists(log):
                time.sleep(0.01)
            # tail looks for the new file once a second; it reads the old one to its end before.
            time.sleep(1.5)
            rotate = time.monotonic() + ROTATE_EVERY
    time.sleep(2.5)
    tail.terminate()
    tee.wait()
    scan.wait()
    reader.join()
    nginx.terminate()
    nginx.wait()
    with open(f"{folder}/given.log") as f:
        given = sum("password=" in line for line in f)
    late = sorted(b - a for a, b in zip(sent, arrived))
    p99 = late[int(len(late) * 0.99)] if late else 99
    third = len(memory) // 3
    grown = max(memory[third:]) - max(memory[: third or 1])
    print(
        f"soak: {minutes:g} minutes, {requests} requests, {rotations} rotations; planted {len(sent)}, given {given}, "
        f"reported {len(arrived)} (summary {summary.get('exposures')}); warnings took {late[len(late) // 2] * 1000:.0f} ms in the "
        f"middle, {p99 * 1000:.0f} ms at the 99th percentile, {late[-1] * 1000:.0f} ms at most; memory {max(memory) >> 10} MiB, "
        f"{grown} KiB more after the first third"
    )
    bad = [
        (given != len(arrived) or summary.get("exposures") != given, "not everything that tail gave was reported"),
        (given < len(sent) * 0.99, "tail lost much"),
        (p99 > LATENCY, "warnings are late"),
        (grown > GROWTH, "memory grows"),
    ]
    shutil.rmtree(folder)
    wrong = [text for is_bad, text in bad if is_bad]
    if wrong:
        sys.exit("soak: FAILED: " + "; ".join(wrong))


main(sys.argv[1], float(sys.argv[2]))
