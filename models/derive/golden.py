"""`python golden.py` writes golden.json and its pictures for models/{person-pose,objects,faces}: what ONNX Runtime answers to each picture.

The pictures are frames of gateway/demo-data/cameras (Intel Corporation, CC BY 4.0, see the ATTRIBUTION.md there), cut, scaled, with few colours so that they
are small and come out of every PNG decoder the same; and a pattern that is computed.
"""
import json
import pathlib
import sys

import numpy as np
from PIL import Image

MODELS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(MODELS))
from check import PREPARE, pattern, run, sha256_of  # noqa: E402

CAMERAS = MODELS.parent / "gateway/demo-data/cameras"
WHOLE = (0, 0, 480, 270)
# Model: (frame, what is cut out of its 480 x 270 pixels, size), or the pattern's size.
PICTURES = {
    "person-pose": [("walk/0104", WHOLE, (320, 192)), ("walk/0080", WHOLE, (512, 288)), (320, 192)],
    "objects": [("walk/0124", (105, 0, 375, 270), (416, 416)), (416, 416)],
    "faces": [("walk/0040", (150, 0, 330, 180), (256, 256)), (256, 256)],
}
COLOURS = 96
# Both backends, and other builds of them, add up in another order.
TOLERANCE = 1e-3
# Values compared of each output, besides those about what was found.
SPREAD = 24


def main():
    for name, pictures in PICTURES.items():
        folder, cases = MODELS / name, []
        for n, picture in enumerate(pictures):
            if len(picture) == 2:
                case = {"pattern": list(picture)}
                rgb = pattern(*picture)
            else:
                frame, part, size = picture
                file = f"golden-{n}.png"
                image = Image.open(CAMERAS / f"{frame}.jpg").convert("RGB").crop(part).resize(size, Image.Resampling.BICUBIC)
                image.quantize(COLOURS, dither=Image.Dither.NONE).save(folder / file, optimize=True)
                case = {"picture": file}
                rgb = np.asarray(Image.open(folder / file).convert("RGB"))
            answers = run(folder / "model.onnx", PREPARE[name](rgb))
            case["answers"] = {port: [[int(i), float(answer.ravel()[i])] for i in sorted(telling(name, answer))] for port, answer in answers.items()}
            cases.append(case)
        golden = {"contract": f"{name}/1", "sha256": sha256_of(folder / "model.onnx"), "tolerance": TOLERANCE, "cases": cases}
        text = json.dumps(golden, indent=None).replace('{"p', '\n{"p').replace('"answers"', '\n"answers"').replace("]], ", "]],\n")
        (folder / "golden.json").write_text(text.replace(", \n", ",\n") + "\n")
        print(name, [len(v) for c in cases for v in c["answers"].values()])


def telling(name, answer):
    """Which numbers of an answer are compared: those about something that was found, and some from everywhere."""
    flat = answer.ravel()
    if name == "person-pose":
        # What the model says of nobody depends on the last bit; of somebody, and how sure it is of each of the six, does not.
        for row in range(6):
            yield row * 56 + 55
            if answer[0, row, 55] >= 0.1:
                yield from range(row * 56 + 51, row * 56 + 55)
                joints = [j for j in range(17) if answer[0, row, 3 * j + 2] >= 0.2]
                yield from (row * 56 + 3 * j + k for j in joints for k in range(3))
        return
    chosen = set(range(0, flat.size, max(1, flat.size // SPREAD)))
    chosen |= set(np.argsort(-np.abs(flat), kind="stable")[:SPREAD].tolist())
    yield from chosen


if __name__ == "__main__":
    sys.exit(main())
