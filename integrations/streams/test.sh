#!/usr/bin/env bash
# rsyslog as it is installed, with the configuration that stands here: lines are written to a log that is rotated, and what
# plainsight finds has to arrive. Skipped where there is no rsyslogd.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
plainsight=$(realpath "${PLAINSIGHT:-$here/../../target/release/plainsight}")
rsyslogd=$(PATH=$PATH:/usr/sbin:/sbin command -v rsyslogd) || { echo "SKIPPED: there is no rsyslogd"; exit 0; }
work=$(mktemp -d)
finish() {
  [ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
log=$work/access.log
touch "$log"
sed -e "s|LOG|$log|g; s|OUT|$work|g; s|PLAINSIGHT|$plainsight|g" "$here/rsyslog.conf" >"$work/rsyslog.conf"
echo "global(workDirectory=\"$work\")" >>"$work/rsyslog.conf"
"$rsyslogd" -n -f "$work/rsyslog.conf" -i "$work/pid" >"$work/said" 2>&1 &
pid=$!
line() { printf '192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /login?user=jo&password=%s HTTP/1.1" 200 1 "-" "curl/8"\n' "$1"; }
arrived() { # COUNT: waits until so many exposures have come
  for _ in $(seq 300); do
    [ "$(grep -c '"type":"exposure"' "$work/leaks.ndjson" 2>/dev/null || true)" = "$1" ] && return
    sleep 0.1
  done
  echo "$1 exposures did not arrive" >&2
  cat "$work/said" "$work/leaks.ndjson" >&2 || true
  exit 1
}
line Zq81kfUwe_1 >>"$log"
arrived 1
for n in $(seq 2 200); do line "Zq81kfUwe_$n" >>"$log"; done
arrived 200
mv "$log" "$log.1"
line Zq81kfUwe_201 >"$log"
arrived 201
! grep -q Zq81kfUwe "$work/leaks.ndjson" || { echo "a password got through" >&2; exit 1; }
kill "$pid"
wait "$pid" || true
pid=
echo "rsyslog: 201 of 201 exposures arrived while the log was written and rotated, none with its password"
