#!/usr/bin/env python3
"""Sizes of the board's programs against their limits, from the ELF files; beside each program its image (.bin), as it is signed and flashed.
usage: size.py <folder with the programs>"""
import pathlib
import struct
import sys

# Flash: what is loaded. RAM: what the linker lays out; the stack has the rest of the 256 KiB.
LIMITS = {"room": (408, 176), "kitchen": (384, 172), "room-loader": (88, 8), "kitchen-loader": (88, 8)}
BOOT2, ACTIVE, FLASH_END = 0x10000000, 0x10021000, 0x10200000
RAM, RAM_END, BANK = 0x20000000, 0x20040000, 256 * 1024


def segments(elf):
    """(physical address, bytes, virtual address, bytes in memory) of what is loaded."""
    at, = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    for i in range(count):
        kind, offset, virtual, physical, in_file, in_memory = struct.unpack_from("<6I", elf, at + i * size)
        if kind == 1:
            yield physical, elf[offset:offset + in_file], virtual, in_memory


def image(parts, start):
    """One piece from `start` on, holes filled as blank flash."""
    parts = [(at, data) for at, data in parts if start <= at < FLASH_END and data]
    whole = bytearray(b"\xff" * (max(at + len(data) for at, data in parts) - start))
    for at, data in parts:
        whole[at - start:at - start + len(data)] = data
    return bytes(whole)


def main(folder):
    print(f"{'program':<16}{'flash':>9}{'limit':>9}{'RAM':>9}{'limit':>9}{'left for stack':>16}")
    bad = False
    for name, (flash_limit, ram_limit) in LIMITS.items():
        found = list(segments((folder / name).read_bytes()))
        # A program brings no second stage: the one in front of the boot loader starts the chip.
        start = BOOT2 if name.endswith("-loader") else ACTIVE
        code = image([(physical, data) for physical, data, _, _ in found], start)
        (folder / f"{name}.bin").write_bytes(code)
        ram = sum(size for _, _, virtual, size in found if RAM <= virtual < RAM_END)
        print(f"{name:<16}{len(code):>9}{flash_limit * 1024:>9}{ram:>9}{ram_limit * 1024:>9}{BANK - ram:>16}")
        bad |= len(code) > flash_limit * 1024 or ram > ram_limit * 1024
    return "a program is larger than its limit" if bad else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
