"""The rules of docs/proof.md about parts of an output, each at the number where it turns."""

import types

import numpy as np
import pytest

from keraslayers.export.file.graph import Tensor
from keraslayers.export.proof import match
from keraslayers.export.proof.match import limits, nothing_said, still
from keraslayers.export.proof.parts import _samples, fault_of_part, figures


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def noise(decibels, *shape):
    """Of a power so many decibels below one, and of the same size in every number."""
    return np.where(numbers(*shape, seed=1) > 0, 1, -1) * 10 ** (-decibels / 20)


def wanted_of(*shape):
    """Numbers of a power of one in every channel, of which the samples have a mean of zero."""
    values = numbers(*shape)
    axes = tuple(range(len(shape) - 1))
    values -= values.mean(axis=0)
    return values / np.sqrt(np.mean(np.square(values), axis=axes))


def test_figures_by_hand():
    wanted = np.float64([[1, 2], [-1, -2], [3, 0], [-3, 0]])
    f = figures(wanted, wanted * [1, 0.5], 1)
    assert f.count == 4
    np.testing.assert_allclose(f.signal, [20, 8])
    np.testing.assert_allclose(f.noise, [0, 2])
    np.testing.assert_allclose(f.factor, [1, 0.5])
    np.testing.assert_allclose(f.correlation, [1, 1])
    # One sample is judged within itself.
    np.testing.assert_allclose(figures(wanted[:1], wanted[:1], None).signal, 0.5)
    np.testing.assert_allclose(figures(wanted[:1].T, wanted[:1].T, 1).signal, 0.5)


@pytest.mark.parametrize(("decibels", "wrong"), [(31.5, True), (34.0, False)])
def test_where_others_are_exact_a_part_need_not_be(decibels, wrong):
    """Beside parts of 100 dB, ten more than the least of a part are asked for, and no more."""
    wanted = wanted_of(64, 6)
    got = wanted + noise(100, 64, 6)
    got[:, 2] += noise(decibels, 64)
    said = fault_of_part(wanted, got, 23.0, 0.2, rough=False)
    assert bool(said) == wrong
    assert ("33 dB is the least here" in said) == wrong


@pytest.mark.parametrize(
    ("parts", "size", "error", "wrong"),
    [
        (200, 1e-3, 1.0, False),  # small by chance, and as right as the others
        (200, 0.0, 1.0, False),  # a class behind a ReLU
        (200, 0.0, 5.0, True),
        (200, 1e-3, 5.0, True),  # more off than they are
        (200, 1e-5, 1.0, True),  # smaller than chance explains
        (20, 0.0, 1.0, True),
        (20, 1e-3, 1.0, True),  # of few parts each counts, as boxes and scores do
    ],
)
def test_of_many_parts_one_may_be_small_by_chance(parts, size, error, wrong):
    """What a thousand classes say of samples that differ in one direction: 57 dB of one, 118 dB of all, was seen."""
    wanted, off = wanted_of(64, parts), noise(110, 64, parts)
    wanted[:, 3] *= size
    off[:, 3] *= error
    said = fault_of_part(wanted, wanted + off, 48.0, 0.2, rough=False, drowns=False)
    assert ("is the least here" in said) == wrong, said


@pytest.mark.parametrize(("parts", "size", "wrong"), [(200, 1.5, False), (200, 4.0, True), (20, 1.5, True)])
def test_a_class_that_8_bits_make_a_constant_of_is_as_right_as_the_others(parts, size, wrong):
    """It is off by its whole size, in parts of what the others are off."""
    wanted, off = wanted_of(64, parts), noise(15, 64, parts)
    wanted[:, 3] *= size * np.sqrt(np.mean(off**2) / np.mean(wanted[:, 3] ** 2))
    off[:, 3] = -wanted[:, 3]
    said = fault_of_part(wanted, wanted + off, -2.0, 0.2, rough=True)
    assert ("nothing to do with" in said) == wrong, said


