#!/usr/bin/env bash
# Tries the advice on log masking and Referrer-Policy with real servers on loopback; one line for each server.
#
#   tests/servers/run.sh [nginx|apache|haproxy|squid|caddy|tomcat]...
#
# PLAINSIGHT names the program to use; without it the newest of target/*/plainsight is taken, or one is built.
# Debian packages: nginx apache2 haproxy squid caddy tomcat10 curl python3. What is missing is skipped, and said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
for tool in python3 curl; do
  command -v "$tool" >/dev/null || { echo "SKIPPED all servers: not installed: apt-get install $tool"; exit 0; }
done
program=${PLAINSIGHT:-$(ls -t target/*/plainsight 2>/dev/null | head -n 1 || true)}
if [ -z "$program" ]; then
  cargo build --locked
  program=target/debug/plainsight
fi
exec timeout --signal=TERM --kill-after=60 1200 python3 -B "$here/check.py" "$(realpath "$program")" "$@"
