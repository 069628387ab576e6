"""Makes the pictures that the tests took small, and writes them with a list of all into a folder: keep_pictures.py TAKEN FOLDER"""

import pathlib
import sys

from PIL import Image

# A page has few colours; what is between two of them is the edge of a letter.
COLOURS = 16
BYTES_MAX = 3 * 2**20
HEAD = """# The page in every state

Drawn by `make pictures` from the tests in `tests/browser`, at 360 × 640 and 1280 × 800; `-open` is the whole page with every part opened. They show the page of the commit
that they stand in, and are looked at by a person when they change. Receipts are specimens of a chain that the tests make.

"""


def small(picture):
    """With a palette, without dots between colours, at the best compression."""
    return picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main(taken, folder):
    taken, folder = pathlib.Path(taken), pathlib.Path(folder)
    names = sorted(path.name for path in taken.glob("*.png"))
    if not names:
        raise SystemExit(f"there are no pictures in {taken}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        path.unlink()
    for name in names:
        with Image.open(taken / name) as picture:
            small(picture).save(folder / name, optimize=True)
    states = sorted({name.rsplit("-", 1)[0] for name in names})
    lines = [HEAD]
    for state in states:
        pictures = [name for name in names if name.rsplit("-", 1)[0] == state]
        lines.append(f"## {state}\n\n" + " ".join(f'<img src="{name}" alt="{name}" height="320">' for name in pictures) + "\n\n")
    (folder / "README.md").write_text("".join(lines).rstrip() + "\n")
    size = sum((folder / name).stat().st_size for name in names)
    print(f"{len(names)} pictures of {len(states)} states, {size} bytes, in {folder}")
    if size > BYTES_MAX:
        raise SystemExit(f"that is more than {BYTES_MAX} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