@pytest.mark.parametrize(("count", "wrong"), [(7, False), (8, True)])
def test_of_few_numbers_no_correlation_is_known(count, wrong):
    wanted, got = (np.tile(wanted_of(count, 1), (1, 4)) for _ in range(2))
    got[:, 1] = 0.7 * numbers(count, seed=3)
    got[:, 1] -= wanted[:, 1] * (got[:, 1] @ wanted[:, 1]) / (wanted[:, 1] @ wanted[:, 1])  # none of it is left
    assert ("has nothing to do" in fault_of_part(wanted, got, -20.0, 10.0, rough=True)) == wrong


@pytest.mark.parametrize(("size", "wrong"), [(0.08, False), (0.15, True)])
def test_what_differs_by_less_than_the_others_are_off_is_not_seen_to_differ(size, wrong):
    """However large it is: in 8 bits it may be a constant. One that differs by more may not."""
    wanted = wanted_of(64, 40)
    got = wanted + noise(20, 64, 40)
    wanted[:, 3] = 20 + size * wanted[:, 3]
    got[:, 3] = 20
    said = fault_of_part(wanted, got, -20.0, 10.0, rough=True)
    assert ("part 3 of 40 along axis 1 has nothing to do" in said) == bool(said) == wrong
    assert fault_of_part(wanted, np.where(np.arange(40) == 3, 0, got), -20.0, 10.0, rough=True)


def test_what_takes_the_place_of_one_of_two_does_not_hide_itself():
    wanted = wanted_of(64, 2)
    got = wanted + noise(30, 64, 2)
    got[:, 1] = np.roll(wanted[:, 1], 1) / 3
    assert "part 1 of 2 along axis 1 has nothing to do" in fault_of_part(wanted, got, -20.0, 10.0, rough=True)


@pytest.mark.parametrize(("size", "wrong"), [(0.04, False), (0.06, True)])
def test_a_class_that_is_never_likely_is_judged_with_the_others(size, wrong):
    wanted = np.abs(0.4 + 0.2 * wanted_of(64, 4)).clip(0, 1)
    wanted[:, 1] = np.abs(size * wanted_of(64, 1)[:, 0] + 2.5 * size)
    got = wanted + 0.001 * noise(0, 64, 4)
    got[:, 1] = wanted[:, 1].mean()
    assert ("nothing to do" in fault_of_part(wanted, got, -2.0, 1.0, rough=True)) == wrong
    assert "nothing to do" in fault_of_part(wanted, got, -2.0, 1.0, rough=False)  # floats hold them all


def test_integers_are_rough():
    wanted = np.abs(0.4 + 0.2 * wanted_of(64, 4)).clip(0, 1)
    wanted[:, 1] = np.abs(0.04 * wanted_of(64, 1)[:, 0] + 0.1)
    got = wanted + 0.0001 * noise(0, 64, 4)
    got[:, 1] = wanted[:, 1].mean()
    assert match._too_far(wanted, got, "int8") == ""


@pytest.mark.parametrize(("count", "wrong"), [(7, False), (8, True)])
def test_of_few_samples_none_is_lost(count, wrong):
    wanted = wanted_of(count, 50)
    got = wanted + noise(60, count, 50)
    got[0] = -wanted[0]
    assert bool(_samples(wanted, got, 0.0, False)) == wrong


@pytest.mark.parametrize("likely", [True, False])
def test_samples_of_which_probabilities_hardly_differ(likely):
    wanted = 0.3 + 0.01 * wanted_of(64, 50)
    assert bool(_samples(wanted, np.full_like(wanted, 0.3), -2.0, likely)) != likely
    # A larger error than they may have is one.
    assert "of half of the samples" in _samples(wanted, wanted + 0.1 * noise(0, 64, 50), -2.0, likely)


@pytest.mark.parametrize(("lost", "joined", "wrong"), [(1, True, True), (1, False, False), (2, False, True)])
def test_how_many_parts_may_drown(lost, joined, wrong):
    """A quarter of eight; a tenth where tensors were put together."""
    wanted = wanted_of(64, 8)
    wanted[:, :lost] *= 0.01
    got = wanted + noise(20, 64, 8)
    got[:, :lost] = 0
    said = fault_of_part(wanted, got, -2.0, 0.2, rough=True, joined=joined)
    assert ("numbers of several scales" in said) == wrong


