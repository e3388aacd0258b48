"""What a group's model is pulled towards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Prior:
    """A model towards which the model of each group is pulled: ½ · strength · ‖β - β_prior‖².

    β is the intercept and the coefficients of the features as (x - center) / scale, so that the pull does not
    depend on the units of the features. The intercept is pulled as well.

    Parameters
    ----------
    intercept, coefficients : the model, in the units of the data; coefficients of shape (features,).
    center, scale : shape (features,), in the units of the data; scale > 0.
    strength : > 0. It weighs as much as that many units of half a squared error, or of log loss in nats.

    Raises
    ------
    ValueError
        When the shapes differ, a value is not finite, or a scale or the strength is not positive.

    Examples
    --------
    >>> Prior(-1.0, [0.5], center=[3.0], scale=[2.0], strength=10.0).standardised().tolist()
    [1.0, 0.5]
    """

    intercept: float
    coefficients: Sequence[float] | npt.NDArray[np.float64]
    center: Sequence[float] | npt.NDArray[np.float64]
    scale: Sequence[float] | npt.NDArray[np.float64]
    strength: float

    def __post_init__(self) -> None:
        coefficients, center, scale = self.arrays()
        if not coefficients.shape == center.shape == scale.shape or coefficients.ndim != 1:
            raise ValueError(
                f"expected one coefficient, center and scale for each feature, found the shapes "
                f"{coefficients.shape}, {center.shape} and {scale.shape}"
            )
        if not np.all(np.isfinite([self.intercept, self.strength, *coefficients, *center, *scale])):
            raise ValueError(f"expected finite numbers, found {self}")
        if self.strength <= 0 or np.any(scale <= 0):
            raise ValueError(f"expected a strength and scales above 0, found {self.strength} and {scale}")

    def arrays(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Coefficients, center and scale."""
        return (
            np.ascontiguousarray(self.coefficients, dtype=np.float64),
            np.ascontiguousarray(self.center, dtype=np.float64),
            np.ascontiguousarray(self.scale, dtype=np.float64),
        )

    def standardised(self) -> npt.NDArray[np.float64]:
        """Shape (features + 1,): the coefficients of (x - center) / scale, then the intercept."""
        coefficients, center, scale = self.arrays()
        return np.append(coefficients * scale, self.intercept + coefficients @ center)
