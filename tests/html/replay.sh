#!/usr/bin/env bash
# Redacts the HAR that Playwright recorded, and has Playwright replay the copy in Chromium (`routeFromHAR`): every page
# and reply has to be found in it. Needs chromium, node and the npm package playwright-core; says so and passes where
# they are missing.
#   tests/html/replay.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${1:-target/release/plainsight}
for tool in chromium node npm; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: no redacted HAR was replayed: $tool is missing"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/html/replay.js tests/html/package.json "$work"
(cd "$work" && npm install --silent --no-audit --no-fund >/dev/null 2>&1) \
  || { echo "SKIPPED: no redacted HAR was replayed: npm cannot install playwright-core"; exit 0; }
for paranoid in "" --paranoid; do
  "$program" redact $paranoid --force -o "$work/clean.har" fixtures/captures/playwright/visit.har 2>/dev/null
  node "$work/replay.js" fixtures/captures/playwright/visit.har "$work/clean.har" fixtures/captures/planted.json \
    "$(command -v chromium)" "$paranoid"
done
