"""The battery that every model passes, and River's scores to the last bit."""

import copy
import gc
import math
import random
import tracemalloc
import zlib

import msgspec
import pytest

from river import anomaly

from icu_stream.contracts import signals
from icu_stream.domain import models
from icu_stream.domain.models import FEATURES, FlatHalfSpaceTrees, PatientModel
from icu_stream.domain.scores import HINTS
from icu_stream.errors import StateError


WINDOW = 250

# A ventilated patient with an arterial line: centre and spread, ours.
USUAL = {
    "hr": (82.0, 4.0),
    "pulse": (82.0, 4.0),
    "spo2": (96.0, 0.8),
    "rr": (16.0, 1.5),
    "abp_sys": (118.0, 6.0),
    "abp_dia": (62.0, 3.0),
    "abp_mean": (80.0, 4.0),
    "temp": (37.1, 0.05),
    "etco2": (37.0, 1.5),
}


def seeded(seed):
    return random.Random(seed)


def aggregates(count, seed=7, without=()):
    """Means of `count` x 10 s, slowly moving: each resembles the one before."""
    rng = seeded(seed)
    state = dict.fromkeys(USUAL, 0.0)
    for _ in range(count):
        for code in USUAL:
            state[code] = 0.9 * state[code] + rng.gauss(0, math.sqrt(1 - 0.9**2))
        yield {
            code: centre + spread * state[code]
            for code, (centre, spread) in USUAL.items()
            if code not in without
        }


def trained(count=2 * WINDOW, seed=7, without=()):
    model = PatientModel()
    for means in aggregates(count, seed, without):
        model.step(means, learn=True)
    return model


def centres(**changed):
    return {code: centre for code, (centre, _) in USUAL.items()} | changed


def scores_of(model, count=2 * WINDOW + 50, seed=11):
    return [model.step(means, learn=True) for means in aggregates(count, seed)]


# River


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.7])
def test_flat_trees_score_exactly_as_river_does(missing):
    rng = seeded(5)
    river = anomaly.HalfSpaceTrees(
        n_trees=10, height=6, window_size=WINDOW, seed=models._SEED
    )
    flat = FlatHalfSpaceTrees()
    everything = dict.fromkeys(FEATURES, 0.5)  # River grows its trees from the first
    samples = [everything] + [
        {f: rng.gauss(0.5, 0.25) for f in FEATURES if rng.random() >= missing}
        for _ in range(4 * WINDOW + 100)
    ]

    for sample in samples:
        assert flat.score_one(sample) == river.score_one(sample)
        river.learn_one(sample)
        flat.learn_one(sample)


def test_a_patients_trees_score_exactly_as_river_does_when_all_is_measured():
    """What `PatientModel.step` calls, where nothing is walked past."""
    rng = seeded(8)
    river = anomaly.HalfSpaceTrees(
        n_trees=10, height=6, window_size=WINDOW, seed=models._SEED
    )
    flat = FlatHalfSpaceTrees()
    river.learn_one(dict.fromkeys(FEATURES, 0.5))
    flat.learn_known([0.5] * len(FEATURES))

    for _ in range(4 * WINDOW + 100):
        sample = {f: rng.gauss(0.5, rng.choice([0.02, 0.25])) for f in FEATURES}
        point = list(sample.values())
        alone = flat.score_known(point)
        assert flat.score_and_learn_known(point)[0] == alone == river.score_one(sample)
        river.learn_one(sample)


def test_flat_trees_score_exactly_as_river_does_on_a_split():
    river = anomaly.HalfSpaceTrees(
        n_trees=10, height=6, window_size=WINDOW, seed=models._SEED
    )
    flat = FlatHalfSpaceTrees()
    rng = seeded(6)
    river.learn_one(dict.fromkeys(FEATURES, 0.5))
    flat.learn_one(dict.fromkeys(FEATURES, 0.5))
    splits = [
        (node.feature, node.threshold)
        for tree in river.trees
        for node in tree.iter_branches()
    ]

    for _ in range(3 * WINDOW):
        sample = dict(rng.sample(splits, 20))
        assert flat.score_one(sample) == river.score_one(sample)
        river.learn_one(sample)
        flat.learn_one(sample)


