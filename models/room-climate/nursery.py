"""Nursery rooms by simulation: what the recordings lack (children, naps, daylight, ventilation by windows, people after closing).

A room is a well-mixed box: CO2 by mass balance, temperature and moisture by first-order exchange. The figures are plausible, not measured;
the model card says so. Deterministic for a given generator.
"""
import numpy as np

# L/s of CO2 a person; a toddler at play and a carer.
CHILD, ADULT = 0.0026, 0.0048
OUTDOOR = 420.0


def _bounded_walk(rng, n, step, pull):
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = x[i - 1] * (1 - pull) + rng.normal(0, step)
    return x


def room(rng, days, first_weekday=0, holidays=()):
    """One room: dict of one-minute arrays (five channels, `people`, `expected`, `working`) from midnight of the first day."""
    n = days * 1440
    volume = rng.uniform(120, 260)  # m3
    tight, open_window = rng.uniform(0.25, 0.8), rng.uniform(3, 8)  # air changes an hour
    class_size, carers = int(rng.integers(8, 19)), int(rng.integers(2, 4))
    lamp, sun, background = rng.uniform(180, 500), rng.uniform(80, 900), rng.uniform(33, 42)
    setpoint, night = rng.uniform(20, 24), rng.uniform(1, 5)
    outside = rng.uniform(-2, 20)
    children, adults = np.zeros(n), np.zeros(n)
    expected, working = np.zeros(n, bool), np.zeros(n, bool)
    window, lamps, nap = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
    for d in range(days):
        o = d * 1440
        at = lambda h, sd=8: o + int(np.clip(h * 60 + rng.normal(0, sd), 0, 1439))
        if (first_weekday + d) % 7 < 5 and d not in holidays:
            working[o : o + 1440] = True
            expected[o + 450 : o + 1080] = True
            arrive, lunch, wake, leave = at(8.2), at(12.0), at(14.4), at(17.2, 15)
            gone = max(leave + int(rng.integers(5, 60)), leave + 5)
            present = rng.binomial(class_size, 0.9)
            children[arrive:leave] = present
            # They come and go one by one.
            for edge, sign in ((arrive, 1), (leave, -1)):
                for c in range(present):
                    shift = int(rng.integers(0, 35))
                    a, b = (edge - shift, edge) if sign > 0 else (edge, edge + shift)
                    children[a:b] += 1.0 if sign < 0 or rng.random() < 0.5 else 0.0
            adults[arrive - 30 : gone] = carers
            lamps[arrive - 30 : gone] = True
            nap[lunch + 20 : wake] = True
            lamps[lunch + 20 : wake] = False
            if rng.random() < 0.7:  # out in the yard
                out = at(9.8)
                children[out : out + 60], adults[out : out + 60] = 0, 0
                if rng.random() < 0.5:
                    lamps[out : out + 60] = False
            for h in rng.uniform(8, 17, int(rng.integers(1, 5))):
                w = at(h)
                window[w : w + int(rng.integers(8, 30))] = True
            if rng.random() < 0.5:  # the cleaner
                c = at(18.4, 20)
                adults[c : c + 20], lamps[c : c + 20], window[c : c + 15] = 1, True, rng.random() < 0.5
            if rng.random() < 0.08:  # lamps forgotten
                lamps[gone : o + 1440] = True
        if rng.random() < 0.12:  # somebody is in when nobody should be
            s = o + int(rng.choice([rng.integers(1140, 1320), rng.integers(0, 360)]))
            who = int(rng.integers(1, 4))
            length = int(rng.integers(20, 180))
            if rng.random() < 0.5:
                adults[s : s + length] += who
            else:
                children[s : s + length] += who
            lamps[s : s + length] |= rng.random() < 0.6
    people = children + adults
    minute = np.arange(n) % 1440
    daylight = np.clip(np.sin((minute - 390) / 720 * np.pi), 0, None)
    clouds = np.exp(_bounded_walk(rng, n, 0.06, 0.01))
    light = sun * daylight * clouds * np.where(nap, 0.1, 1.0) + lamp * lamps
    co2, temperature, humidity = np.empty(n), np.empty(n), np.empty(n)
    c, t, g = OUTDOOR + 40, setpoint, 7.0  # ppm, C, g/m3
    drift = _bounded_walk(rng, n, 0.25, 0.002)
    for i in range(n):
        ach = (tight + open_window * window[i]) / 60
        c += (children[i] * CHILD + adults[i] * ADULT) * 60 / (volume * 1000) * 1e6 - ach * (c - OUTDOOR)
        out = outside + 4 * daylight[i] + drift[i]
        goal = setpoint if working[i] and 360 <= minute[i] < 1080 else setpoint - night
        t += (goal - t) / 90 + people[i] * 0.0012 - (t - out) * (0.0004 + ach * 0.12)
        g += people[i] * 0.5 / volume - ach * (g - 6.0)
        co2[i], temperature[i], humidity[i] = c, t, 100 * g / (4.85 + 0.33 * t + 0.0135 * (t - 20) ** 2 + 5.8)
    activity = np.where(nap, 0.15, 1.0)
    voices = np.where(people > 0, 6 * np.log10(1 + 20 * activity * (children + 0.4 * adults)), 0)
    sound = background + voices + np.abs(_bounded_walk(rng, n, 1.2, 0.4)) + np.where((people > 0) & ~nap, rng.exponential(2.5, n), 0)
    for _ in range(5 * days):  # the corridor, the street, the room next door
        a = int(rng.integers(0, n))
        sound[a : a + int(rng.integers(3, 40))] += rng.uniform(3, 14)
    noisy = lambda x, sd: x + rng.normal(0, sd, n)
    return {
        "temperature": noisy(temperature, 0.05),
        "humidity": np.clip(noisy(humidity, 0.3), 5, 95),
        "co2": np.round(noisy(co2, 6)),
        "illuminance": np.clip(np.round(noisy(light, 2)), 0, None),
        "sound_level": noisy(sound, 0.8),
        "people": people,
        "expected": expected,
        "working": working,
    }
