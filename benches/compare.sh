#!/usr/bin/env bash
# How long a scan takes, next to what reading alone takes: the table in the README.
#
#   benches/compare.sh [--small] [ROW]...
#
# Makes its logs with `cargo bench --bench corpus` (6 GiB under $BENCH_DIR, by default target/bench; kept for the next
# time), builds the program, and measures whole processes with hyperfine: after one run to warm the page cache, five of
# each, one command after the other, and tells the medians and their ratio. Rows: plain, one-file, gzip, one-gzip, unique,
# map, small-files, start, version, memory, growth. --small takes an eighth of the bytes, for a look. What two threads
# gain is told by `cargo bench --bench floor`.
# Installs nothing; says what is missing: hyperfine (cargo install hyperfine), jq, GNU time, rg for one row.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=0
for tool in hyperfine jq gzip wc xargs; do
  command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; missing=1; }
done
[ -x /usr/bin/time ] || { echo "missing: GNU time (/usr/bin/time)" >&2; missing=1; }
[ "$missing" = 0 ] || exit 2
mebibytes=1024 count=10000
if [ "${1:-}" = --small ]; then mebibytes=128 count=1250; shift; fi
dir=$(realpath -m "${BENCH_DIR:-target/bench}")/$mebibytes
runs=${RUNS:-5}
cargo build --release --quiet
bin=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/release/plainsight
scan="$bin scan --no-config --quiet --format json=/dev/null"

logs() { # logs NAME KIND MEBIBYTES FILES
  [ -e "$dir/$1/done" ] && return
  rm -rf "${dir:?}/$1"
  cargo bench --quiet --bench corpus -- "$2" "$3" "$4" "$dir/$1/logs"
  touch "$dir/$1/done"
}

times_over() { # times_over N: further names of the same files, as many bytes for the scan, none for the disk
  mkdir -p "$dir/growth-$1"
  for copy in $(seq "$1"); do
    for log in "$mixed"/*.log; do ln -f "$log" "$dir/growth-$1/$copy-$(basename "$log")"; done
  done
}

times=$(mktemp -d)
trap 'rm -rf "$times"' EXIT
wanted() { [ "${#rows[@]}" = 0 ] || [[ " ${rows[*]} " == *" $1 "* ]]; }
rows=("$@")

# row NAME BAR WHAT BASE SCAN [brief]: times both and tells their ratio; brief ones more often, and without a shell
row() {
  wanted "$1" || return 0
  local how=(--warmup 1 --runs "$runs")
  if [ "${6:-}" = brief ]; then how=(-N --warmup 5 --runs $((runs * 8))); fi
  hyperfine --style none --ignore-failure "${how[@]}" --export-json "$times/out.json" "$4" "$5" >/dev/null 2>&1
  jq -r --arg what "$3" --arg bar "$2" '
    def show: if . < 0.1 then "\(. * 10000 | round / 10) ms" else "\(. * 100 | round / 100) s" end;
    [.results[].median] as [$base, $scan]
    | "| \($what) | \($scan | show) | \($base | show) | \($scan / $base * 100 | round / 100) | \($bar) |"' "$times/out.json"
}

# peak NAME BAR WHAT COMMAND: its greatest memory
peak() {
  wanted memory || return 0
  /usr/bin/time -f %M -o "$times/peak" sh -c "exec $4" >/dev/null 2>&1 || true
  tail -n 1 "$times/peak" | awk -v what="$3" -v bar="$2" '{ printf "| memory: %s | %.0f MiB | | | %s |\n", what, $1 / 1024, bar }'
}

processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
echo "${processor:-an unknown processor}, $(nproc) cores, $(date -u +%Y-%m-%d), plainsight $("$bin" --version | cut -d' ' -f2), $mebibytes MiB, medians of $runs"
echo
echo '| work | plainsight | next to it | ratio | bar |'
echo '| --- | ---: | ---: | ---: | ---: |'

logs mixed mixed "$mebibytes" 8
mixed=$dir/mixed/logs
row plain '1.5' '8 files, next to `wc -l`' "wc -l $mixed/*" "$scan $mixed"
if wanted plain && command -v rg >/dev/null; then
  printf '%s\n' token password passwd pwd secret api_key apikey access_token auth sig signature session jsessionid code reset key >"$times/names"
  row plain '1/6' 'the same, next to `rg -ci -f` of 16 names' "rg -ci -f $times/names $mixed" "$scan $mixed"
fi
if wanted one-file || wanted one-gzip || wanted memory; then logs one mixed "$mebibytes" 1; fi
one=$dir/one/logs
row one-file '1.15' 'one file, next to 8' "$scan $mixed" "$scan $one"
if wanted gzip || wanted one-gzip || wanted memory; then
  for name in mixed one; do
    [ -e "$dir/$name/packed/done" ] && continue
    mkdir -p "$dir/$name/packed/logs"
    for log in "$dir/$name"/logs/*.log; do gzip -c "$log" >"$dir/$name/packed/logs/$(basename "$log").gz"; done
    touch "$dir/$name/packed/done"
  done
fi
packed=$dir/mixed/packed/logs
row gzip '0.55' '8 files .gz, next to two `gzip -dc`' "ls $packed/*.gz | xargs -P2 -n1 gzip -dc >/dev/null" "$scan $packed"
row one-gzip '0.47' 'one file .gz, next to `gzip -dc`' "gzip -dc $dir/one/packed/logs/*.gz >/dev/null" "$scan $dir/one/packed/logs"
if wanted unique || wanted memory; then logs unique unique "$mebibytes" 8; fi
row unique '12' 'every line leaks another token, next to `wc -l`' "wc -l $dir/unique/logs/*" "$scan $dir/unique/logs"
if wanted map; then logs map map "$mebibytes" 8; fi
row map '3' 'a map service, next to `wc -l`' "wc -l $dir/map/logs/*" "$scan $dir/map/logs"
if wanted small-files; then logs small small 1 "$count"; fi
row small-files '1.5' "$count files of 10 KB, next to \`cat\`" "cat $dir/small/logs/*" "$scan $dir/small/logs"
if wanted start || wanted version; then
  logs tiny small 1 1
  head -c 1000 "$dir"/tiny/logs/*.log >"$times/tiny.log"
fi
row start '10 ms' 'one file of 1 KB, next to `true`' true "$scan $times/tiny.log" brief
row version '3 ms' '`--version`, next to `true`' true "$bin --version" brief
peak memory '64 MiB' '8 files' "$scan $mixed"
if wanted memory; then times_over 10; fi
peak memory '64 MiB' '10 times the bytes' "$scan $dir/growth-10"
peak memory '64 MiB' 'one file .gz' "$scan $dir/one/packed/logs"
peak memory '256 MiB' 'every line leaks another token' "$scan $dir/unique/logs"
if wanted growth; then
  for n in 2 4 8; do
    times_over "$n"
    row growth 'the same ratio' "$n times the bytes, next to \`wc -l\`" "wc -l $dir/growth-$n/*" "$scan $dir/growth-$n"
  done
fi
