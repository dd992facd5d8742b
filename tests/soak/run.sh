#!/usr/bin/env bash
# A live nginx writes a log that is rotated; `tail -F | plainsight scan -` reads it. Says whether memory stayed flat, how
# long a warning took, and whether everything that was planted was reported.
#
#   tests/soak/run.sh [MINUTES]      30 unless it is said
#
# PLAINSIGHT names the program to use; without it the newest of target/*/plainsight is taken. Debian packages: nginx
# python3. What is missing is said, and nothing is tried.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
PATH=$PATH:/usr/sbin
for tool in nginx python3 tail tee; do
  command -v "$tool" >/dev/null || { echo "SKIPPED the soak: not installed: apt-get install $tool"; exit 0; }
done
program=${PLAINSIGHT:-$(ls -t target/*/plainsight 2>/dev/null | head -n 1 || true)}
[ -n "$program" ] || { echo "SKIPPED the soak: cargo build --release first"; exit 0; }
exec python3 -B "$here/soak.py" "$(realpath "$program")" "${1:-30}"
