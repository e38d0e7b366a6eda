"""`python check.py`: model.onnx is the one that model.toml and card.md name, and features.py and ONNX Runtime give what golden.json says.

Needs numpy and onnxruntime (../requirements-check.txt), no training data. Exits with 1 and the reason otherwise.
"""
import hashlib
import json
import pathlib
import re
import sys

import numpy as np
import onnxruntime

from features import NAMES, Room

HERE = pathlib.Path(__file__).resolve().parent


def main():
    blob = (HERE / "model.onnx").read_bytes()
    sha = hashlib.sha256(blob).hexdigest()
    for name in ("model.toml", "card.md", "golden.json", "metrics.json"):
        if sha not in (HERE / name).read_text():
            return f"{name} does not name {sha}; run train.py and mend card.md"
    golden = json.loads((HERE / "golden.json").read_text())
    if golden["names"] != NAMES or re.search(r"^features = (\d+)$", (HERE / "model.toml").read_text(), re.M).group(1) != str(len(NAMES)):
        return "features.py has other features than the model"
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    room, compared = Room(), 0
    for n, step in enumerate(golden["steps"]):
        x = room.minute(step["values"], step["minute_of_day"], step["working_day"], step["children_expected"])
        if "occupancy" not in step:
            continue
        occupancy, error, by_channel = session.run(None, {"features": np.array([x], dtype=np.float32)})
        for what, has, said in (
            ("features", x, step["features"]),
            ("occupancy", occupancy[0], [step["occupancy"]]),
            ("error", error[0], [step["error"]]),
            ("by_channel", by_channel[0], step["by_channel"]),
        ):
            worst = np.max(np.abs(np.array(has) - said) / np.maximum(np.abs(said), 1.0))
            if not worst <= golden["tolerance"]:
                return f"minute {n}: {what} deviates by {worst}"
        compared += 1
    print(f"room-climate {sha[:8]}: {compared} answers of ONNX Runtime {onnxruntime.__version__} are those of golden.json")


if __name__ == "__main__":
    sys.exit(main())
