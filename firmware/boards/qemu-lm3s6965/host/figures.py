"""What the firmware takes of the chip, from its ELF file."""
import struct


def memory(image):
    """Bytes of flash, and of RAM for static variables."""
    with open(image, "rb") as file:
        elf = file.read()
    offset, = struct.unpack_from("<I", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 46)
    flash = ram = 0
    for i in range(count):
        _, kind, flags, address, _, length = struct.unpack_from("<IIIIII", elf, offset + i * size)
        if not flags & 2:
            continue
        if address >= 0x20000000:
            ram += length
        # Initial values of variables (PROGBITS in RAM) lie in flash as well.
        if address < 0x20000000 or kind == 1:
            flash += length
    return flash, ram


def table(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
