"""Reads pictures (binary PGM) with zxing-cpp, which nobody here wrote: one line for each file, its text or nothing."""

import sys

import zxingcpp

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        kind, size, most, pixels = file.read().split(b"\n", 3)
    if kind != b"P5" or most != b"255":
        sys.exit(f"{path} is no picture of this test")
    width, height = map(int, size.split())
    image = memoryview(pixels).cast("B", (height, width))
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    print(found[0].text if found else "")
