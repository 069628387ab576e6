"""Asks the verifier in a browser, loaded by the page's own code, and prints its answers, one a line.

answers.py SITE MODULE QUESTIONS    SITE: the folder of the page's sources; MODULE: the compiled verifier, the one of codes beside it; QUESTIONS: one JSON a line,
                                    {"options": {...}, "trust": "...", "bundle": "hex"}, or of a code's text
                                    {"options": {...}, "trust": "...", "directory": "hex", "code": "..."}
"""

import base64
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

from harness import browser, served

HTML = """<!doctype html>
<script id="trust" type="text/plain"></script>
<script id="verify" type="text/plain" data-address="verify.wasm" data-integrity="sha256-{verify}"></script>
<script id="codes" type="text/plain" data-address="codes.wasm" data-integrity="sha256-{codes}"></script>
"""

LOAD = """async () => {
  const { PLAIN, encoded, load, put, scanText, taken, verdictText } = await import('/site/verifier.js');
  const [verifier, codes] = [await load('verify'), await load('codes')];
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
  window.answers = (questions) => questions.map(({ options, trust, bundle, directory, code }) => {
    verifier.trust = codes.trust = encoded(trust);
    if (code === undefined) return verdictText(verifier, options, bytes(bundle));
    return scanText(codes, options, { code, directory: bytes(directory) });
  });
  // What the page shows without asking the verifier must be what the verifier says of it.
  const units = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
  const plain = units.filter((unit) => PLAIN.test(unit)).join('');
  put(verifier, [encoded(plain)]);
  const told = new TextDecoder().decode(taken(verifier, verifier.exports.tallystick_shown()));
  if (plain.length < 20000 || told !== plain) throw new Error('PLAIN names characters that are not shown as they are');
}"""

AT_ONCE = 50


def main(site, module, questions):
    questions = [json.loads(line) for line in pathlib.Path(questions).read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copytree(site, folder / "site")
        digests = {}
        for name, path in [("verify", pathlib.Path(module)), ("codes", pathlib.Path(module).with_name("tallystick_page_codes.wasm"))]:
            shutil.copy(path, folder / f"{name}.wasm")
            digests[name] = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
        (folder / "index.html").write_text(HTML.format(**digests))
        with browser() as started, served(folder) as address:
            page = started.new_page()
            page.goto(address)
            page.evaluate(LOAD)
            for first in range(0, len(questions), AT_ONCE):
                for answer in page.evaluate("(questions) => answers(questions)", questions[first : first + AT_ONCE]):
                    print(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