def test_the_trees_grow_equal_from_the_equal_seed():
    assert models._grow() == models._ROOTS


def test_another_shape_of_the_model_gets_another_name():
    """Signals, ranges, sizes, splits: when the second changes, so must the first."""
    assert (HINTS, models._SHAPE) == ("baseline+hst 1", 0xB38B7315)


def test_every_feature_splits_some_tree():
    found = set()
    nodes = list(models._ROOTS)
    while nodes:
        _, feature, _, left, right = nodes.pop()
        if left is not None:
            found.add(FEATURES[feature])
            nodes += [left, right]

    assert found == set(FEATURES)


def test_the_model_knows_the_signals_of_the_contract_but_not_fio2():
    assert [s.code for s in signals.SIGNALS if s.code != "fio2"] == list(models._ROWS)


# The definition: each node counted, each part called for itself


class Plain:
    """The model as its docstrings define it: node by node, signal by signal."""

    def __init__(self):
        self.centres, self.spreads = [0.0] * 14, list(models._FLOORS)
        self.readings = [0] * 14
        self.reference, self.current = None, bytearray(models._MASSES)
        self.counter, self.seen = 0, [0] * 6
        self.learning, self.counting = [True] * 6, [False] * 6

    def deviation(self, i, value):
        z = (value - self.centres[i]) / self.spreads[i]
        z *= models._CERTAINTY[self.readings[i]]
        return max(-20.0, min(20.0, z))

    def learn(self, i, value):
        if not self.readings[i]:
            self.centres[i], self.readings[i] = value, 1
            return
        n = self.readings[i] = min(1024, self.readings[i] + 1)
        spread = self.spreads[i]
        step = max(-2.0 * spread, min(2.0 * spread, value - self.centres[i]))
        self.centres[i] += step / n
        spread += (abs(step) / 0.7809 - spread) / n
        self.spreads[i] = max(models._FLOORS[i], spread)

    def path(self, root, point, kept, guide):
        node = root
        while True:
            place, feature, threshold, left, right = node
            yield place
            if left is None:
                return
            if point[feature] is None or not kept[feature]:
                node = right if guide[left[0]] < guide[right[0]] else left
            else:
                node = left if point[feature] < threshold else right

    def score_trees(self, point):
        total = 0
        for root in models._ROOTS:
            path = self.path(root, point, self.counting, self.reference)
            for depth, place in enumerate(path):
                total += self.reference[place] * 2**depth
                if self.reference[place] < 25:
                    break
        return 1 - total / (10 * 250 * 127)

    def learn_trees(self, point):
        self.seen = [
            n + (value is not None) for n, value in zip(self.seen, point, strict=True)
        ]
        guide = self.current if self.reference is None else self.reference
        for root in models._ROOTS:
            for place in self.path(root, point, self.learning, guide):
                self.current[place] += 1
        self.counter += 1
        if self.counter < 250:
            return
        self.reference, self.current = self.current, bytearray(models._MASSES)
        counted = self.counting
        self.counting = [
            learnt and n >= 225
            for learnt, n in zip(self.learning, self.seen, strict=True)
        ]
        self.learning = [n >= 125 for n in self.seen]
        self.counter, self.seen = 0, [0] * 6
        if self.counting != counted:
            self.readings[-1], self.spreads[-1] = 0, models._FLOORS[-1]

    def step_trees(self, point, learn):
        trees_z = 0.0
        if self.reference is not None:
            trees = self.score_trees(point)
            trees_z = max(0.0, self.deviation(13, trees))
            if learn:
                self.learn(13, trees)
        if learn:
            self.learn_trees(point)
        return trees_z

    def step(self, means, learn):
        warm = self.reference is not None
        point, squares = [None] * 6, {}
        for code, i, feature, low, width in models._PLAN:
            if not math.isfinite(value := means.get(code, math.nan)):
                continue
            z = self.deviation(i, value)
            if abs(z) > 1e-6:
                squares[code] = z * z
            if feature >= 0:
                point[feature] = (value - low) / width
            if learn:
                self.learn(i, value)
        trees_z = 0.0 if point == [None] * 6 else self.step_trees(point, learn)
        if not warm or not squares:
            return 0.0, {}
        largest, square = max(squares.values()), trees_z * trees_z
        score = (largest / (largest + 16) + square / (square + 6.25)) / 2
        total = sum(squares.values())
        return score, {code: square / total for code, square in squares.items()}


