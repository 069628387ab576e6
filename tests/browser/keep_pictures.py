"""Makes the pictures that the tests took small, and writes them with a list of all into a folder: keep_pictures.py TAKEN FOLDER"""

import pathlib
import re
import sys

from PIL import Image

# A page has few colours; all else is the edge of a letter.
COLOURS = 16
BYTES_MAX = 8 * 2**20
SITE = pathlib.Path(__file__).parents[2] / "page/site"
HEAD = """# The page in every state

Drawn by `make pictures` from the tests in `tests/browser`, at 360 × 640 and 1280 × 800; `-open` is the whole page with every part of the result opened. They show the page of the commit
that they stand in, and are looked at by a person when they change. Receipts are specimens of chains that the tests make.

"""


# The page's own: few pixels of a long picture have that of a link.
OWN = {tuple(bytes.fromhex(colour)) for colour in re.findall(r"#([0-9a-f]{6})\b", (SITE / "style.css").read_text())}


def small(picture):
    """With the page's own colours and those that most of its pixels have, exactly, and every other pixel in the nearest of them."""
    picture = picture.convert("RGB")
    found = picture.getcolors(picture.width * picture.height)
    most = sorted(found, key=lambda one: (one[1] in OWN, one[0]), reverse=True)[:COLOURS]
    channels = [channel for _, colour in most for channel in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette(channels + channels[:3] * (256 - len(most)))
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def main(taken, folder):
    taken, folder = pathlib.Path(taken), pathlib.Path(folder)
    names = sorted(path.name for path in taken.glob("*.png"))
    if not names:
        raise SystemExit(f"there are no pictures in {taken}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        path.unlink()
    # Two states that look the same are one picture.
    kept, file_of = {}, {}
    for name in names:
        with Image.open(taken / name) as picture:
            made = small(picture)
        file_of[name] = kept.setdefault((made.size, made.convert("RGB").tobytes()), name)
        if file_of[name] == name:
            made.save(folder / name, optimize=True, bits=4)
    states = sorted({name.rsplit("-", 1)[0] for name in names})
    lines = [HEAD]
    for state in states:
        pictures = [name for name in names if name.rsplit("-", 1)[0] == state]
        lines.append(f"## {state}\n\n" + " ".join(f'<img src="{file_of[name]}" alt="{name}" height="320">' for name in pictures) + "\n\n")
    (folder / "README.md").write_text("".join(lines).rstrip() + "\n")
    size = sum(path.stat().st_size for path in folder.glob("*.png"))
    print(f"{len(kept)} pictures of {len(states)} states, {size} bytes, in {folder}")
    if size > BYTES_MAX:
        raise SystemExit(f"that is more than {BYTES_MAX} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
