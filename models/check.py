"""`python check.py`: each model of the eyes is the one that its model.toml, card.md and golden.json name, and ONNX Runtime gives what golden.json says.

Needs numpy, onnx, onnxruntime and pillow (requirements-check.txt). Exits with 1 and the reason otherwise.
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent


def pattern(width, height):
    """Squares of 16 pixels in colours drawn by a linear congruential generator (Numerical Recipes' constants); `models/check.rs` draws the same."""
    across, state, rgb = -(-width // 16), 1, np.zeros((height, width, 3), np.uint8)
    for n in range(across * -(-height // 16)):
        y, x = 16 * (n // across), 16 * (n % across)
        for c in range(3):
            state = (state * 1664525 + 1013904223) % 2**32
            rgb[y : y + 16, x : x + 16, c] = state >> 24
    return rgb


def normalised(rgb):
    bgr = rgb[..., ::-1].astype(np.float32)
    return ((bgr - np.float32([103.53, 116.28, 123.675])) / np.float32([57.375, 57.12, 58.395])).transpose(2, 0, 1)[None]


# What each contract makes of a picture of its own size.
PREPARE = {
    "person-pose": lambda rgb: rgb.astype(np.int32)[None],
    "objects": normalised,
    "faces": lambda rgb: (rgb.astype(np.float32) / np.float32(127.5) - np.float32(1))[None],
}


def sha256_of(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run(file, tensor):
    """Output by name. The input's size becomes that of `tensor`, as the gateway does it."""
    model = onnx.load(file)
    (entry,) = model.graph.input
    for dim, size in zip(entry.type.tensor_type.shape.dim, tensor.shape, strict=True):
        dim.dim_value = size
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {entry.name: tensor}), strict=True))


def check(name):
    folder = HERE / name
    sha256 = sha256_of(folder / "model.onnx")
    for file in ("model.toml", "card.md", "golden.json"):
        if sha256 not in (folder / file).read_text():
            return f"{name}/{file} does not name {sha256}; run derive/derive.py, derive/golden.py and mend the card"
    golden, compared, worst = json.loads((folder / "golden.json").read_text()), 0, 0.0
    for n, case in enumerate(golden["cases"]):
        rgb = pattern(*case["pattern"]) if "pattern" in case else np.asarray(Image.open(folder / case["picture"]).convert("RGB"))
        answers = run(folder / "model.onnx", PREPARE[name](rgb))
        for port, said in case["answers"].items():
            for index, value in said:
                deviation = abs(float(answers[port].ravel()[index]) - value) / max(abs(value), 1.0)
                if not deviation <= golden["tolerance"]:
                    return f"{name}, case {n}: {port}[{index}] deviates by {deviation}"
                compared, worst = compared + 1, max(worst, deviation)
    print(f"{name} {sha256[:8]}: {compared} numbers of ONNX Runtime {onnxruntime.__version__} are those of golden.json, at most {worst:.1e} away")
    return None


if __name__ == "__main__":
    sys.exit(next(filter(None, map(check, PREPARE)), None))