def eventful(count, seed):
    """Aggregates in which signals come and go, jump, and are sometimes absurd."""
    rng = seeded(seed)
    gone = set()
    for means in aggregates(count, seed):
        if rng.random() < 0.008:
            gone ^= {rng.choice(list(USUAL))}
        kept = {c: v for c, v in means.items() if c not in gone and rng.random() < 0.97}
        if rng.random() < 0.05:
            code = rng.choice(list(USUAL))
            kept[code] = rng.choice(
                [math.nan, math.inf, 1e308, -1e308, 5e-324, 0.0, 1.5 * USUAL[code][0]]
            )
        yield kept, rng.random() < 0.95


@pytest.mark.parametrize("seed", range(6))
def test_a_step_is_the_definition_to_the_last_bit(seed):
    model, plain = PatientModel(), Plain()

    for i, (means, learn) in enumerate(eventful(6 * WINDOW, seed)):
        assert model.step(means, learn) == plain.step(means, learn)
        if i % 100 == 99:
            model = models.restore(models.snapshot(model))

    assert (model.centres, model.spreads) == (plain.centres, plain.spreads)
    assert model.readings == plain.readings
    assert model.trees.reference == plain.reference
    assert model.trees.masses() == plain.current
    assert model.trees.counting == plain.counting


def test_a_first_value_without_bounds_deviates_by_the_largest_deviation():
    """1e308 / 0.1 degC is infinite, and infinite times a certainty of 0 no number."""
    model, plain = PatientModel(), Plain()
    for means in aggregates(WINDOW, without=("temp",)):
        model.step(means, learn=True)
        plain.step(means, learn=True)

    score, shares = model.step({"temp": 1e308}, learn=True)

    assert (score, shares) == plain.step({"temp": 1e308}, learn=True)
    assert shares == {"temp": 1.0}


def test_a_feature_that_is_learnt_but_does_not_count_yet_is_learnt():
    model, plain = PatientModel(), Plain()
    late = ("etco2",)
    sample = [*aggregates(2 * WINDOW, 3, late), *aggregates(WINDOW + 100, 4)]

    for means in sample:
        assert model.step(means, learn=True) == plain.step(means, learn=True)

    place = FEATURES.index("etco2")
    assert (model.trees.learning[place], model.trees.counting[place]) == (True, False)
    assert model.trees.masses() == plain.current


# Score, then learn


def test_the_model_is_warm_after_250_learnt_aggregates_and_not_before():
    model = trained(249)
    assert not model.warm

    assert model.step(centres(hr=170.0), learn=True) == (0.0, {})
    assert model.warm

    score, shares = model.step(centres(hr=170.0), learn=True)
    assert score > 0
    assert max(shares, key=shares.get) == "hr"


def test_aggregates_that_are_not_learnt_do_not_warm_a_model():
    model = PatientModel()
    for means in aggregates(2 * WINDOW):
        assert model.step(means, learn=False) == (0.0, {})

    assert not model.warm
    assert model.usual("hr") is None


def test_a_score_comes_before_its_learning():
    learning, watching = trained(), trained()
    strange = centres(hr=150.0)

    first = learning.step(strange, learn=True)

    assert first == watching.step(strange, learn=False)


