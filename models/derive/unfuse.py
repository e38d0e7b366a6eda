"""Takes the fused operators of a TensorFlow.js graph model apart, so that tf2onnx reads it: a fused convolution becomes the convolution, the addition of
the bias and the activation, under the names that the rest of the graph knows."""
import base64
import json
import pathlib
import shutil

PLAIN = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
OF_FUSED_ONLY = {"fused_ops", "num_args", "num_host_args", "TArgs", "epsilon", "leakyrelu_alpha", "filter_format", "host_args"}
NHWC = {"s": base64.b64encode(b"NHWC").decode()}


def unfuse(model_json: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Writes the model with plain operators, and its weights beside it, into `folder`."""
    model = json.loads(model_json.read_text())
    topology = model["modelTopology"]
    topology["node"] = _nodes(topology["node"])
    for function in topology.get("library", {}).get("function", []):
        function["nodeDef"] = _nodes(function.get("nodeDef", []))
    folder.mkdir(parents=True, exist_ok=True)
    for group in model["weightsManifest"]:
        for path in group["paths"]:
            shutil.copy(model_json.parent / path, folder / path)
    written = folder / model_json.name
    written.write_text(json.dumps(model))
    return written


def _nodes(nodes):
    plain = []
    for node in nodes:
        if node["op"] == "TopKV2":
            node["attr"].setdefault("index_type", {"type": "DT_INT32"})
        plain += _apart(node) if node["op"] in PLAIN else [node]
    return plain


def _apart(node):
    kind, name = node["attr"]["T"], node["name"]
    inputs = [i for i in node["input"] if not i.startswith("^")]
    attributes = {k: v for k, v in node["attr"].items() if k not in OF_FUSED_ONLY}
    if PLAIN[node["op"]] == "DepthwiseConv2dNative":
        attributes.pop("use_cudnn_on_gpu", None)
    steps, extra = [(PLAIN[node["op"]], inputs[:2], attributes)], inputs[2:]
    for fused in [base64.b64decode(s).decode() for s in node["attr"]["fused_ops"].get("list", {}).get("s", [])]:
        if fused == "BiasAdd":
            steps.append((fused, [extra.pop(0)], {"T": kind, "data_format": NHWC}))
        elif fused in ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh"):
            steps.append((fused, [], {"T": kind}))
        elif fused == "LeakyRelu":
            steps.append((fused, [], {"T": kind, "alpha": node["attr"].get("leakyrelu_alpha", {"f": 0.2})}))
        elif fused == "Prelu":
            steps.append((fused, [extra.pop(0)], {"T": kind}))
        else:
            raise ValueError(f"{name}: the fused operator {fused} is not known")
    plain, before = [], []
    for n, (op, others, attributes) in enumerate(steps):
        named = name if n == len(steps) - 1 else f"{name}__u{n}"
        if op == "Prelu":
            # relu(x) - slope * relu(-x)
            plain += [
                {"name": f"{named}__p", "op": "Relu", "input": before, "attr": attributes},
                {"name": f"{named}__n", "op": "Neg", "input": before, "attr": attributes},
                {"name": f"{named}__nr", "op": "Relu", "input": [f"{named}__n"], "attr": attributes},
                {"name": f"{named}__m", "op": "Mul", "input": [f"{named}__nr", *others], "attr": attributes},
                {"name": named, "op": "Sub", "input": [f"{named}__p", f"{named}__m"], "attr": attributes},
            ]
        else:
            plain.append({"name": named, "op": op, "input": [*before, *others], "attr": attributes})
        before = [named]
    return plain
