#!/usr/bin/env bash
# with-temp-dir.sh COMMAND...: runs the command with a temporary directory of its own (TMPDIR), which goes when the command ends or is
# interrupted. After success it must be empty: what a test makes there it removes. After failure it stays, for its logs, until the
# next run.
set -uo pipefail

parent="${TMPDIR:-/tmp}"
# What a killed or failed run left: its owner is gone.
for left in "$parent"/tallystick-tests-*; do
  owner="${left##*tallystick-tests-}"; owner="${owner%%-*}"
  if [[ -d "$left" && "$owner" =~ ^[0-9]+$ ]] && ! kill -0 "$owner" 2>/dev/null; then rm -rf -- "$left"; fi
done

TMPDIR="$(mktemp -d "$parent/tallystick-tests-$$-XXXX")" || exit 1
export TMPDIR
# Tests that run processes as another user have directories in it which that user enters; nobody lists it.
chmod 711 -- "$TMPDIR"
interrupted() {
  trap '' INT TERM
  for job in $(jobs -p); do
    kill -TERM -- "-$job" 2>/dev/null
    wait "$job" 2>/dev/null
  done
  until rm -rf -- "$TMPDIR" 2>/dev/null; do sleep 0.1; done
  exit 130
}
# Before the command begins: an interruption right at its beginning must find the trap.
trap interrupted INT TERM
# A process group of its own, so that an interruption reaches the test programs, too.
set -m
"$@" &
child=$!
set +m
wait "$child"
status=$?
trap - INT TERM
if (( status != 0 )); then
  if rmdir -- "$TMPDIR" 2>/dev/null; then exit "$status"; fi
  echo "with-temp-dir.sh: what the failed run left is in $TMPDIR" >&2
  find "$TMPDIR" -mindepth 1 -maxdepth 2 -ls | head -100 >&2
  echo "with-temp-dir.sh: end of what is left" >&2
  exit "$status"
fi
if ! rmdir -- "$TMPDIR" 2>/dev/null; then
  echo "with-temp-dir.sh: tests left in the temporary directory:" >&2
  find "$TMPDIR" -mindepth 1 -ls | head -100 >&2
  echo "with-temp-dir.sh: end of what is left" >&2
  rm -rf -- "$TMPDIR"
  exit 1
fi
