"""Name the scalings of activations before clustering, for those who need no more than the names."""

from typing import Literal, get_args

ScalingKind = Literal["none", "zscore", "l2", "pca"]
SCALINGS: tuple[ScalingKind, ...] = get_args(ScalingKind)
