#!/usr/bin/env bash
# The job on a real standalone cluster: a master and two workers on the loopback, of which one is killed while it works.
# The report has to be that of one machine, byte for byte.
#
#   PLAINSIGHT=target/release/plainsight integrations/spark/test.sh
#
# CORPUS names a folder with logs (.log, .gz …); without it SIZE bytes of logs are made, half of them compressed. PYTHON
# has pyspark and pytest; without it they are installed into a folder of their own. WORKERS=1 starts one worker and kills
# none; nor does KILL_AFTER=0, which is for measuring. KEEP names a folder for what the cluster said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
plainsight=$(realpath "${PLAINSIGHT:-$here/../../target/release/plainsight}")
work=$(mktemp -d "${TMPDIR:-/tmp}/plainsight-spark-XXXXXX")
groups=()
finish() {
  for g in "${groups[@]}" ${killer:-}; do kill -9 -- "-$g" 2>/dev/null || true; done
  [ -z "${KEEP:-}" ] || cp "$work"/*.json "$work"/*.out "$work"/job.err "$KEEP" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q 'pyspark>=4,<5' 'pytest>=8'
  PYTHON=$work/venv/bin/python
fi
export PYSPARK_PYTHON=$PYTHON PYSPARK_DRIVER_PYTHON=$PYTHON
SPARK_HOME=$("$PYTHON" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
export SPARK_HOME SPARK_LOCAL_IP=127.0.0.1

if [ -z "${SKIP_PYTEST:-}" ]; then
  (cd "$here" && PLAINSIGHT=$plainsight "$PYTHON" -m pytest -q -p no:cacheprovider)
fi

corpus=${CORPUS:-$work/logs}
if [ -z "${CORPUS:-}" ]; then
  mkdir "$corpus"
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here "$PYTHON" - "$corpus" "${SIZE:-268435456}" <<'PY'
import gzip, sys
from test_plainsight_spark import cri, log, w3c
folder, size = sys.argv[1], int(sys.argv[2])
block = [log(20_000, n) for n in range(4)]
with open(f"{folder}/access.log", "wb") as out, gzip.open(f"{folder}/old.log.gz", "wb", 1) as packed:
    for n in range(size // sum(map(len, block)) // 2 + 1):
        for b in block:
            out.write(b)
            packed.write(b)
open(f"{folder}/u_ex.log", "wb").write(w3c(200_000))
open(f"{folder}/pod.log", "wb").write(cri(50_000))
open(f"{folder}/cut.log.gz", "wb").write(gzip.compress(block[0])[:-1000])
open(f"{folder}/empty.log", "wb").close()
PY
fi

start() { # NAME COMMAND...: in a group of its own, so that what it starts goes with it
  local name=$1
  shift
  setsid "$@" >"$work/$name.out" 2>&1 &
  groups+=($!)
}
port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
ui=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start master "$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port 0
for n in $(seq "${WORKERS:-2}"); do
  start "worker$n" "$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.worker.Worker --cores 1 --memory 1g --host 127.0.0.1 --webui-port 0 \
    --work-dir "$work/worker$n" "spark://127.0.0.1:$port"
done
for n in $(seq "${WORKERS:-2}"); do
  until grep -q "Successfully registered with master" "$work/worker$n.out"; do sleep 0.5; done
done
echo "cluster: one master, ${WORKERS:-2} workers"

head -c 32 /dev/urandom >"$work/key"
chmod 600 "$work/key"
now=2026-11-21T00:00:00Z
began=$(date +%s.%N)
"$plainsight" scan --no-config -q --jobs 1 --now $now --fingerprint-key-file "$work/key" -f "json=$work/one.json" "$corpus" >/dev/null 2>&1 || one=$?
echo "one machine, one thread: exit ${one:-0}, $(echo "$(date +%s.%N) - $began" | bc) s"

if [ "${WORKERS:-2}" -gt 1 ] && [ "${KILL_AFTER:-4}" -gt 0 ]; then
  # Kills a worker with all that it has started, as soon as it has done a part of the work.
  setsid "$PYTHON" - "$ui" "${groups[2]}" "${KILL_AFTER:-4}" <<'PY' &
import json, os, signal, sys, time, urllib.request
ui, group, after = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
base = f"http://127.0.0.1:{ui}/api/v1/applications"
get = lambda url: json.load(urllib.request.urlopen(url, timeout=5))
while True:
    time.sleep(0.2)
    try:
        app = get(base)[0]["id"]
        for stage in get(f"{base}/{app}/stages?status=active"):
            if stage["numTasks"] > after and stage["numCompleteTasks"] >= after:
                os.killpg(group, signal.SIGKILL)
                print(f"killed a worker and its executor after {stage['numCompleteTasks']} of {stage['numTasks']} tasks", flush=True)
                sys.exit()
    except (OSError, ValueError, IndexError):
        continue  # it has not begun
PY
  killer=$!
fi
began=$(date +%s.%N)
"$SPARK_HOME/bin/spark-submit" --master "spark://127.0.0.1:$port" --executor-cores 1 --executor-memory 640m --driver-memory 512m \
  --conf spark.ui.port="$ui" --conf spark.ui.showConsoleProgress=false --conf spark.network.timeout=600s \
  --files "$plainsight" "$here/plainsight_spark.py" "$corpus" --output "$work/spark.json" --bin "$plainsight" \
  --split-size "${SPLIT:-16777216}" --fan-in "${FAN_IN:-4}" --fingerprint-key-file "$work/key" --now $now >"$work/job.out" 2>"$work/job.err" || spark=$?
echo "Spark, ${WORKERS:-2} workers: exit ${spark:-0}, $(echo "$(date +%s.%N) - $began" | bc) s, $(grep -E ' files, .* tasks$' "$work/job.err")"
if [ -n "${killer:-}" ]; then
  if kill -0 "$killer" 2>/dev/null; then
    kill "$killer"
    echo "the job was done before a worker could be killed: give more logs" >&2
    exit 1
  fi
  grep -q -E "Lost executor|ExecutorLost|Removing executor|worker lost" "$work/job.err" || { echo "no executor was lost" >&2; exit 1; }
fi
if [ "${one:-0}" != "${spark:-0}" ] || ! cmp "$work/one.json" "$work/spark.json"; then
  tail -20 "$work/job.err" >&2
  exit 1
fi
"$PYTHON" - "$work/one.json" <<'PY'
import json, sys
s = json.load(open(sys.argv[1]))["summary"]
print(f"the same report, byte for byte: {s['sources']} sources, {s['bytes']} bytes, {s['exposures']} exposures, {s['findings']} findings")
PY
