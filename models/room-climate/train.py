"""Trains the room-climate model: `python train.py --data DIR`, DIR holding office_feb04_10.csv and lab_dec22_26.csv (see card.md).

Writes model.onnx, model.toml (contract and hash), golden.json and metrics.json beside itself. The same inputs and packages give the same bytes.
Two heads in one graph over the features of features.py:
  occupancy    logistic regression on CO2, light and noise, without hour or weekday: it must work where nobody is expected
  normality    autoencoder of all channels given hour, day, care hours and occupancy; its error says how unusual the room is as a whole
"""
import argparse
import csv
import datetime as dt
import hashlib
import itertools
import json
import pathlib
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score
from sklearn.neural_network import MLPRegressor

import nursery
from features import CHANNELS, NAMES, PER_CHANNEL, Room

HERE = pathlib.Path(__file__).resolve().parent
CONTRACT = "room-climate/1"
SEED = 20261122
EPOCH = dt.datetime(2015, 1, 1)
N, LEVELS = len(NAMES), len(CHANNELS) * len(PER_CHANNEL)
KNOWN = list(range(LEVELS, LEVELS + len(CHANNELS)))
# What the occupancy head looks at: CO2, light, noise.
SEEN = (2, 3, 4)
SUBSETS = {"+".join(CHANNELS[c] for c in s): s for r in (3, 2, 1) for s in itertools.combinations(SEEN, r)}
OFFICE_SPLIT, LAB_SPLIT = dt.datetime(2015, 2, 7), dt.datetime(2017, 12, 23)
SIM_ROOMS, SIM_DAYS, SIM_TRAIN = 14, 7, 10


# ---- data ----------------------------------------------------------------------------------------------------------------------------