def test_nothing_is_learnt_when_told_not_to():
    model = trained()
    before = models.snapshot(model)

    for means in aggregates(WINDOW, seed=3):
        model.step(means, learn=False)

    assert models.snapshot(model) == before


def test_input_is_not_changed():
    model = trained()
    means = centres(hr=130.0, nibp_sys=110.0, unknown=1.0)
    kept = copy.deepcopy(means)

    model.step(means, learn=True)

    assert means == kept
    assert list(means) == list(kept)


def test_equal_input_gives_equal_scores():
    assert scores_of(PatientModel()) == scores_of(PatientModel())


def test_the_order_of_the_means_does_not_matter():
    means = centres(hr=95.0, spo2=93.0, rr=22.0, abp_sys=104.0)
    turned = dict(reversed(means.items()))

    assert trained().step(means, learn=True) == trained().step(turned, learn=True)


# What a score says


def test_scores_stay_in_0_to_1_and_shares_sum_to_1():
    model = trained()
    rng = seeded(1)
    for _ in range(500):
        means = {code: rng.uniform(-1e3, 1e3) for code in USUAL if rng.random() < 0.7}
        score, shares = model.step(means, learn=rng.random() < 0.5)
        assert 0 <= score <= 1
        assert shares.keys() <= means.keys()
        assert bool(shares) == (score > 0)
        if shares:
            assert sum(shares.values()) == pytest.approx(1)


