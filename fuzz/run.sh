#!/usr/bin/env bash
# Fuzzes each target for some seconds and tells executions, coverage and crashes; one line for each target.
#
#   fuzz/run.sh [SECONDS] [TARGET]...
#
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz); without them it says so and ends well. What is found
# is kept in fuzz/corpus and fuzz/artifacts; SEED fixes the order of what is tried. A crash becomes a file in
# fixtures/fuzz/TARGET, which `cargo test` runs.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
if ! cargo +nightly --version >/dev/null 2>&1; then
  echo "SKIPPED fuzzing: no nightly toolchain: rustup toolchain install nightly"
  exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "SKIPPED fuzzing: cargo install cargo-fuzz"
  exit 0
fi
# Our code has no unsafe; without the address sanitizer twice as many inputs are tried.
sanitizer=${SANITIZER:-none}
triple=$(rustc +nightly -vV | sed -n 's/^host: //p')
cargo +nightly fuzz build --sanitizer "$sanitizer"
cargo +nightly run --quiet --release --manifest-path fuzz/Cargo.toml --example seeds -- fuzz/corpus
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
[ $# -eq 0 ] || targets=("$@")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
for target in "${targets[@]}"; do
  mkdir -p "fuzz/artifacts/$target" "fuzz/corpus/$target"
  status=found
  # Inputs over 10 s and 2 GiB are crashes, too.
  if "fuzz/target/$triple/release/$target" "fuzz/corpus/$target" -artifact_prefix="fuzz/artifacts/$target/" \
      -seed="${SEED:-0}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 >"$log" 2>&1; then
    status=held
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  reached=$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$log" | tail -n 1 || true)
  echo "$target: $status; ${runs:-?} executions; ${reached:-no coverage}"
  if [ "$status" = found ]; then
    failed=1
    grep -aE 'panicked at|ERROR: libFuzzer|Test unit written' -A 1 "$log" | cut -c1-300 || true
  fi
done
exit "$failed"
