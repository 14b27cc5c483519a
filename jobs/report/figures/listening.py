"""Sounds of a sweep's chosen settings: unsteered, steered, and controls."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from jobs.generate.records import opened_sound
from jobs.report.answers import Answers, Row
from jobs.report.figures.failures import flags_of_settings
from jobs.report.page import Figure, Sound, SoundGroup, anchor, data_table, embedded_sound
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

HEARD = """\
WITH settings AS (
    SELECT plan_id, source, target, setting_id, bool_or(chosen) AS chosen,
           max(value) FILTER (metric = 'transfer' AND split = 'selection' AND scorer = '{scorer}') AS transfer
    FROM effects WHERE sweep_id = '{sweep_id}' AND setting_id IS NOT NULL
        AND coalesce(chosen_by, '{scorer}') = '{scorer}'
    GROUP BY ALL
),
picked AS (
    FROM settings QUALIFY 1 = row_number() OVER (
        PARTITION BY source, target ORDER BY chosen DESC NULLS LAST, transfer DESC NULLS LAST, setting_id
    )
)
SELECT coalesce(c.chosen, false) AS chosen, c.setting_id,
       g.source, g.target, g.role, g.text, COLUMNS('^(audio_prompt|audio_seconds)$'), g.random_state,
       g.site, g.layers, g.method, g.alpha, g.generation_id, g.unsteered_id
FROM sweep_generations g JOIN picked c
    ON c.plan_id IS NOT DISTINCT FROM g.plan_id AND c.source = g.source AND c.target = g.target
    AND (g.setting_id = c.setting_id OR g.setting_id IS NULL)
WHERE g.sweep_id = '{sweep_id}' AND g.split = 'evaluation'
QUALIFY 1 = dense_rank() OVER (
    PARTITION BY g.source, g.target ORDER BY g.template, g.audio_prompt, g.random_state
)
ORDER BY g.source, g.target, g.role DESC"""


def listening_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Players for one prompt of each pair, all with the same sampling noise."""
    if "sweep_generations" not in answers.views:
        return None
    sql = HEARD.format(scorer=sweep.scorer, sweep_id=sweep.sweep_id)
    answer = answers.ask(sql)
    groups: dict[str, dict[str, Sound]] = {}
    settings: dict[str, Row] = {}
    for row in answer.to_pylist():
        key = f"audio/{row['generation_id']}.flac"
        if row["role"] in ROLES and has_sound(answers.store.objects, key):
            with opened_sound(answers.store, row["generation_id"]):  # a page embeds nothing that is no sound
                sounds = groups.setdefault(pair_of(row), {})
            settings[pair_of(row)] = row
            sounds[row["role"]] = embedded_sound(
                ROLES[row["role"]], read_sound_file(answers.store.objects, key), key, note=_note(row)
            )
    if not groups:
        return None
    flags = flags_of_settings(answers, sweep)
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
        sounds=tuple(
            SoundGroup(
                pair,
                tuple(sounds[role] for role in ROLES if role in sounds),
                _flags(settings[pair], flags),
            )
            for pair, sounds in list(groups.items())[:MOST_PAIRS]
        ),
    )


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
