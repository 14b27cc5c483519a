"""Verdicts on a score: does it exceed its baseline and its shuffled-label control?"""

NOT_MEASURABLE = "not measurable"
BETTER = "better than both"
"""Than the baseline and than shuffled labels."""


def verdict(score: float, low: float, *, baseline: float, control_high: float | None) -> str:
    """The first that is true of a score with the lower end of its interval.

    Args:
        score: accuracy or R²; NaN where it could not be measured.
        low: lower end of its interval; NaN where it could not be measured.
        baseline: what a constant answer scores: the share of a class, or 0 for R².
        control_high: upper end of the interval of the control, None or NaN without one.
    """
    if score != score or low != low:  # noqa: PLR0124 (NaN)
        return NOT_MEASURABLE
    controlled = control_high is not None and control_high == control_high  # noqa: PLR0124 (NaN)
    if control_high is not None and score <= control_high:
        return "no better than shuffled labels"
    if score <= baseline:
        return "no better than the baseline"
    if low <= baseline:
        return f"interval covers {'the baseline' if baseline else '0'}"
    return BETTER if controlled else "better than the baseline"
