#!/usr/bin/env bash
# Opens the HTML report in Chromium and looks at what a reader gets: no error, no request, filters, sorting, links.
# Needs chromium, node and the npm package playwright-core; says so and passes where they are missing.
#   tests/html/check.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${1:-target/release/plainsight}
for tool in chromium node npm; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: the HTML report was not opened in a browser: $tool is missing"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/html/check.js tests/html/package.json "$work"
(cd "$work" && npm install --silent --no-audit --no-fund >/dev/null 2>&1) \
  || { echo "SKIPPED: the HTML report was not opened in a browser: npm cannot install playwright-core"; exit 0; }
# Many findings, of all severities, some of them hostile.
{
  cat fixtures/demo/nginx/access.log
  for i in $(seq 1200); do
    printf '192.0.2.%d - - [04/Mar/2026:00:00:00 +0000] "GET /app%s/login?user=jo&password=Zq81kfUwe_%d HTTP/1.1" 200 1 "-" "<script>alert(%d)</script>"\n' \
      $((i % 250)) "$(printf '%s' "$i" | tr 0-9 a-j)" "$i" "$i"
  done
  printf '192.0.2.9 - - [05/Mar/2026:00:00:00 +0000] "GET /<img src=x onerror=alert(1)>/x?password=Zq81kfUwe_x HTTP/1.1" 200 1 "-" "-"\n'
} > "$work/access.log"
printf '0123456789abcdef0123456789abcdef' > "$work/key"
chmod 600 "$work/key"
"$program" scan --now 2026-11-21T00:00:00Z --fail-on never --fingerprint-key-file "$work/key" \
  -f html="$work/report.html" -f json="$work/report.json" "$work/access.log"
node "$work/check.js" "$work/report.html" "$work/report.json" "$(command -v chromium)"
