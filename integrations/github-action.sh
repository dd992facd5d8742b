#!/usr/bin/env bash
# The steps of action.yml: `build` makes the program from the action's own source, `scan` runs it.
set -euo pipefail

build() {
  local root=${GITHUB_ACTION_PATH:?} target=${RUNNER_TEMP:-/tmp}/plainsight-target
  cargo build --release --locked --manifest-path "$root/Cargo.toml" --target-dir "$target"
  echo "binary=$target/release/plainsight" >> "${GITHUB_OUTPUT:?}"
}

# Appends the lines of $1 that are not empty to the array args.
lines() {
  local line
  while IFS= read -r line; do
    if [ -n "$line" ]; then args+=("$line"); fi
  done <<< "$1"
}

scan() {
  local code=0 report=${INPUT_REPORT:-plainsight.json}
  args=(-f "${INPUT_FORMAT:-table}" -f "json=$report")
  if [ -n "${INPUT_SARIF:-}" ]; then args+=(-f "sarif=$INPUT_SARIF"); fi
  if [ -n "${INPUT_FAIL_ON:-}" ]; then args+=("--fail-on=$INPUT_FAIL_ON"); fi
  if [ -n "${INPUT_BASELINE:-}" ]; then args+=("--baseline=$INPUT_BASELINE"); fi
  if [ -n "${INPUT_CONFIG:-}" ]; then args+=("--config=$INPUT_CONFIG"); fi
  lines "${INPUT_ARGS:-}"
  args+=(--)
  lines "${INPUT_PATHS:-}"
  "${PLAINSIGHT:?}" scan "${args[@]}" || code=$?
  {
    echo "report=$report"
    echo "exit-code=$code"
  } >> "${GITHUB_OUTPUT:?}"
  exit "$code"
}

case "${1:-}" in
  build) build ;;
  scan) scan ;;
  *) echo "usage: $0 build|scan" >&2; exit 2 ;;
esac
