"""Masks with a given number of neurons: independent Bernoulli masks conditioned on their size (Chen et al. 1994).

A size k is uniform over 1, ..., D, the number of neurons; the empty set is no mask. Given k,

    log q(m | k) = sum_j m_j phi_j - log Z_k,    Z_k = sum over sets S of k neurons of prod_{j in S} exp(phi_j)

and log q(m) = log q(m | |m|) - log D. Z_k is the elementary symmetric polynomial of degree k in exp(phi).

The recursion over neurons runs on the ratios R_k = Z_k / Z_{k-1}: with odds w of one more neuron,

    R_k <- (R_k + w) / (1 + w / R_{k-1})

which neither overflows nor needs logarithms, and is stable: R_k <= R_{k-1} (Newton), so the relative error of the new
ratio is at most that of the old ones plus its own rounding. It takes D^2 operations and is done in float64.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

_NEVER: Final = 1e300
"""A ratio beside which every other one vanishes, and whose products are finite."""


@dataclass(frozen=True)
class Masks:
    """The distribution over masks for given phi, and what its recursion leaves to sample by."""

    odds: Float[Tensor, "probe neuron"]
    """exp(phi)."""
    ratio: Float[Tensor, "probe size"]
    """Z_k / Z_{k-1} for k = 1, ..., D."""
    along: Float[Tensor, "probe size"]
    """The derivative of log `ratio` where phi moves along itself."""
    chance: Float[Tensor, "neuron probe left"]
    """That a neuron is kept, if 0, 1, ..., D neurons are to be kept among it and those before it."""
    chance_along: Float[Tensor, "neuron probe left"]
    """The derivative of `chance` where phi moves along itself."""

    @staticmethod
    def of(log_odds: Float[Tensor, "probe neuron"]) -> "Masks":
        """Run the recursion over neurons for phi, which may be anything within +-300."""
        phi = log_odds.double()
        odds = phi.exp()
        probes, neurons = odds.shape
        # Of size 0 to D; the first stands for infinity. Before any neuron only the empty set is there.
        ratio = odds.new_zeros(probes, neurons + 1)
        ratio[:, 0] = _NEVER
        along, total, passed = torch.zeros_like(ratio), torch.empty_like(ratio), torch.empty_like(ratio)
        chance, moved = odds.new_empty(2, neurons, probes, neurons + 1)
        # Views are taken once: the loop's time goes into calls, not into arithmetic.
        ratio_of_more, total_of_more, along_of_more = ratio[:, 1:], total[:, 1:], along[:, 1:]
        passed_of_fewer = passed[:, :-1]
        rows = [tensor.unbind(0) for tensor in (odds.T[:, :, None], phi.T[:, :, None], chance, moved)]
        for own, own_phi, kept, kept_along, of_fewer in zip(*rows, moved[:, :, :-1].unbind(0), strict=True):
            torch.add(ratio, own, out=total)
            torch.div(own, total, out=kept)
            torch.div(ratio, total, out=passed)
            torch.sub(own_phi, along, out=kept_along)
            kept_along.mul_(kept)
            torch.mul(total_of_more, passed_of_fewer, out=ratio_of_more)
            along.add_(kept_along)
            along_of_more.sub_(of_fewer)
        chance[:, :, 0] = 0
        return Masks(odds, ratio_of_more, along_of_more, chance, moved.addcmul_(moved, chance, value=-1))

    def entropy(self) -> Float[Tensor, " probe"]:
        """Return H(q) in nats: log D plus the mean over sizes of log Z_k - E[sum_j m_j phi_j | k]."""
        given_size = (self.ratio.log() - self.along).cumsum(1)
        return given_size.mean(1) + math.log(self.odds.shape[1])

    def inclusion_and_entropy_gradient(self) -> tuple[Float[Tensor, "probe neuron"], Float[Tensor, "probe neuron"]]:
        """Return each neuron's probability of being kept, over all sizes, and the gradient of the entropy in phi.

        The gradient is minus the mean over sizes of Cov(m_j, sum_i m_i phi_i | k), which is minus the derivative of the
        probabilities where phi moves along itself. Both come from the distribution of how many neurons are left to
        keep, carried from the last neuron to the first.
        """
        neurons, probes, width = self.chance.shape
        left = self.chance.new_zeros(2, probes, width)
        left[0, :, 1:] = 1 / neurons
        taken = torch.empty_like(left)
        sums = self.chance.new_empty(neurons, 2, probes)
        left_of_fewer, taken_of_more = left[:, :, :-1], taken[:, :, 1:]
        rows = [tensor.unbind(0)[::-1] for tensor in (self.chance, self.chance_along, sums)]
        for kept, kept_along, found in zip(*rows, strict=True):
            torch.mul(left, kept, out=taken)
            taken[1].addcmul_(left[0], kept_along)
            torch.sum(taken, 2, out=found)
            left.sub_(taken)
            left_of_fewer.add_(taken_of_more)
        return sums[:, 0].T, -sums[:, 1].T

    def sample(
        self, sizes: Int[Tensor, "probe mask"], uniform: Float[Tensor, "probe neuron mask"]
    ) -> Float[Tensor, "probe neuron mask"]:
        """Draw exact masks of these sizes, by one uniform number per neuron from the last neuron to the first.

        Args:
            sizes: how many neurons each mask keeps, 1 to D.
            uniform: random numbers between 0 and 1, 1 excluded.

        Returns:
            1 where a neuron is kept, else 0, in the type of `uniform`.
        """
        left = sizes.clone()
        masks = torch.empty_like(uniform)
        chance = self.chance.to(uniform.dtype)
        kept = torch.empty_like(left)
        rows = [chance.unbind(0)[::-1], uniform.unbind(1)[::-1], masks.unbind(1)[::-1]]
        for of_left, number, mask in zip(*rows, strict=True):
            torch.lt(number, of_left.gather(1, left), out=kept)
            left.sub_(kept)
            mask.copy_(kept)
        return masks
