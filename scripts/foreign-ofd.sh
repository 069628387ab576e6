#!/usr/bin/env bash
# Has ofdrw, an OFD library of other makers, read documents of ours: text, attachments, pictures; and another decoder the code off its pictures.
# Part of `make soak`. Needs java and mvn (Debian: default-jdk-headless, maven), and reaches Maven Central the first time.
#
#   foreign-ofd.sh FOLDER      FOLDER is what `document_figures FOLDER` left behind
set -euo pipefail
folder="$(cd "$1" && pwd)"
here="$(cd "$(dirname "$0")/.." && pwd)/document/tests/foreign"
target="${CARGO_TARGET_DIR:-$HOME/.cache/tallystick/target}"
for program in java mvn; do
  command -v "$program" >/dev/null || { echo "foreign-ofd: $program is missing: install default-jdk-headless and maven (Debian's names)" >&2; exit 1; }
done
jars="$target/foreign-ofd/$(sha256sum "$here/ofdrw/pom.xml" | cut -c 1-16)"
if [[ ! -e "$jars/complete" ]]; then
  mvn --quiet --batch-mode --file "$here/ofdrw/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"
  touch "$jars/complete"
fi
java -Djava.awt.headless=true -cp "$jars/*" "$here/ofdrw/Read.java" "$folder"
python="$target/foreign-ofd/python"
if [[ ! -e "$python/complete" ]]; then
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  touch "$python/complete"
fi
# The code that ofdrw has drawn is the one that our own picture has.
"$python/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path
import zxingcpp
from PIL import Image

folder = Path(sys.argv[1])
def code(picture):
    return [found.text for found in zxingcpp.read_barcodes(Image.open(picture).convert("L"))]
drawn = sorted(folder.glob("*-ofdrw-1.png"))
assert drawn, "ofdrw drew nothing"
for picture in drawn:
    own = code(folder / picture.name.replace("-ofdrw-1.png", "-1.png"))
    assert len(own) == 1 and code(picture) == own, f"{picture.name}: {code(picture)}, and ours {own}"
print(f"the code of {len(drawn)} documents is read off ofdrw's pictures")
PYTHON
