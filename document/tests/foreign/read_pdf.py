"""What a PDF library of another maker finds in a document: prints one JSON object, and writes the attachment beside the document.

    python3 read_pdf.py DOCUMENT.pdf ATTACHMENT-OUT
"""

import json
import sys

import pikepdf


def main() -> None:
    """Reads the document and says what is in it."""
    path, out = sys.argv[1:]
    with pikepdf.open(path) as document:
        root = document.Root
        files = {name: document.attachments[name] for name in document.attachments}
        associated = [str(entry.UF) for entry in root.AF]
        found = {}
        for name, spec in files.items():
            attached = spec.get_file()
            with open(out, "wb") as target:
                target.write(attached.read_bytes())
            found[name] = {
                "relationship": str(spec.obj.AFRelationship),
                "media_type": attached.mime_type,
                "description": spec.description,
                "modified": str(attached.obj.Params.ModDate),
                "size": int(attached.obj.Params.Size),
            }
        with document.open_metadata() as metadata:
            about = {
                "part": metadata.get("pdfaid:part"),
                "conformance": metadata.get("pdfaid:conformance"),
                "title": metadata.get("dc:title"),
                "created": metadata.get("xmp:CreateDate"),
                "standard": metadata.pdfa_status,
            }
        by_name = [page.resources.get("/Font", pikepdf.Dictionary()) for page in document.pages]
        fonts = [fonts[name] for fonts in by_name for name in fonts.keys()]
        descriptors = [font.DescendantFonts[0].FontDescriptor for font in fonts]
        print(
            json.dumps(
                {
                    "attachments": found,
                    "associated": associated,
                    "metadata": about,
                    "pages": len(document.pages),
                    "encrypted": document.is_encrypted,
                    "output_intents": [str(intent.S) for intent in root.OutputIntents],
                    "info_created": str(document.docinfo["/CreationDate"]),
                    "fonts_embedded": all(
                        "/FontFile2" in entry or "/FontFile3" in entry for entry in descriptors
                    ),
                    "fonts": sorted({str(font.BaseFont) for font in fonts}),
                    "javascript": "/JavaScript" in root.get("/Names", {}) or "/OpenAction" in root,
                    "problems": document.check_pdf_syntax(),
                },
                ensure_ascii=False,
            )
        )


main()
