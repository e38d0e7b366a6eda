"""The room's features as the model sees them: the reference that `gateway/src/estimate/features.rs` must match (golden.json).

One-minute means of five channels, standardised by what the room itself has shown so far (a decaying histogram that begins as a broad prior),
so that a room with another sensor height, lamp or background noise gives the same figures. Causal: minute t sees nothing after t.
"""
import math

CHANNELS = ("temperature", "humidity", "co2", "illuminance", "sound_level")
BINS = 64
# Per channel: range of the histogram (after the transform), range of the prior, least spread that counts, and whether the room's low end
# (10 % quantile: outdoor air, darkness, background noise) or its middle is the origin.
LIMITS = {
    "temperature": (0.0, 45.0, 18.0, 26.0, 2.0, 0.5),
    "humidity": (0.0, 100.0, 25.0, 65.0, 8.0, 0.5),
    "co2": (300.0, 3500.0, 400.0, 1000.0, 150.0, 0.1),
    "illuminance": (0.0, 11.0, 0.0, 6.0, 2.0, 0.1),
    "sound_level": (20.0, 100.0, 34.0, 50.0, 5.0, 0.1),
}
PRIOR_MINUTES = 240.0
HALF_LIFE_MINUTES = 7 * 1440.0
DECAY = 0.5 ** (1.0 / HALF_LIFE_MINUTES)
# A value stands for so many minutes when no new one comes: slow reporters speak every ten minutes.
CARRY = 15
WINDOW = 35
CLAMP = 4.0
PER_CHANNEL = ("level", "change_10min", "change_30min", "roughness")
CONTEXT = ("hour_sin", "hour_cos", "working_day", "children_expected")
NAMES = [f"{c}.{f}" for c in CHANNELS for f in PER_CHANNEL] + [f"{c}.known" for c in CHANNELS] + list(CONTEXT)


def transform(channel, value):
    return math.log1p(max(value, 0.0)) if channel == "illuminance" else value


class Histogram:
    def __init__(self, channel):
        self.lo, self.hi, prior_lo, prior_hi, self.floor, self.origin = LIMITS[channel]
        self.width = (self.hi - self.lo) / BINS
        inside = [max(0.0, min(prior_hi, self.lo + (i + 1) * self.width) - max(prior_lo, self.lo + i * self.width)) for i in range(BINS)]
        self.bins = [PRIOR_MINUTES * x / (prior_hi - prior_lo) for x in inside]

    def add(self, x):
        i = min(max(int((x - self.lo) / self.width), 0), BINS - 1)
        self.bins = [b * DECAY for b in self.bins]
        self.bins[i] += 1.0

    def quantile(self, p):
        """Linear within a bin."""
        want = p * sum(self.bins)
        for i, b in enumerate(self.bins):
            if want <= b and b > 0.0:
                return self.lo + (i + want / b) * self.width
            want -= b
        return self.hi

    def scale(self):
        """(origin, spread)"""
        low, high = self.quantile(0.1), self.quantile(0.9)
        return (low if self.origin == 0.1 else self.quantile(0.5)), max(high - low, self.floor)


class Channel:
    def __init__(self, name):
        self.name, self.histogram = name, Histogram(name)
        self.ring, self.last, self.age = [], None, 0

    def minute(self, value):
        """Features and whether they are known; `value` is the mean of the minute or None. The minute itself joins the statistics afterwards."""
        fresh = value is not None
        if fresh:
            self.last, self.age = transform(self.name, value), 0
        else:
            self.age += 1
        if self.last is not None and self.age > CARRY:
            self.last, self.ring = None, []
        if self.last is not None:
            self.ring = (self.ring + [self.last])[-WINDOW:]
        out = self.features()
        if fresh:
            self.histogram.add(self.last)
        return out

    def features(self):
        if self.last is None:
            return [0.0] * 4, 0.0
        origin, spread = self.histogram.scale()
        r = self.ring[::-1]
        mean = lambda a: sum(a) / len(a)
        level = mean(r[:5])
        past = lambda a: (level - mean(a)) / spread if a else 0.0
        steps = [abs(a - b) for a, b in zip(r[:15], r[1:16])]
        rough = mean(steps) / spread if steps else 0.0
        raw = [(level - origin) / spread, past(r[10:15]), past(r[30:35]), rough]
        return [min(max(x, -CLAMP), CLAMP) for x in raw], 1.0


class Room:
    def __init__(self):
        self.channels = [Channel(c) for c in CHANNELS]

    def minute(self, values, minute_of_day, working_day, children_expected):
        """`values`: channel -> mean of the minute, absent when nothing was heard."""
        parts = [c.minute(values.get(c.name)) for c in self.channels]
        angle = 2 * math.pi * minute_of_day / 1440.0
        context = [math.sin(angle), math.cos(angle), float(working_day), float(children_expected)]
        return [x for f, _ in parts for x in f] + [k for _, k in parts] + context
