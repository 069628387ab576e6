#!/usr/bin/env bash
# The 20 slowest tests of a log that `timed-test.sh` wrote, and how many tests passed and failed in all of it.
#
#   slowest-tests.sh LOG
set -euo pipefail
echo "the 20 slowest tests, in seconds:"
sed -nE 's/^test (.*) \.\.\. (ok|FAILED) <([0-9.]+)s>$/\3 \1/p' "$1" | sort -rn | sed -n '1,20s/^/  /p'
awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$1"
