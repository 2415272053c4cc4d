"""How far seeds move what a probe finds where neurons share their noise, with the default settings."""

from functools import cache
from itertools import combinations
from typing import NamedTuple

import pytest
import torch

from polyprobe.probes import FAMILIES, LinearProbe, Probe, fit_side_by_side
from support.correlated_noise import Problem, correlated_noise

K = 20
SEEDS = range(10)


class Found(NamedTuple):
    """What the probes of several seeds find on one problem."""

    probes: list[Probe]
    neurons: list[set[int]]
    information: torch.Tensor
    """Test mutual information of the K neurons as a share of the label entropy, per seed."""


@cache
def problem() -> Problem:
    return correlated_noise()


@cache
def found(family: str, seeds: int, estimator: str | None = None) -> Found:
    train, dev, test, _ = problem()
    settings = {"estimator": estimator} if estimator else {}
    probes = [*fit_side_by_side(family, train[0], [train[1]] * seeds, dev, [*SEEDS][:seeds], **settings)]
    selections = [probe.select(*dev, K) for probe in probes]
    information = [
        probe.score_prefixes(selection.neurons, *test).mutual_information[-1]
        for probe, selection in zip(probes, selections, strict=True)
    ]
    return Found(probes, [set(selection.neurons.tolist()) for selection in selections], torch.stack(information))


@pytest.mark.slow
def test_seeds_agree_on_the_neurons() -> None:
    shared = [len(one & other) for one, other in combinations(found("poisson", len(SEEDS)).neurons, 2)]
    assert sum(shared) / len(shared) >= 18, shared


def test_what_is_found_carries_the_label() -> None:
    for neurons in found("poisson", 3).neurons:
        assert len(neurons & set(problem().carriers)) >= K - 1


@pytest.mark.slow
def test_no_family_that_is_trained_once_finds_more() -> None:
    """Of the families whose one set of weights serves every set of neurons."""
    default = found("poisson", len(SEEDS)).information
    for family in set(FAMILIES) - {"poisson", "retrained", "gaussian"}:
        other = found(family, 3)
        assert all(isinstance(probe, LinearProbe) for probe in other.probes)
        assert default.mean() > other.information.mean() - 2 * default.std(), family


@pytest.mark.slow
def test_a_family_that_fits_each_set_finds_little_more() -> None:
    """The noise is Gaussian, so that the generative probe is the truth itself: it bounds what any probe can find."""
    if "gaussian" not in FAMILIES:
        pytest.skip("no such family")
    bound = found("gaussian", 1).information.mean()
    default = found("poisson", len(SEEDS)).information
    assert 0.9 * bound < default.mean() < bound + 2 * default.std()


@pytest.mark.soak
def test_the_references_estimator_finds_no_more() -> None:
    default, reference = found("poisson", len(SEEDS)), found("poisson", 3, "reinforce")
    assert default.information.mean() > reference.information.mean() - 2 * default.information.std()
    shared = [len(one & other) for one in default.neurons for other in reference.neurons]
    assert sum(shared) / len(shared) >= 18, shared
