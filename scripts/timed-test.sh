#!/usr/bin/env bash
# Runs one test program so that it prints how long each test took; cargo is told to use it as its runner. The flag is called
# unstable, and the variable lets this one process use it: set for cargo, it would compile dependencies anew.
#
#   timed-test.sh PROGRAM ARGUMENTS...
set -euo pipefail
program="$1"; shift
RUSTC_BOOTSTRAP=1 exec "$program" "$@" -Z unstable-options --report-time
