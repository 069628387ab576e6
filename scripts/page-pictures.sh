#!/usr/bin/env bash
# The page in every state that the browser tests go through, at 360 × 640 and 1280 × 800, as small PNGs with a list of them.
#
#   page-pictures.sh FOLDER       FOLDER: what is there from before is replaced; CARGO_TARGET_DIR is where the programs are
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="$1"
taken="$(mktemp -d)"
trap 'rm -r "$taken"' EXIT
SCREENSHOTS="$taken" cargo test --release --workspace --locked --test main -- page:: portal::in_a_browser
# The packages of the browser tests are where these have put them: by the hash of what they ask for.
venv="$CARGO_TARGET_DIR/python/$(sha256sum tests/browser/requirements.txt | cut -c 1-16)"
"$venv/bin/python" tests/browser/keep_pictures.py "$taken" "$folder"