@pytest.mark.parametrize(("factor", "wrong"), [(1.1, False), (1.25, True), (2.0, True)])
def test_a_factor_that_the_others_do_not_have(factor, wrong):
    wanted = wanted_of(64, 5)
    got = wanted + noise(40, 64, 5)
    got[:, 3] *= factor
    said = fault_of_part(wanted, got, -20.0, 0.15, rough=True)
    assert (f"part 3 of 5 along axis 1 is {factor:.3f} times" in said) == wrong


def tensor(**about):
    return Tensor("y", 0, (1, 5), **{"dtype": "float32", **about})


def graph_of(*tensors, integer=False):
    return types.SimpleNamespace(outputs=tensors, operators={}, integer=integer, hybrid=False)


@pytest.mark.parametrize(("decibels", "silent"), [(2.5, True), (3.5, False)])
def test_outputs_that_say_nothing(decibels, silent):
    meaning = wanted_of(16, 5)
    got = {"y": meaning + noise(decibels, 16, 5)}
    assert ("differs no more from sample to sample" in nothing_said(got, {"y": meaning}, graph_of(tensor()))) == silent
    counted = graph_of(tensor(dtype="int32"))
    assert counted.outputs[0].counted
    assert nothing_said(got, {"y": meaning}, counted) == ""
    assert "no output differs" in nothing_said({"y": np.ones((16, 5))}, {"y": meaning}, graph_of(tensor()))


def test_still_is_every_output_over_several_samples():
    assert still({"a": np.ones((4, 2)), "b": np.zeros((4, 2))})
    assert not still({"a": np.ones((4, 2)), "b": numbers(4, 2)})
    assert not still({"a": np.ones((1, 2))})  # of one sample nobody knows


def test_an_output_behind_one_that_found_nothing_is_judged():
    first, second = (Tensor(name, i, (1, 5), "float32") for i, name in enumerate("ab"))
    wanted = {"a": np.zeros((0,)), "b": wanted_of(16, 5)}
    got = {"a": np.zeros((0,)), "b": -wanted["b"]}
    assert "output `b`" in match.fault(got, wanted, None, graph_of(first, second), "float32", plain=False)


@pytest.mark.parametrize(("decibels", "wrong"), [(-1.5, True), (1.5, False)])
def test_between_kernels_of_integers_a_part_is_over_its_error(decibels, wrong):
    meaning = np.concatenate([wanted_of(64, 4), 0.2 * wanted_of(64, 1)], axis=1)
    got = meaning.copy()
    got[:, 4] += 0.2 * noise(decibels, 64)
    got[:, :4] += noise(15, 64, 4)
    graph = graph_of(tensor(dtype="int8", step=0.01), integer=True)
    assert bool(match.wrong_numbers({"y": got}, {"y": meaning}, graph, plain=False)) == wrong


def test_where_zero_is_wanted_a_millionth_is_too_much():
    assert match._too_far(np.zeros((4, 5)), np.full((4, 5), 2e-6), "float32")
    assert match._differs(np.zeros((4, 5)), np.full((4, 5), 2e-6), False, None)
    assert not match._differs(np.zeros((4, 5)), np.full((4, 5), 9e-7), False, None)


def test_what_hardly_differs_is_told_with_its_share():
    wanted = 10 + 0.2 * wanted_of(64, 5)
    said = match._too_far(wanted, wanted + noise(0, 64, 5), "int8")
    assert "It differs by 2 % of its size from sample to sample" in said


def test_limits_are_those_of_the_precision():
    """The table of docs/proof.md is made of the same; here they stand once more, so that none moves unseen."""
    assert {precision: limits(precision) for precision in match.LIMITS} == {
        "float32": (60.0, 1e-3, 0.01, 0.99),
        "float16": (20.0, 3e-2, 0.01, 0.97),
        "dynamic": (15.0, None, 0.03, 0.85),
        "int8": (10.0, None, 0.15, 0.8),
        "int16x8": (15.0, None, 0.03, 0.85),
        "int4": (3.0, None, 1.0, 0.6),
    }
    # On a runtime of 16-bit floats the wider ones of two.
    assert limits("float32", 16) == (match.HALF[0], match.HALF[1], match.FACTOR_OF_HALF, match.EQUAL_OF_HALF)
    assert limits("int4", 16) == (3.0, match.HALF[1], 1.0, 0.6)
