"""Sounds of a sweep's chosen settings: unsteered, steered, and controls."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from jobs.generate.records import opened_sound
from jobs.report.answers import Answers, Row
from jobs.report.figures.failures import flags_of_settings
from jobs.report.page import Example, Figure, Sound, SoundGroup, anchor, data_table, embedded_sound
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, pair_of
from store.results.generated_audio import has_sound, read_sound_file

ROLES = {
    "unsteered": "unsteered",
    "steered": "steered",
    "random": "random direction",
    "text": "direction of the text alone",
    "prompt": "asked for in words",
}
MOST_PAIRS = 8
MOST_OTHERS = 4

HEARD = """\
WITH settings AS (
    SELECT plan_id, source, target, setting_id, bool_or(chosen) AS chosen,
           max(value) FILTER (metric = 'transfer' AND split = 'selection' AND scorer = '{scorer}') AS transfer
    FROM effects WHERE sweep_id = '{sweep_id}' AND setting_id IS NOT NULL
        AND coalesce(chosen_by, '{scorer}') = '{scorer}'
    GROUP BY ALL
),
picked AS (
    FROM settings QUALIFY row_number() OVER (
        PARTITION BY source, target ORDER BY chosen DESC NULLS LAST, transfer DESC NULLS LAST, setting_id
    ) BETWEEN {first} AND {last}
)
SELECT coalesce(c.chosen, false) AS chosen, c.setting_id,
       g.source, g.target, g.role, g.text, COLUMNS('^(audio_prompt|audio_seconds)$'), g.random_state,
       g.site, g.layers, g.method, g.alpha, g.schedule, g.generation_id, g.unsteered_id
FROM sweep_generations g JOIN picked c
    ON c.plan_id IS NOT DISTINCT FROM g.plan_id AND c.source = g.source AND c.target = g.target
    AND (g.setting_id = c.setting_id OR g.setting_id IS NULL)
WHERE g.sweep_id = '{sweep_id}' AND g.split = 'evaluation'{also}
QUALIFY 1 = dense_rank() OVER (
    PARTITION BY g.source, g.target ORDER BY g.template, g.audio_prompt, g.random_state
)
ORDER BY g.source, g.target, g.role DESC, g.generation_id"""


BEST = """\
SELECT source, target FROM effects {where} AND metric = 'transfer' AND split = 'evaluation'
ORDER BY chosen DESC NULLS LAST, over_random_low DESC NULLS LAST, value DESC NULLS LAST, source, target"""


def listening_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Players for one prompt of each pair, all with the same sampling noise."""
    if "sweep_generations" not in answers.views:
        return None
    sql = heard_sql(sweep)
    answer = answers.ask(sql)
    groups = _groups(answers, sweep, answer.to_pylist(), pair_of)
    if not groups:
        return None
    return Figure(
        anchor(sweep.sweep_id, "sounds"),
        "Listen: the chosen setting of each pair, or the one that moves most",
        "One prompt (text and recording) and random state per pair, from the half that the setting was not "
        "chosen on. What stands "
        "side by side shares its sampling noise. In frames: what went wrong with the setting (see above); "
        "where no setting is chosen, the one that moves most is heard, and marked."
        f"{f' The first {MOST_PAIRS} of {len(groups)} pairs.' if len(groups) > MOST_PAIRS else ''}",
        table=data_table(answer),
        sql=sql,
        sounds=tuple(list(groups.values())[:MOST_PAIRS]),
    )


def others_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Players for settings that are not those of the figure above, of the same prompts."""
    if "sweep_generations" not in answers.views:
        return None
    sql = heard_sql(sweep, first=2, last=1 + MOST_OTHERS, also=" AND g.role IN ('steered', 'random')")
    answer = answers.ask(sql)
    groups = _groups(answers, sweep, answer.to_pylist(), _setting)
    if not groups:
        return None
    return Figure(
        anchor(sweep.sweep_id, "other-sounds"),
        "Listen: settings that were not chosen",
        f"Up to {MOST_OTHERS} of each pair: those that moved most on the half that settings are chosen on, "
        "after the one above, with the same prompt and noise.",
        table=data_table(answer),
        sql=sql,
        sounds=tuple(list(groups.values())[: MOST_PAIRS * MOST_OTHERS]),
        folded=True,
    )


def best_example(answers: Answers, sweep: Sweep, sentences: Mapping[tuple[str, str], str]) -> Example | None:
    """The pair that was moved most surely, chosen ones first, with what is known of it in words."""
    if "sweep_generations" not in answers.views:
        return None
    groups = _groups(answers, sweep, answers.rows(heard_sql(sweep)), pair_of)
    for row in answers.rows(BEST.format(where=sweep.where())):
        if (group := groups.get(pair_of(row))) is not None:
            return Example(group, sentences.get((row["source"], row["target"]), ""))
    return None


def heard_sql(sweep: Sweep, *, first: int = 1, last: int = 1, also: str = "") -> str:
    """Generations of one prompt of each pair, of its best settings from the first to the last."""
    return HEARD.format(scorer=sweep.scorer, sweep_id=sweep.sweep_id, first=first, last=last, also=also)


def _groups(
    answers: Answers, sweep: Sweep, rows: Sequence[Row], named: Callable[[Row], str]
) -> dict[str, SoundGroup]:
    """Players of rows that have a sound, by the name that their row is given."""
    found: dict[str, dict[str, Sound]] = {}
    settings: dict[str, Row] = {}
    for row in rows:
        key = f"audio/{row['generation_id']}.flac"
        if row["role"] not in ROLES or not has_sound(answers.store.objects, key):
            continue
        with opened_sound(answers.store, row["generation_id"]):  # a page embeds nothing that is no sound
            sounds = found.setdefault(named(row), {})
        settings[named(row)] = row
        sounds[row["role"]] = embedded_sound(
            ROLES[row["role"]], read_sound_file(answers.store.objects, key), key, note=_note(row)
        )
    flags = flags_of_settings(answers, sweep) if found else {}
    return {
        name: SoundGroup(
            name, tuple(sounds[role] for role in ROLES if role in sounds), _flags(settings[name], flags)
        )
        for name, sounds in found.items()
    }


def _setting(row: Row) -> str:
    varied = [row["method"], row["schedule"]]
    return " · ".join([pair_of(row), _way(row), *(one for one in varied if one and one != "constant")])


def _flags(row: Row, flags: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What there is to know of the setting that is heard."""
    unchosen = () if row["chosen"] else ("not chosen",)
    return unchosen + flags.get(row["setting_id"], ())


def _note(row: Row) -> str:
    return "; ".join(filter(None, [_way(row), _recording(row)]))


def _recording(row: Row) -> str:
    """What is no music of the model's in a sound that continues a recording."""
    if row["audio_prompt"] is None:
        return ""
    recording = PurePosixPath(row["audio_prompt"]).name
    seconds = row.get("audio_seconds")
    return f"continues {recording}" if seconds is None else f"the first {seconds:g} s are {recording}"


def _way(row: Row) -> str:
    if row["alpha"] is None:
        return f"“{row['text']}”"
    layers = row["layers"]
    place = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]}–{layers[-1]}"
    return f"{row['site']}, {place}, α {row['alpha']:.3g}"


FIGURE = SweepFigure(listening_figure)
OTHERS_FIGURE = SweepFigure(others_figure)
