"""Keeping the node in service, with the commands that a person uses: enrolment over the serial line, settings, updates and why they are refused."""
import json
import os
import re

from gateway import DEVICE, SITE

BOARD = "qemu-lm3s6965"
SIGNATURE = slice(72, 136)


def check(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


def starts(board):
    """Numbers of the board's starts so far."""
    return [int(n) for n in re.findall(r"^started boot (\d+)$", board.console(), re.M)]


def enrol(board, gateway):
    """From a node that is nobody to one that knows its gateway; the number of its start."""
    board.wait_console("nobody yet")
    who = r"tuoan-node lm3s6965/[0-9a-f]{12} 0\.1\.0 "
    check(re.fullmatch(who + "-", answer := board.tell("who")), answer)
    for line, word in (
        (f"enrol {SITE} {board.gateway} {DEVICE}:{gateway.password}", "credential"),
        (f"enrol {SITE} gateway.local:1883 tuoan:credential:{DEVICE}:{gateway.password}", "name server"),
        ("help", "write who, enrol or forget"),
    ):
        check((answer := board.tell(line)).startswith("error ") and word in answer, answer)
    check((answer := board.tell(f"enrol {SITE} {board.gateway} tuoan:credential:{DEVICE}:{gateway.password}")) == "ok", answer)
    board.wait_console("started boot")
    # A start lets the key go, as far as the key knows; the board sees it pressed until it is let go once more.
    board.door(False)
    check(re.fullmatch(who + f"{SITE}/{DEVICE}", answer := board.tell("who")), answer)
    check(gateway.password not in board.console(), "the password is on the console")
    return starts(board)[-1]


def restarts(board, before):
    """Waits for the start after number `before`."""
    board.wait_console(f"started boot {before + 1}")
    board.door(False)
    return before + 1


def settings(board, gateway, boot):
    """A node that is 120 m above the sea, and not 9000; the number of the start that makes it so."""
    file = os.path.join(gateway.folder, "settings.json")

    def put(**wanted):
        with open(file, "w") as to:
            json.dump(wanted, to)
        return gateway.tuoan("firmware", "settings", file, "--device", DEVICE, "--data", gateway.data, "--by", "test", may_fail=True)

    said = put(altitude_m=9000)
    check("altitude_m" in said and starts(board)[-1] == boot, said)
    said = put(altitude_m=120)
    check(f"{DEVICE}\tmeasures by it" in said, said)
    return restarts(board, boot)


def offers(gateway):
    """Images that the node must refuse, each with its reason. The gateway passes them on as they are: judging is the node's. This board knows nobody who may sign for it."""
    image, key = (os.path.join(gateway.folder, name) for name in ("image.bin", "release.key"))
    with open(image, "wb") as to:
        to.write(bytes(i * 7 & 0xFF for i in range(500)))
    gateway.tuoan("firmware", "key", key)

    def signed(name, change=lambda file: file):
        path = os.path.join(gateway.folder, f"{name}.tfw")
        gateway.tuoan("firmware", "sign", image, "--key", key, "--board", BOARD, "--hardware", "1", "--version", "0.2.0", "--out", path)
        with open(path, "rb") as file:
            changed = change(bytearray(file.read()))
        with open(path, "wb") as file:
            file.write(changed)
        return path

    def without(file):
        file[SIGNATURE] = bytes(64)
        return file

    return [("unsigned", signed("unsigned", change=without)), ("bad_signature", signed("stranger"))]


def updates(board, gateway, boot):
    refused = offers(gateway)
    for reason, file in refused:
        said = gateway.tuoan("firmware", "publish", file, "--device", DEVICE, "--data", gateway.data, "--by", "test", may_fail=True)
        check(f"{DEVICE}\trefused: {reason}\n" in said, f"{os.path.basename(file)}, {reason}: {said}")
    check(starts(board)[-1] == boot, "a refused image made the node start anew")
    return [reason for reason, _ in refused]
