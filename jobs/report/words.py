"""Say what was found in words with numbers: where concepts are read, and how far steering moves."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jobs.report.answers import Answers
from jobs.report.subjects import best_layers
from store.catalog.quoting import sql_value

Row = Mapping[str, Any]
BEST = """concept, site, layer, metric, score, score_low, score_high, control, verdict, handcrafted,
       handcrafted_site"""

TRANSFERS = """\
SELECT t.*, e.over_random_low
FROM transfers t LEFT JOIN effects e
    ON e.sweep_id = t.sweep_id AND e.setting_id = t.setting_id AND e.split = t.split AND e.scorer = t.scorer
    AND e.metric = 'transfer'
WHERE t.run_id = {run} AND t.split = 'evaluation' AND t.chosen AND t.transfer IS NOT NULL
ORDER BY t.source, t.target, t.scorer != t.chosen_by, t.scorer"""

UNCHOSEN = """\
SELECT source, target, count(DISTINCT setting_id) AS settings
FROM effects WHERE run_id = {run} AND setting_id IS NOT NULL
GROUP BY ALL HAVING NOT coalesce(bool_or(chosen), false) ORDER BY ALL"""


def answer_in_words(answers: Answers, run_id: str) -> Iterator[str]:
    """A sentence per concept of a run and per pair that was steered; the uncertain is called undecided."""
    for row in answers.rows(best_layers(BEST, run_id)):
        if row["score"] is not None:
            yield of_best(row)
    if "transfers" in answers.views:
        yield from of_steering(answers.rows, run_id).values()


def of_best(row: Row) -> str:
    """One concept at its best layer, beside handcrafted features and its control."""
    metric = "R²" if row["metric"] == "r2" else "accuracy"
    low, high = row["score_low"], row["score_high"]
    interval = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    beside = [
        f"{value:.2f} {words}"
        for value, words in (
            (row["handcrafted"], f"from {row['handcrafted_site']}"),
            (row["control"], "on shuffled labels"),
        )
        if value is not None
    ]
    against = f", against {' and '.join(beside)}" if beside else ""
    place = f"{row['site']} {row['layer']}"
    said = f"{row['concept']} is read best at {place}: {metric} {row['score']:.2f}{interval}{against}."
    return f"{said} {_judged(row)}".rstrip()


def _judged(row: Row) -> str:
    verdict, low, handcrafted = row["verdict"], row["score_low"], row["handcrafted"]
    if verdict is not None and not verdict.startswith("better"):
        return f"Undecided: {verdict}."
    if handcrafted is None or low is None:
        return ""
    if handcrafted >= low:
        return "No layer is surely better than those features."
    return "Surely better than those features."


def of_steering(ask: Callable[[str], list[Any]], run_id: str) -> Mapping[tuple[str, str], str]:
    """By source and target, a sentence about the chosen setting of a run's sweeps, or that there is none."""
    transfers: dict[tuple[str, str], list[Row]] = {}
    for row in ask(TRANSFERS.format(run=sql_value(run_id))):
        transfers.setdefault((row["source"], row["target"]), []).append(row)
    unchosen = {
        (row["source"], row["target"]): (
            f"steering {row['source']} → {row['target']}: undecided. None of {row['settings']} settings "
            "moves towards the target farther than random directions do, within the limits of damage."
        )
        for row in ask(UNCHOSEN.format(run=sql_value(run_id)))
    }
    return {pair: of_transfer(rows) for pair, rows in transfers.items()} | unchosen


def of_transfer(rows: list[Row]) -> str:
    """One pair at its chosen setting, to every scorer, on the prompts that did not choose it."""
    first = rows[0]
    beginning = "" if first["schedule"] == "constant" else f", {first['schedule']}"
    place = f"{_layers(first['layers'])}, α {first['alpha']:g}{beginning}"
    scored = "; ".join(map(_scored, rows))
    return f"steering {first['source']} → {first['target']} at {place}: {scored}. {_damage(first)}"


def _scored(row: Row) -> str:
    """What one scorer says of the target's probability, beside the controls."""
    sure = row["over_random_low"] is not None and row["over_random_low"] > 0 and row["low"] > 0
    asked = "" if row["prompt"] is None else f", asking in words {row['prompt']:.2f}"
    return (
        f"to {row['scorer']}, P({row['target']}) rises by {row['transfer']:.2f}{_interval(row)}, with random "
        f"directions {row['random']:.2f}{asked}: {'beyond chance' if sure else 'undecided'}"
    )


def _layers(layers: list[int]) -> str:
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]}–{layers[-1]}"


def _interval(row: Row) -> str:
    return "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"


def _damage(row: Row) -> str:
    """Distance to recordings and movement, beside what happens without steering."""
    said = []
    if row["kad_clips"] is not None:
        controls = [
            f"{name} {row[f'kad_clips_{column}']:.1f}"
            for name, column in (("unsteered", "unsteered"), ("random", "random"), ("in words", "prompt"))
            if row[f"kad_clips_{column}"] is not None
        ]
        said.append(f"distance to recordings {row['kad_clips']:.1f} ({', '.join(controls)})")
    if row["variation"] is not None:
        moves = "a drone" if row["drone"] else "they still move"
        said.append(f"variation over time {row['variation']:.1f} dB (unsteered {_unsteered(row)}): {moves}")
    return f"Damage: {'; '.join(said)}." if said else "Damage was not measured."


def _unsteered(row: Row) -> str:
    return "–" if row["variation_unsteered"] is None else f"{row['variation_unsteered']:.1f}"