def recording(path, columns, people):
    """One-minute means by minute since EPOCH: ({channel: value}, somebody is in)."""
    minutes = {}
    for row in csv.DictReader(open(path)):
        minute = int((dt.datetime.fromisoformat(row["timestamp"]) - EPOCH).total_seconds() // 60)
        minutes.setdefault(minute, []).append(({c: f(row) for c, f in columns.items()}, float(row[people]) > 0))
    return {m: ({c: float(np.mean([v[c] for v, _ in rows])) for c in columns}, np.mean([o for _, o in rows]) >= 0.5) for m, rows in minutes.items()}


def observe(minutes):
    """(features, occupied, minute) of a recording; the rooms are offices: care hours are taken as 8 to 18 on weekdays."""
    room, out = Room(), []
    for m in range(min(minutes), max(minutes) + 1):
        values, occupied = minutes.get(m, ({}, None))
        weekday = (EPOCH + dt.timedelta(minutes=m)).weekday() < 5
        x = room.minute(values, m % 1440, weekday, weekday and 480 <= m % 1440 < 1080)
        if occupied is not None:
            out.append((x, occupied, m))
    x, y, m = zip(*out)
    return np.array(x), np.array(y), np.array(m)


def load(data):
    number = lambda k: lambda row: float(row[k])
    office = recording(
        data / "office_feb04_10.csv",
        {"temperature": number("temperature"), "humidity": number("humidity"), "co2": number("co2"), "illuminance": number("light")},
        "occupancy",
    )
    # Four places in one laboratory count as four rooms that share their CO2. The sound sensor gives volts; a straight line makes plausible
    # dB(A) of them, which is no calibration.
    lab = [
        recording(
            data / "lab_dec22_26.csv",
            {
                "temperature": number(f"S{i}_Temp"),
                "illuminance": number(f"S{i}_Light"),
                "co2": number("S5_CO2"),
                "sound_level": lambda row, i=i: 38.0 + 8.5 * float(row[f"S{i}_Sound"]),
            },
            "Room_Occupancy_Count",
        )
        for i in (1, 2, 3, 4)
    ]
    return observe(office), [observe(r) for r in lab]


def simulate(seed, days):
    r = nursery.room(np.random.default_rng(seed), days, first_weekday=seed % 7)
    room = Room()
    x = [
        room.minute({c: float(r[c][m]) for c in CHANNELS}, m % 1440, bool(r["working"][m]), bool(r["expected"][m]))
        for m in range(days * 1440)
    ]
    return np.array(x), r["people"] > 0, np.arange(days * 1440)


def pool(rooms):
    return np.vstack([x for x, _ in rooms]), np.concatenate([y for _, y in rooms])


def split(room, when):
    minute = int((when - EPOCH).total_seconds() // 60)
    x, y, m = room
    return (x[m < minute], y[m < minute]), (x[m >= minute], y[m >= minute])


# ---- occupancy -----------------------------------------------------------------------------------------------------------------------


def only(x, channels):
    """As if the room had only these channels."""
    x = x.copy()
    for c in range(len(CHANNELS)):
        if c not in channels:
            x[:, 4 * c : 4 * c + 4] = 0
            x[:, KNOWN[c]] = 0
    return x


SEEN_COLUMNS = [i for c in SEEN for i in range(4 * c, 4 * c + 4)] + [KNOWN[c] for c in SEEN]


def fit_occupancy(domains):
    """Each domain weighs the same; each sample is there once for every set of sensors that its room could have had.

    One regression for all sets: one for each was tried and was calibrated worse on the laboratory's later days (Brier 0.093 against 0.032)."""
    xs, ys, ws = [], [], []
    for x, y in domains:
        x, y = pool([(only(x, s), y) for s in SUBSETS.values()])
        heard = (x[:, KNOWN] > 0).any(1)
        x, y = x[heard], y[heard]
        xs.append(x), ys.append(y), ws.append(np.full(len(y), 1.0 / len(y)))
    x, y, w = np.vstack(xs)[:, SEEN_COLUMNS], np.concatenate(ys), np.concatenate(ws)
    scale = x.std(0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1000).fit(x / scale, y, sample_weight=w * len(w) / w.sum())
    weights = np.zeros(N)
    weights[SEEN_COLUMNS] = model.coef_[0] / scale
    return weights, float(model.intercept_[0])


def likelihood(model, x):
    return 1.0 / (1.0 + np.exp(-(x @ model[0] + model[1])))


def judge(model, x, y):
    """Per set of sensors: balanced accuracy and Brier score; beside them who always says the majority, or always the mean."""
    out = {}
    for name, channels in SUBSETS.items():
        if all((x[:, KNOWN[c]] > 0).mean() > 0.5 for c in channels):
            p = likelihood(model, only(x, channels))
            out[name] = {"balanced_accuracy": round(balanced_accuracy_score(y, p > 0.5), 3), "brier": round(brier_score_loss(y, p), 3)}
    base = {
        "minutes": len(y),
        "occupied": round(float(y.mean()), 3),
        "majority_balanced_accuracy": 0.5,
        "constant_brier": round(float(y.mean() * (1 - y.mean())), 3),
    }
    return base | {"sensors": out}


def reliability(model, x, y):
    p = likelihood(model, x)
    bins = np.clip((p * 5).astype(int), 0, 4)
    return [
        {"said": round(float(p[bins == b].mean()), 3), "was": round(float(y[bins == b].mean()), 3), "minutes": int((bins == b).sum())}
        for b in range(5)
        if (bins == b).any()
    ]


# ---- normality -----------------------------------------------------------------------------------------------------------------------


class Autoencoder:
    """Denoising: some channels are withheld at the input, all that are known are asked for. tanh, 24-7-24."""

    def __init__(self, x, occupancy, rng):
        self.scale = np.array([x[x[:, KNOWN[i // 4]] > 0, i].std() + 1e-6 for i in range(LEVELS)])
        full = np.vstack([x] * 3)
        seen = full.copy()
        for c in range(len(CHANNELS)):
            drop = rng.random(len(seen)) < 0.25
            drop[: len(x)] = False
            seen[drop, 4 * c : 4 * c + 4] = 0
            seen[drop, KNOWN[c]] = 0
        self.net = MLPRegressor(hidden_layer_sizes=(24, 7, 24), activation="tanh", alpha=1e-4, max_iter=40, batch_size=256, random_state=SEED, tol=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.net.fit(self.inputs(seen, occupancy), full[:, :LEVELS] / self.scale)
        residual = self.residual(x, occupancy)
        known = x[:, [KNOWN[i // 4] for i in range(LEVELS)]] > 0
        self.sigma = np.array([residual[known[:, i], i].std() + 1e-3 for i in range(LEVELS)])

    def inputs(self, x, occupancy):
        return np.hstack([x[:, :LEVELS] / self.scale, x[:, LEVELS:], likelihood(occupancy, x)[:, None]])

    def residual(self, x, occupancy):
        known = x[:, [KNOWN[i // 4] for i in range(LEVELS)]] > 0
        return (self.net.predict(self.inputs(x, occupancy)) - x[:, :LEVELS] / self.scale) * known

    def by_channel(self, x, occupancy):
        square = (self.residual(x, occupancy) / self.sigma) ** 2
        return square.reshape(len(x), len(CHANNELS), len(PER_CHANNEL)).mean(2)

    def error(self, x, occupancy):
        return self.by_channel(x, occupancy).sum(1) / np.maximum(x[:, KNOWN].sum(1), 1)


def unusual(x, kind, rng):
    """Joint faults of which no channel is out of its own range."""
    x = x.copy()
    if kind == "CO2 and noise of another time of day":
        j = (np.arange(len(x)) + len(x) // 2) % len(x)
        for c in (2, 4):
            x[:, 4 * c : 4 * c + 4] = x[j, 4 * c : 4 * c + 4]
    elif kind == "light and noise as in care hours, CO2 as if empty":
        x[:, 12], x[:, 16], x[:, 8:12] = 1.0, 1.0, 0.0
    elif kind == "temperature falls by its whole spread in half an hour":
        x[:, 0] -= 0.8
        x[:, 1] -= 0.4
        x[:, 2] -= 1.0
    elif kind == "humidity leaps (steam, a leak)":
        x[:, 4] += 1.2
        x[:, 5] += 0.8
        x[:, 6] += 1.2
    return x


UNUSUAL = (
    "CO2 and noise of another time of day",
    "light and noise as in care hours, CO2 as if empty",
    "temperature falls by its whole spread in half an hour",
    "humidity leaps (steam, a leak)",
)


# ---- export --------------------------------------------------------------------------------------------------------------------------


def export(occupancy, ae):
    """By hand: every shape is static, every node is plain arithmetic, so that tract optimises all of it."""
    first = np.diag(np.concatenate([1 / ae.scale, np.ones(N - LEVELS)]))
    spread = np.zeros((N, LEVELS))  # which features are known
    gather = np.zeros((LEVELS, len(CHANNELS)))
    for i in range(LEVELS):
        spread[KNOWN[i // 4], i] = 1
        gather[i, i // 4] = 0.25
    counts = np.zeros((N, 1))
    counts[KNOWN] = 1
    constants = {
        "occupancy_w": occupancy[0][:, None],
        "occupancy_b": np.array([[occupancy[1]]]),
        "scale": first,
        "target": first[:, :LEVELS],
        "inverse_sigma": 1 / ae.sigma[None, :],
        "spread": spread,
        "gather": gather,
        "counts": counts,
        "ones": np.ones((len(CHANNELS), 1)),
        "one": np.ones((1, 1)),
    }
    node = helper.make_node
    nodes = [
        node("MatMul", ["features", "occupancy_w"], ["o1"]),
        node("Add", ["o1", "occupancy_b"], ["o2"]),
        node("Sigmoid", ["o2"], ["occupancy"]),
        node("MatMul", ["features", "scale"], ["z"]),
        node("Concat", ["z", "occupancy"], ["h0"], axis=1),
    ]
    layers = list(zip(ae.net.coefs_, ae.net.intercepts_))
    for i, (w, b) in enumerate(layers):
        constants |= {f"w{i}": w, f"b{i}": b[None, :]}
        last = i == len(layers) - 1
        nodes += [node("MatMul", [f"h{i}", f"w{i}"], [f"m{i}"]), node("Add", [f"m{i}", f"b{i}"], ["back" if last else f"a{i}"])]
        if not last:
            nodes.append(node("Tanh", [f"a{i}"], [f"h{i + 1}"]))
    nodes += [
        node("MatMul", ["features", "target"], ["goal"]),
        node("Sub", ["back", "goal"], ["r1"]),
        node("Mul", ["r1", "inverse_sigma"], ["r2"]),
        node("MatMul", ["features", "spread"], ["known"]),
        node("Mul", ["r2", "known"], ["r3"]),
        node("Mul", ["r3", "r3"], ["square"]),
        node("MatMul", ["square", "gather"], ["by_channel"]),
        node("MatMul", ["by_channel", "ones"], ["sum"]),
        node("MatMul", ["features", "counts"], ["c1"]),
        node("Max", ["c1", "one"], ["c2"]),
        node("Div", ["sum", "c2"], ["error"]),
    ]
    value = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
    graph = helper.make_graph(
        nodes,
        CONTRACT,
        [value("features", N)],
        [value("occupancy", 1), value("error", 1), value("by_channel", len(CHANNELS))],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="train.py")
    model.ir_version = 8
    helper.set_model_props(model, {"contract": CONTRACT, "features": ",".join(NAMES)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def golden(blob, rng):
    """An hour and a half of a simulated morning, then sensors that fall silent, then nonsense: minutes in, features and answers out."""
    import onnxruntime

    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    r = nursery.room(rng, 1)
    room, steps = Room(), []
    for i, m in enumerate(range(440, 700)):
        values = {c: round(float(r[c][m]), 3) for c in CHANNELS}
        if i % 7 == 3:
            values.pop("humidity")
        if 120 <= i < 150:
            values.pop("co2", None)
        if i % 5:
            values.pop("illuminance")
        if i >= 200:
            values = {k: v for k, v in values.items() if k == "temperature"}
        if i == 190:
            values["co2"] = 9999.0
        x = room.minute(values, m, True, 450 <= m < 1080)
        given = np.array([x], dtype=np.float32)
        occupancy, error, by_channel = session.run(None, {"features": given})
        if i % 10 == 0 or i in (121, 136, 190, 191, 216):
            answers = {"features": [float(v) for v in given[0]], "occupancy": float(occupancy[0, 0]), "error": float(error[0, 0]), "by_channel": [float(v) for v in by_channel[0]]}
        else:
            answers = {}
        steps.append({"minute_of_day": m, "working_day": True, "children_expected": 450 <= m < 1080, "values": values} | answers)
    return {"contract": CONTRACT, "sha256": hashlib.sha256(blob).hexdigest(), "names": NAMES, "tolerance": 1e-4, "steps": steps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of office_feb04_10.csv and lab_dec22_26.csv")
    data = parser.parse_args().data
    rng = np.random.default_rng(SEED)
    office, lab = load(data)
    simulated = [simulate(100 + i, SIM_DAYS) for i in range(SIM_ROOMS)]
    office_train, office_test = split(office, OFFICE_SPLIT)
    lab_train, lab_test = (pool([split(r, LAB_SPLIT)[i] for r in lab]) for i in (0, 1))
    whole = lambda room: (room[0], room[1])
    lab_whole = pool([whole(r) for r in lab])
    sim_train = pool([(x[::7], y[::7]) for x, y, _ in simulated[:SIM_TRAIN]])
    sim_test = pool([(x[::3], y[::3]) for x, y, _ in simulated[SIM_TRAIN:]])

    occupancy = fit_occupancy([office_train, lab_train, sim_train])
    metrics = {
        "occupancy": {
            "office, later days": judge(occupancy, *office_test),
            "laboratory, later days": judge(occupancy, *lab_test),
            "simulated rooms not trained on": judge(occupancy, *sim_test),
            "trained on the office alone, laboratory": judge(fit_occupancy([whole(office)]), *lab_whole),
            "trained on the laboratory alone, office": judge(fit_occupancy([lab_whole]), *whole(office)),
            "trained on the office and simulation, laboratory": judge(fit_occupancy([whole(office), sim_train]), *lab_whole),
            "trained on the laboratory and simulation, office": judge(fit_occupancy([lab_whole, sim_train]), *whole(office)),
        },
        "reliability": {
            "office, later days": reliability(occupancy, *office_test),
            "laboratory, later days": reliability(occupancy, *lab_test),
        },
    }

    settled = lambda room: room[0][1440:][::5]  # the first day of a room only teaches its histogram
    x = np.vstack([office_train[0][::2], lab_train[0][::4]] + [settled(r) for r in simulated[:SIM_TRAIN]])
    ae = Autoencoder(x, occupancy, rng)
    later = {"office, later days": office_test[0], "laboratory, later days": lab_test[0], "simulated rooms not trained on": np.vstack([settled(r) for r in simulated[SIM_TRAIN:]])}
    metrics["normality"] = {}
    for name, x in later.items():
        clean = ae.error(x, occupancy)
        has = lambda kind: all((x[:, KNOWN[c]] > 0).mean() > 0.5 for c in ((2, 4) if "noise" in kind else (1,) if "humidity" in kind else (0,)))
        metrics["normality"][name] = {"median_error": round(float(np.median(clean)), 3), "p99_error": round(float(np.quantile(clean, 0.99)), 3)} | {
            kind: round(roc_auc_score([0] * len(x) + [1] * len(x), np.concatenate([clean, ae.error(unusual(x, kind, rng), occupancy)])), 3)
            for kind in UNUSUAL
            if has(kind)
        }

    blob = export(occupancy, ae)
    sha = hashlib.sha256(blob).hexdigest()
    (HERE / "model.onnx").write_bytes(blob)
    (HERE / "model.toml").write_text(
        "# What `tuoan` checks before it uses model.onnx; written by train.py.\n"
        f'contract = "{CONTRACT}"\nsha256 = "{sha}"\nfeatures = {N}\n'
    )
    (HERE / "golden.json").write_text(json.dumps(golden(blob, np.random.default_rng(7)), indent=0, allow_nan=False) + "\n")
    (HERE / "metrics.json").write_text(json.dumps(metrics | {"sha256": sha, "bytes": len(blob)}, indent=1, allow_nan=False) + "\n")
    print(json.dumps(metrics, indent=1))
    print(sha, len(blob), "bytes")


if __name__ == "__main__":

    main()
