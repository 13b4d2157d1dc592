"""What to believe of two success rates after counting, with beta priors; knows no tests.

Every probability is an exact tail of a discrete distribution, with as many digits for one side as
for the other. Looking often makes P(B better) exceed 0.95 by chance more often than 1 in 20: it is
a statement of belief, never a stopping rule with a known error.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlcore.discrete import binomial_cdf, hypergeometric_sf
from mlcore.errors import DataError
from mlcore.special import normal_cdf


class Beta(NamedTuple):
    """Beta(a, b) with whole parameters of 1 and more; (1, 1) is the flat prior."""

    a: int
    b: int

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)


FLAT = Beta(1, 1)


class Belief(NamedTuple):
    """P(B better than A), and what one expects to lose by choosing B, or A, where it is worse."""

    b_better: float
    loss_of_b: float
    loss_of_a: float


def posterior(successes: int, trials: int, prior: Beta = FLAT) -> Beta:
    """Beta(a + x, b + n - x) after x successes in n trials.

    Raises DataError unless 0 <= x <= n and the prior has whole parameters of 1 and more.

    >>> posterior(840, 1000)
    Beta(a=841, b=161)
    """
    if not 0 <= successes <= trials:
        raise DataError(f"a posterior needs 0 <= x <= n, got x = {successes} and n = {trials}")
    if prior.a < 1 or prior.b < 1:
        raise DataError(f"a prior has whole parameters of 1 and more, got {tuple(prior)}")
    return Beta(prior.a + successes, prior.b + trials - successes)


def probability_greater(first: Beta, second: Beta) -> float:
    """P(X > Y) for independent X ~ first and Y ~ second.

    A Beta(a, b) variable is the a-th smallest of a + b - 1 uniform ones. X is above Y when, of the
    first a_X + a_Y - 1 of both kinds together, at least a_Y are Y's: a hypergeometric tail
    (Altham 1969). It is exact, and costs O(standard deviation) steps.

    >>> round(probability_greater(Beta(872, 130), Beta(841, 161)), 11)
    0.97556543648
    """
    ours, theirs = first.a + first.b - 1, second.a + second.b - 1
    drawn = first.a + second.a - 1
    return hypergeometric_sf(second.a - 1, ours + theirs, theirs, drawn)


def expected_loss(chosen: Beta, other: Beta) -> float:
    """E max(Y - X, 0) of the chosen X and the other Y: what the choice costs where it is wrong.

    m_Y P(Y' > X) - m_X P(Y > X') with m the means, Y' ~ Beta(a_Y + 1, b_Y) and X' alike.

    >>> round(expected_loss(Beta(872, 130), Beta(841, 161)), 12)
    0.000144954138
    """
    gained = other.mean * probability_greater(other._replace(a=other.a + 1), chosen)
    given = chosen.mean * probability_greater(other, chosen._replace(a=chosen.a + 1))
    return max(gained - given, 0.0)


def belief(a: Beta, b: Beta) -> Belief:
    """P(B > A) and both expected losses of two independent rates.

    >>> found = belief(Beta(1, 1), Beta(1, 1))
    >>> round(found.b_better, 12), round(found.loss_of_a, 12) == round(1 / 6, 12)
    (0.5, True)
    """
    return Belief(probability_greater(b, a), expected_loss(b, a), expected_loss(a, b))


def paired_belief(only_a: int, only_b: int, n: int) -> Belief:
    """The belief about two rates measured on the same n rows, where one alone was right on some.

    The four shares of the table have a flat Dirichlet prior, so t = P(only B) / P(either alone) is
    Beta(c + 1, b + 1) and independent of s = P(either alone), whose mean is (b + c + 2) / (n + 4).
    P(B better) = P(t > 1/2) and the loss of B is E s E max(1 - 2 t, 0): binomial tails at 1/2.
    Raises DataError unless b, c >= 0 and b + c <= n.

    >>> round(paired_belief(40, 71, 1000).b_better, 6)
    0.998392
    """
    if min(only_a, only_b) < 0 or only_a + only_b > n:
        raise DataError(f"{only_a} and {only_b} rows right alone do not fit into {n} rows")
    apart = (only_a + only_b + 2) / (n + 4)
    return Belief(
        _above_half(only_b, only_a),
        apart * _shortfall(only_b, only_a),
        apart * _shortfall(only_a, only_b),
    )


def normal_belief(gain: float, se: float) -> Belief:
    """The belief when the gain of B over A is known as N(gain, se^2), as after a flat prior.

    P = Phi(m / s), the loss of B = s phi(m / s) - m Phi(-m / s). Raises DataError unless se > 0.

    >>> [round(value, 6) for value in normal_belief(0.0309381, 0.0157195)]
    [0.975474, 0.000145, 0.031083]
    """
    if not 0 < se < math.inf or not math.isfinite(gain):
        raise DataError(f"a belief needs a finite gain and an error above 0, got {gain} and {se}")
    z = gain / se
    density = se * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    losses = (density - gain * normal_cdf(-z), density + gain * normal_cdf(z))
    return Belief(normal_cdf(z), *(max(loss, 0.0) for loss in losses))


def _above_half(wins: int, defeats: int) -> float:
    """P(t > 1/2) for t ~ Beta(wins + 1, defeats + 1)."""
    return binomial_cdf(wins, wins + defeats + 1, 0.5)


def _shortfall(wins: int, defeats: int) -> float:
    """E max(1 - 2 t, 0) for t ~ Beta(wins + 1, defeats + 1)."""
    mean = (wins + 1) / (wins + defeats + 2)
    below = _above_half(defeats, wins)
    return max(below - 2 * mean * _above_half(defeats, wins + 1), 0.0)
