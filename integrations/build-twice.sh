#!/usr/bin/env bash
# Builds the release twice, in two folders, and compares: the same source and compiler give the same bytes.
#
#   integrations/build-twice.sh
#
# Paths of the machine are taken out of the program; a release is built with these RUSTFLAGS and CFLAGS, too.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${CARGO_HOME:-$HOME/.cargo}
folders=()
for n in 1 2; do
  folder=$(mktemp -d)
  folders+=("$folder")
  trap 'rm -rf "${folders[@]}"' EXIT
  mkdir "$folder/source"
  git archive HEAD | tar -x -C "$folder/source"
  map="--remap-path-prefix=$folder/source=plainsight --remap-path-prefix=$folder/target=target --remap-path-prefix=$home=cargo"
  (
    cd "$folder/source"
    export RUSTFLAGS="$map" SOURCE_DATE_EPOCH=0 CARGO_INCREMENTAL=0
    export CFLAGS="-ffile-prefix-map=$folder=. -ffile-prefix-map=$home=cargo"
    cargo build --quiet --release --locked --target-dir "$folder/target"
  )
  sha256sum "$folder/target/release/plainsight" | cut -d ' ' -f 1
done
cmp "${folders[0]}/target/release/plainsight" "${folders[1]}/target/release/plainsight" && echo "equal"