def test_a_usual_moment_scores_low_and_a_deteriorating_one_high():
    model = trained(4 * WINDOW)
    usual = [model.step(means, learn=False)[0] for means in aggregates(WINDOW, 12)]

    score, shares = model.step(
        centres(hr=128.0, pulse=128.0, abp_sys=84.0, abp_mean=55.0), learn=False
    )

    assert sorted(usual)[len(usual) // 2] < 0.3
    assert score > 0.7
    assert shares["hr"] + shares["pulse"] + shares["abp_sys"] + shares["abp_mean"] > 0.9


def test_two_usual_values_that_are_never_together_score_higher():
    """A fast heart was always with a high pressure: now it is with a low one."""
    model = PatientModel()
    rng = seeded(4)
    for _ in range(4 * WINDOW):
        turn = rng.choice([-1, 1])
        model.step(
            {
                "hr": 90 + 20 * turn + rng.gauss(0, 3),
                "abp_sys": 120 + 25 * turn + rng.gauss(0, 3),
                "abp_mean": 80 + 18 * turn + rng.gauss(0, 3),
            },
            learn=True,
        )

    together, _ = model.step({"hr": 110, "abp_sys": 145, "abp_mean": 98}, learn=False)
    never, _ = model.step({"hr": 110, "abp_sys": 95, "abp_mean": 62}, learn=False)

    assert never > together + 0.2


def test_a_deterioration_of_half_an_hour_does_not_become_normal():
    model = trained(4 * WINDOW)
    low = centres(abp_sys=78.0, abp_mean=50.0)
    at_once, _ = model.step(low, learn=True)

    for _ in range(180):
        score, shares = model.step(low, learn=True)

    assert score > 0.7 * at_once
    assert model.usual("abp_mean") > 70
    assert shares["abp_sys"] + shares["abp_mean"] > 0.9


def test_one_artefact_does_not_move_what_is_usual():
    model = trained()
    before = model.usual("hr")

    model.step(centres(hr=300.0), learn=True)

    assert model.usual("hr") == pytest.approx(before, abs=0.05)


def test_what_is_usual_is_the_patients_own_centre():
    model = trained(6 * WINDOW)

    assert model.usual("hr") == pytest.approx(82, abs=1.5)
    assert model.usual("temp") == pytest.approx(37.1, abs=0.03)
    assert model.usual("cvp") is None
    assert model.usual("fio2") is None
    assert model.usual("no such signal") is None


def test_a_signal_that_never_changed_has_no_share_while_it_does_not():
    model = PatientModel()
    for means in aggregates(2 * WINDOW):
        model.step(means | {"temp": 36.6}, learn=True)

    _, shares = model.step(centres(temp=36.6, hr=120.0), learn=False)

    assert "temp" not in shares


# Missing and new signals


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_missing(value):
    model, other = trained(), trained()
    means = centres()
    del means["hr"]

    assert model.step(means | {"hr": value}, learn=True) == other.step(
        means, learn=True
    )
    assert models.snapshot(model) == models.snapshot(other)


def test_an_enormous_value_leaves_the_model_usable():
    model = trained()

    for value in (1e308, -1e308, 5e-324):
        score, shares = model.step(centres(hr=value, temp=-value), learn=True)
        assert 0 <= score <= 1
        assert all(map(math.isfinite, shares.values()))

    assert 80 < model.usual("hr") < 84
    assert models.restore(models.snapshot(model)).usual("hr") == model.usual("hr")


def test_nothing_measured_scores_nothing_and_teaches_nothing():
    model = trained()
    before = models.snapshot(model)

    assert model.step({}, learn=True) == (0.0, {})
    assert model.step({"fio2": 40.0, "unknown": 1.0}, learn=True) == (0.0, {})
    assert models.snapshot(model) == before


def test_signals_outside_the_trees_do_not_warm_them():
    model = PatientModel()
    for _ in range(2 * WINDOW):
        model.step({"temp": 37.0, "nibp_sys": 120.0}, learn=True)

    assert not model.warm
    assert model.usual("temp") == 37.0


def test_a_patient_without_an_arterial_line_is_scored_by_what_there_is():
    absent = ("abp_sys", "abp_dia", "abp_mean", "etco2")
    model = trained(4 * WINDOW, without=absent)
    usual = [
        model.step(means, learn=False)[0] for means in aggregates(WINDOW, 12, absent)
    ]

    score, shares = model.step({"hr": 84.0, "spo2": 88.0, "rr": 29.0}, learn=False)

    assert sorted(usual)[len(usual) // 2] < 0.3
    assert score > 0.7
    assert set(shares) == {"hr", "spo2", "rr"}


@pytest.mark.parametrize("since_pivot", [0, 1, 125, 249])
def test_a_lost_lead_is_not_a_change_in_the_patient(since_pivot):
    """River's own rule turns left at each split on a missing feature after a pivot."""
    model = trained(4 * WINDOW + since_pivot)
    with_lead, _ = model.step(centres(), learn=False)
    means = centres()
    del means["hr"], means["abp_sys"], means["abp_mean"]

    without_lead, shares = model.step(means, learn=False)

    assert without_lead == pytest.approx(with_lead, abs=0.05)
    assert not shares.keys() & {"hr", "abp_sys", "abp_mean"}


def test_a_lead_lost_as_a_window_begins_does_not_thin_the_reference():
    model = PatientModel()
    for _ in range(WINDOW):
        model.step(centres(), learn=True)
    whole = bytes(model.trees.reference)
    gap = centres()
    del gap["hr"], gap["abp_sys"]

    for i in range(WINDOW):
        model.step(gap if i < 25 else centres(), learn=True)

    assert bytes(model.trees.reference) == whole
    assert all(model.trees.counting)


def test_a_new_arterial_line_is_not_a_change_in_the_patient():
    line = ("abp_sys", "abp_dia", "abp_mean")
    model = trained(3 * WINDOW + 100, without=line)

    scores = [model.step(means, learn=True)[0] for means in aggregates(4 * WINDOW, 13)]

    assert max(scores) < 0.5
    assert sorted(scores)[len(scores) // 2] < 0.15
    assert model.usual("abp_sys") == pytest.approx(118, abs=3)


def test_a_new_arterial_line_is_in_the_trees_after_two_windows():
    model = trained(2 * WINDOW, without=("abp_sys", "abp_mean"))
    place = FEATURES.index("abp_sys")

    counting = [model.trees.counting[place]]
    for means in aggregates(2 * WINDOW, 13):
        model.step(means, learn=True)
        counting.append(model.trees.counting[place])

    assert counting == [False] * (2 * WINDOW) + [True]


def test_gaps_now_and_then_do_not_raise_the_score():
    rng = seeded(2)
    whole, holed = trained(3 * WINDOW), trained(3 * WINDOW)
    scores = []
    for means in aggregates(3 * WINDOW, 14):
        gap = {code: v for code, v in means.items() if rng.random() < 0.95}
        scores.append((whole.step(means, True)[0], holed.step(gap, True)[0]))

    with_all, with_gaps = (sorted(column)[-75] for column in zip(*scores, strict=True))
    assert with_gaps < with_all + 0.1


def test_a_change_in_a_new_signal_is_seen():
    model = trained(2 * WINDOW, without=("etco2",))
    for means in aggregates(60, 13):
        model.step(means, learn=True)

    score, shares = model.step(centres(etco2=60.0), learn=False)

    assert score > 0.35
    assert shares["etco2"] > 0.9


# Snapshots


@pytest.mark.parametrize("learnt", [0, 1, 100, 249, 250, 251, 1100])
def test_scores_are_equal_after_restore(learnt):
    model = trained(learnt, without=("etco2",))

    restored = models.restore(models.snapshot(model))

    assert models.snapshot(restored) == models.snapshot(model)
    assert restored.warm == model.warm
    assert restored.usual("hr") == model.usual("hr")
    assert scores_of(restored) == scores_of(model)


def test_a_snapshot_stays_as_it_was_when_the_model_goes_on():
    model = trained()
    raw = models.snapshot(model)
    kept = bytes(raw)

    scores_of(model)

    assert raw == kept


def test_a_snapshot_is_small():
    assert len(models.snapshot(trained(4 * WINDOW))) < 2_000


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", b"not a snapshot", b"\x80\x04K\x01.", msgspec.json.encode([1])],
)
def test_foreign_bytes_are_refused(raw):
    with pytest.raises(StateError, match="start the model anew"):
        models.restore(raw)


def test_each_truncation_is_refused():
    raw = models.snapshot(trained())
    for length in range(len(raw)):
        with pytest.raises(StateError):
            models.restore(raw[:length])


def test_each_wrong_byte_is_refused():
    raw = models.snapshot(trained())
    for i in range(len(raw)):
        with pytest.raises(StateError):
            models.restore(raw[:i] + bytes([raw[i] ^ 0x10]) + raw[i + 1 :])


def test_bytes_after_the_end_are_refused():
    with pytest.raises(StateError):
        models.restore(models.snapshot(trained()) + b"\x00")


def resealed(position, value):
    """A snapshot with one field changed and a checksum that is right again."""
    fields = msgspec.msgpack.decode(models.snapshot(trained())[:-4])
    fields[position] = value
    body = msgspec.msgpack.encode(fields)
    return body + models._CRC.pack(zlib.crc32(body))


def test_another_version_is_refused_by_its_number():
    with pytest.raises(StateError, match=r"version 2, .* want 1,"):
        models.restore(resealed(0, 2))


def test_another_shape_is_refused():
    with pytest.raises(StateError, match="shape 0000002a"):
        models.restore(resealed(1, 42))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (2, [1.0]),
        (3, [0.0] * 14),
        (4, [-1] * 14),
        (5, 250),
        (6, [250] * 6),
        (7, [True] * 5),
        (8, [1] * 6),
        (9, b"not zlib"),
        (9, zlib.compress(b"\x01" * 2539)),
        (9, zlib.compress(b"\x01" * 2541)),
    ],
)
def test_a_field_that_no_model_has_is_refused(position, value):
    with pytest.raises(StateError):
        models.restore(resealed(position, value))


def test_a_patient_costs_less_than_20_kb():
    sample = list(aggregates(2 * WINDOW + 100))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    patients = [PatientModel() for _ in range(20)]
    for model in patients:
        for means in sample:
            model.step(means, learn=True)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (after - before) / len(patients) < 20_000
