#!/usr/bin/env bash
# Says, before anything is compiled, what will be compiled and about how long that takes on this machine. The figures are CPU
# minutes measured on a 2-core machine (README, "The two commands"); the clock shows them divided by the cores.
#
#   say-build.sh WHAT        WHAT: "the demonstration" …, for the sentence; the target directory is CARGO_TARGET_DIR
set -euo pipefail
what="$1"
cores="$(nproc 2>/dev/null || echo 2)"
if compgen -G "$CARGO_TARGET_DIR/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
  echo "building $what in $CARGO_TARGET_DIR: RocksDB is there already, so only what changed is compiled"
else
  echo "building $what in $CARGO_TARGET_DIR for the first time: RocksDB (30 CPU minutes), the consensus engine and about 500" \
    "other crates (15); about $(( (45 + cores - 1) / cores )) minutes on $cores cores. Later builds and other clones use them again."
fi
