#!/usr/bin/env bash
# The 20 slowest tests of a log that `timed-test.sh` wrote, what failed, and how many tests passed and failed in all of it. What
# failed comes last, because the end is what is read first.
#
#   slowest-tests.sh LOG
set -euo pipefail
echo "the 20 slowest tests, in seconds:"
sed -nE 's/^test (.*) \.\.\. (ok|FAILED) <([0-9.]+)s>$/\3 \1/p' "$1" | sort -rn | sed -n '1,20s/^/  /p'
awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$1"
sed -nE 's/^test (.*) \.\.\. FAILED.*$/failed: \1/p; /^with-temp-dir\.sh:/,/^with-temp-dir\.sh: end/p; s/^error(: .*failed.*)$/error\1/p' "$1"
