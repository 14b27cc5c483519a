"""The questions the demo asks, as SQL that users can copy."""

from collections.abc import Iterator

from jobs.terminal.tables import to_text
from store import open_store
from store.catalog.activation_table import activation_table, parse_activation_table
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query

NEAREST_LAYER = 4
WIDTH = 110

NEAREST = """\
SELECT b.uri, b.style, b.instrument, b.tempo_bpm,
       round(array_cosine_similarity(x.vector, y.vector), 5) AS similarity
FROM clips a JOIN x ON x.clip_id = a.clip_id,
     clips b JOIN x y ON y.clip_id = b.clip_id
WHERE a.uri = 'styles/000003.flac'
ORDER BY similarity DESC, b.uri LIMIT 6"""

BALANCE = """\
SELECT style, count(*) AS clips, count(*) FILTER (split = 'train') AS train,
       count(*) FILTER (split = 'validation') AS validation,
       count(*) FILTER (split = 'test') AS test
FROM clips WHERE style IS NOT NULL GROUP BY style ORDER BY style"""

FAILURES = """\
SELECT stage, error, count(*) AS files, any_value(uri) AS example
FROM failures GROUP BY stage, error"""

SIZES = """\
SELECT run_id, clips, failed, len(layers) AS layers, bytes,
       bytes // clips AS bytes_per_clip, complete, random_weights
FROM runs"""

LAYERS = """\
SELECT concept, layer, round(score, 3) AS score, round(score_low, 3) AS low,
       round(score_high, 3) AS high, round(control, 3) AS shuffled,
       round(handcrafted, 3) AS handcrafted, round(ari, 3) AS ari,
       round(nmi, 3) AS nmi
FROM layers JOIN runs USING (run_id)
WHERE model = 'pocket' AND site = 'resid' AND reduction = 'mean'
  AND loss = 'mse' AND concept IN ('style', 'instrument')
ORDER BY concept DESC, layer"""

MODELS = """\
SELECT concept, model, site, layer, round(score, 3) AS score,
       round(score_low, 3) AS low, round(score_high, 3) AS high
FROM layers JOIN runs USING (run_id)
WHERE loss = 'mse' AND score IS NOT NULL
QUALIFY 1 = row_number() OVER (
  PARTITION BY concept, model ORDER BY score DESC, layer, site)
ORDER BY concept, model"""

EFFECTS = """\
SELECT source || ' → ' || target AS pair, alpha, scorer,
       round(transfer, 2) AS transfer, round(low, 2) AS low,
       round(high, 2) AS high, round(random, 2) AS random,
       round(prompt, 2) AS prompt, round(kad_clips, 1) AS kad,
       round(kad_clips_random, 1) AS kad_random,
       round(variation, 1) AS variation, drone
FROM transfers
WHERE split = 'evaluation' AND chosen
ORDER BY pair, scorer"""


def questions(store: str, run: str, *, width: int = WIDTH) -> Iterator[tuple[str, str, str]]:
    """Ask the questions: (question, SQL, answer as text)."""
    opened = open_store(store)
    catalog = refresh_catalog(opened)
    shown = parse_activation_table(f"{run}:resid.mean:{NEAREST_LAYER}=x")
    nearest = f"Which clips sound nearest to one clip, by the residual stream of layer {NEAREST_LAYER}?"
    for question, sql, tables in (
        (nearest, NEAREST, {"x": activation_table(opened, shown)}),
        ("Are the labels balanced over the splits?", BALANCE, {}),
        ("What failed, by class?", FAILURES, {}),
        ("How much does each run hold?", SIZES, {}),
        ("Which layer knows the style, which the instrument?", LAYERS, {}),
        ("Does a MusicGen know more, or an encoder? The best layer of each", MODELS, {}),
        (
            "How far does steering move a style, and at what damage to the sound?",
            EFFECTS,
            {},
        ),
    ):
        yield question, sql, to_text(run_query(catalog, sql, timeout_seconds=60, tables=tables), width=width)
