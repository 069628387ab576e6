"""What software of other makers makes of an OFD: the archive, its XML, its attachments, its font.

    python3 read_ofd.py DOCUMENT.ofd DATA.xml TEXT

TEXT is one that stands on the first page. Ends with an error where something does not hold.
"""

import io
import sys
import zipfile

from lxml import etree
from PIL import ImageFont

OFD = "{http://www.ofdspec.org/2016}"


def main() -> None:
    """Reads the document and says what is in it."""
    path, data, wanted = sys.argv[1:]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names)) and names[0] == "OFD.xml", names
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        trees = {name: etree.fromstring(archive.read(name)) for name in names if name.endswith(".xml")}

        root = trees["OFD.xml"].findtext(f".//{OFD}DocRoot")
        document = trees[root]
        folder = root.rsplit("/", 1)[0]
        pages = [page.get("BaseLoc") for page in document.iter(f"{OFD}Page")]
        contents = [trees[f"{folder}/{location}"] for location in pages]

        # Every object has an identifier of its own, none above the greatest that is said.
        identifiers = [int(page.get("ID")) for page in document.iter(f"{OFD}Page")]
        identifiers += [int(e.get("ID")) for content in contents for e in content.iter() if e.get("ID")]
        resources = trees[f"{folder}/{document.findtext(f'.//{OFD}PublicRes')}"]
        identifiers += [int(e.get("ID")) for e in resources.iter() if e.get("ID")]
        assert len(identifiers) == len(set(identifiers))
        assert max(identifiers) == int(document.findtext(f".//{OFD}MaxUnitID"))

        texts = [e.text for e in contents[0].iter(f"{OFD}TextCode")]
        assert any(wanted in text for text in texts), texts
        for code in (e for content in contents for e in content.iter(f"{OFD}TextCode")):
            # One distance less than glyphs: a character of several code points is one glyph.
            merged = sum(int(e.get("CodeCount")) - 1 for e in code.getparent().iter(f"{OFD}CGTransform"))
            assert len(code.get("DeltaX", "").split()) == len(code.text) - merged - 1, code.text
        width, height = [float(side) for side in document.findtext(f".//{OFD}PhysicalBox").split()[2:]]
        for element in (e for content in contents for e in content.iter() if e.get("Boundary")):
            x, y, w, h = [float(side) for side in element.get("Boundary").split()]
            assert x >= 0 and y >= 0 and x + w <= width + 0.001 and y + h <= height + 0.001, element.attrib

        location = document.findtext(f".//{OFD}Attachments")
        attached = f"{folder}/{location}".rsplit("/", 1)[0]
        files = {
            entry.get("Name"): archive.read(f"{attached}/{entry.findtext(f'{OFD}FileLoc')}")
            for entry in trees[f"{folder}/{location}"].iter(f"{OFD}Attachment")
        }
        with open(data, "rb") as expected:
            assert files["einvoice.xml"] == expected.read()
        assert files["bundle.tally"] == b"the bundle"

        font_file = resources.findtext(f".//{OFD}FontFile")
        font_bytes = archive.read(f"{folder}/{resources.get('BaseLoc')}/{font_file}")
        font = ImageFont.truetype(io.BytesIO(font_bytes), 100)
        assert font.getname() == ("TallystickFace", "Regular"), font.getname()
        for character in wanted:
            if not 0xE0100 <= ord(character) <= 0xE01EF:
                drawn = font.getmask(character)
                ink = sum(1 for level in drawn if level > 127)
                assert ink > 50, f"{character!r} has no ink"
        # Full-width and half-width.
        assert (font.getlength("林"), font.getlength("1")) == (100, 50)
    print(f"{len(pages)} pages, {len(files)} attachments, font drawn")


main()
