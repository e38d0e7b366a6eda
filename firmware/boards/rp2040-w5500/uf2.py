#!/usr/bin/env python3
"""One file for the first flashing over USB: the boot loader, and a signed program in the active slot.
usage: uf2.py <room-loader.bin> <room.tfw> <room.uf2>"""
import pathlib
import struct
import sys

# As src/layout.rs. The header has a page of its own; the image is linked to the one behind it.
LOADER, ACTIVE, PAGE, SLOT, HEADER = 0x10000000, 0x10020000, 4096, 608 * 1024, 136
RP2040 = 0xE48BFF56
BLOCK = 256


def blocks(at, data):
    for offset in range(0, len(data), BLOCK):
        yield at + offset, data[offset:offset + BLOCK].ljust(BLOCK, b"\xff")


def main(loader, program, out):
    loader, program = pathlib.Path(loader).read_bytes(), pathlib.Path(program).read_bytes()
    header, image = program[:HEADER], program[HEADER:]
    if len(loader) > ACTIVE - LOADER:
        return "the boot loader is longer than its part of the flash"
    if not header.startswith(b"TUOANFW1") or len(image) != struct.unpack_from("<I", header, 36)[0]:
        return "the program is no whole signed file; make it with `tuoan firmware sign`"
    if len(image) > SLOT - PAGE:
        return "the program is longer than its slot"
    # The header last, as everywhere: a flashing that was broken off starts nothing.
    parts = [*blocks(LOADER, loader), *blocks(ACTIVE + PAGE, image), *blocks(ACTIVE, header)]
    with open(out, "wb") as f:
        for number, (at, data) in enumerate(parts):
            head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, at, BLOCK, number, len(parts), RP2040)
            f.write(head + data + bytes(476 - BLOCK) + struct.pack("<I", 0x0AB16F30))
    return 0


if len(sys.argv) != 4:
    sys.exit(__doc__)
sys.exit(main(*sys.argv[1:]))
