-- The views that people query; they are made anew at every refresh, because label columns come with the datasets.
-- Every view and every column has a COMMENT: `undertone sql STORE --format table` prints them.

------------------------------------------------------------------------------------------------------- datasets

CREATE OR REPLACE VIEW datasets AS
SELECT
    d.dataset, d.format, d.clip_seconds, d.hop_seconds,
    coalesce(c.clips, 0) AS clips, coalesce(c.recordings, 0) AS recordings, coalesce(c.groups, 0) AS groups,
    coalesce(c.hours, 0) AS hours, coalesce(f.failures, 0) AS failures, d.fingerprint,
    d.version
FROM parts.datasets d
LEFT JOIN (
    SELECT
        dataset, count(*) AS clips, count(DISTINCT uri) AS recordings, count(DISTINCT group_id) AS groups,
        sum(duration_seconds ORDER BY duration_seconds) / 3600 AS hours
    FROM parts.clips GROUP BY dataset
) c USING (dataset)
LEFT JOIN (SELECT dataset, count(*) AS failures FROM parts.dataset_failures GROUP BY dataset) f USING (dataset);

COMMENT ON VIEW datasets IS 'one row per dataset of the store';
COMMENT ON COLUMN datasets.dataset IS 'name of the dataset';
COMMENT ON COLUMN datasets.format IS 'how it was read: folder, table, gtzan, fma, syntheory or synthesis';
COMMENT ON COLUMN datasets.clip_seconds IS 'length of its clips';
COMMENT ON COLUMN datasets.hop_seconds IS 'distance between the starts of two clips of one recording';
COMMENT ON COLUMN datasets.clips IS 'number of clips';
COMMENT ON COLUMN datasets.recordings IS 'number of audio files that gave clips';
COMMENT ON COLUMN datasets.groups IS 'number of groups (artists, or recordings) that splits never cut through';
COMMENT ON COLUMN datasets.hours IS 'length of all its clips together';
COMMENT ON COLUMN datasets.failures IS 'recordings that could not be used; see the view failures';
COMMENT ON COLUMN datasets.fingerprint IS 'hash of its content; runs record that of version 1';
COMMENT ON COLUMN datasets.version IS 'number of its newest version, which the other views show';

CREATE OR REPLACE VIEW clips AS
SELECT * EXCLUDE (_part) FROM parts.clips;

COMMENT ON VIEW clips IS 'one row per clip, with one column per label of any dataset';
COMMENT ON COLUMN clips.dataset IS 'dataset the clip belongs to';
COMMENT ON COLUMN clips.clip_id IS 'stable id: hash of dataset, path, start and length';
COMMENT ON COLUMN clips.uri IS 'path of the recording, relative to the root of the dataset';
COMMENT ON COLUMN clips.start_seconds IS 'where the clip begins in its recording';
COMMENT ON COLUMN clips.duration_seconds IS 'length of the clip';
COMMENT ON COLUMN clips.group_id IS 'artist or recording: clips of one group belong on one side of a split';
COMMENT ON COLUMN clips.split IS 'split the dataset itself gives, or NULL';
COMMENT ON COLUMN clips.sha256 IS 'checksum of the recording''s file';
COMMENT ON COLUMN clips.tail_seconds IS 'what the recording has left after its last whole clip';

CREATE OR REPLACE VIEW dataset_changes AS
SELECT
    c.dataset, c.version, c.clip_id, c.change, c.uri, c.start_seconds, c.duration_seconds, c.sha256,
    n.clip_id IS NULL AS gone
FROM parts.dataset_changes c LEFT JOIN parts.clips n ON n.dataset = c.dataset AND n.clip_id = c.clip_id;

COMMENT ON VIEW dataset_changes IS 'what each version of a dataset after the first changed: a row per clip and change';
COMMENT ON COLUMN dataset_changes.dataset IS 'dataset the clip belongs to, or did';
COMMENT ON COLUMN dataset_changes.version IS 'version that made the change';
COMMENT ON COLUMN dataset_changes.clip_id IS 'id of the clip';
COMMENT ON COLUMN dataset_changes.change IS 'added, changed (its recording has another content) or gone';
COMMENT ON COLUMN dataset_changes.uri IS 'path of the recording, relative to the root of the dataset';
COMMENT ON COLUMN dataset_changes.start_seconds IS 'where the clip begins in its recording';
COMMENT ON COLUMN dataset_changes.duration_seconds IS 'length of the clip';
COMMENT ON COLUMN dataset_changes.sha256 IS 'checksum of the recording''s file then; of a clip that is gone, the last';
COMMENT ON COLUMN dataset_changes.gone IS 'true where the newest version has no such clip; older runs keep its rows';

-- The nameless label is there because UNPIVOT wants at least one column; it is always NULL.
CREATE OR REPLACE VIEW labels AS
SELECT dataset, clip_id, name, value, try_cast(value AS DOUBLE) AS number
FROM (
    UNPIVOT (
        SELECT
            dataset, clip_id, NULL::VARCHAR AS " ",
            COLUMNS(* EXCLUDE (
                _part, dataset, clip_id, uri, start_seconds, duration_seconds, group_id, split, sha256, tail_seconds
            ))::VARCHAR
        FROM parts.clips
    )
    ON COLUMNS(* EXCLUDE (dataset, clip_id)) INTO NAME name VALUE value
);

COMMENT ON VIEW labels IS 'one row per clip and label: the label columns of clips in long form, without NULLs';
COMMENT ON COLUMN labels.dataset IS 'dataset the clip belongs to';
COMMENT ON COLUMN labels.clip_id IS 'id of the clip';
COMMENT ON COLUMN labels.name IS 'name of the label, for example genre';
COMMENT ON COLUMN labels.value IS 'its value as text';
COMMENT ON COLUMN labels.number IS 'its value as a number, or NULL where it is none';

----------------------------------------------------------------------------------------------------------- runs

CREATE OR REPLACE VIEW units AS
SELECT
    p.run_id, p.unit_id, p.first_row, p.clips, p.supplementary, c.unit_id IS NOT NULL AS committed,
    coalesce(c.failed, 0) AS failed, coalesce(c.silent, 0) AS silent, coalesce(c.bytes, 0) AS bytes,
    c.provenance ->> '$.device' AS device, c.provenance ->> '$.dtype' AS dtype, c.provenance ->> '$.torch' AS torch,
    make_timestamp((c.committed_at * 1e6)::BIGINT) AS committed_at, c.seconds
FROM parts.planned_units p LEFT JOIN parts.commits c USING (run_id, unit_id);

COMMENT ON VIEW units IS 'one row per unit of a run: the clips that are computed and committed together';
COMMENT ON COLUMN units.run_id IS 'run the unit belongs to';
COMMENT ON COLUMN units.unit_id IS 'name of the unit, numbered over the whole plan';
COMMENT ON COLUMN units.first_row IS 'row of its first clip in the arrays of the run';
COMMENT ON COLUMN units.clips IS 'number of its clips';
COMMENT ON COLUMN units.supplementary IS 'true when the unit tries failed clips again';
COMMENT ON COLUMN units.committed IS 'true once its commit marker is there: only then its rows count';
COMMENT ON COLUMN units.failed IS 'clips of the unit without activations; see the view failures';
COMMENT ON COLUMN units.silent IS 'clips of the unit that hold nothing but silence';
COMMENT ON COLUMN units.bytes IS 'bytes of its shards, all arrays together';
COMMENT ON COLUMN units.device IS 'device that computed it, for example cpu or cuda';
COMMENT ON COLUMN units.dtype IS 'number format the model ran in';
COMMENT ON COLUMN units.torch IS 'build of torch that computed it';
COMMENT ON COLUMN units.committed_at IS 'when it was committed (UTC)';
COMMENT ON COLUMN units.seconds IS 'time per stage: decode, encode, forward, write, wait';

CREATE OR REPLACE VIEW number_ranges AS
SELECT
    run_id, site, layer, any_value(dtype) AS dtype, sum("values")::BIGINT AS "values",
    sum(overflow)::BIGINT AS overflow, sum(underflow)::BIGINT AS underflow
FROM (
    SELECT
        run_id, dtype, one.site AS site, unnest(one.layers) AS layer, unnest(one."values") AS "values",
        unnest(one.overflow) AS overflow, unnest(one.underflow) AS underflow
    FROM (
        SELECT
            run_id, provenance ->> '$.dtype' AS dtype,
            unnest(
                json_transform(
                    provenance -> '$.range',
                    '[{"site": "VARCHAR", "layers": ["BIGINT"], "values": ["BIGINT"], "overflow": ["BIGINT"], "underflow": ["BIGINT"]}]'
                )
            ) AS one
        FROM parts.commits
    )
)
GROUP BY run_id, site, layer;

COMMENT ON VIEW number_ranges IS 'one row per site and layer of a run in bf16 or fp16: what left the range of the numbers there';
COMMENT ON COLUMN number_ranges.run_id IS 'id of the run';
COMMENT ON COLUMN number_ranges.site IS 'where in a block: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN number_ranges.layer IS 'number of the layer';
COMMENT ON COLUMN number_ranges.dtype IS 'number format the model ran in';
COMMENT ON COLUMN number_ranges."values" IS 'values that passed there, in all committed units';
COMMENT ON COLUMN number_ranges.overflow IS 'those that were infinite or not a number: their clips failed';
COMMENT ON COLUMN number_ranges.underflow IS 'those that were zero, or below the smallest normal number of the format of that place';

-- Apart from those of datasets, so that a run can be shown whose dataset is damaged.
CREATE OR REPLACE VIEW parts.run_failures AS
SELECT
    r.document ->> '$.dataset.name' AS dataset, s.run_id, s.item, s.uri, s.stage, s.error, s.message, s.unit_id,
    EXISTS (
        SELECT 1
        FROM parts.planned_clips later
        JOIN parts.planned_units u ON u.run_id = later.run_id AND u.unit_id = later.unit_id
        JOIN parts.commits c ON c.run_id = later.run_id AND c.unit_id = later.unit_id
        WHERE u.supplementary AND later.run_id = s.run_id AND later.clip_id = s.clip_id
            AND later.unit_id > s.unit_id
    ) AS retried
FROM parts.clip_states s JOIN parts.runs r USING (run_id)
WHERE s.state = 'failed';

CREATE OR REPLACE VIEW failures AS
SELECT
    dataset, NULL::VARCHAR AS run_id, item, uri, stage, error, message,
    NULL::VARCHAR AS unit_id, false AS retried
FROM parts.dataset_failures
UNION ALL
SELECT dataset, run_id, item, uri, stage, error, message, unit_id, retried FROM parts.run_failures;

COMMENT ON VIEW failures IS 'one row per recording or clip that could not be used, and why';
COMMENT ON COLUMN failures.dataset IS 'dataset of the recording or clip';
COMMENT ON COLUMN failures.run_id IS 'run in which the clip failed; NULL for recordings that gave no clip';
COMMENT ON COLUMN failures.item IS 'clip id, or path of the recording where no clip could be cut';
COMMENT ON COLUMN failures.uri IS 'path of the recording';
COMMENT ON COLUMN failures.stage IS 'list, probe, decode, encode, forward or worker';
COMMENT ON COLUMN failures.error IS 'class of the error';
COMMENT ON COLUMN failures.message IS 'what it said';
COMMENT ON COLUMN failures.unit_id IS 'unit in which the clip failed';
COMMENT ON COLUMN failures.retried IS 'true when a later unit has tried this clip again and was committed';

CREATE OR REPLACE VIEW runs AS
SELECT
    r.run_id, r.document ->> '$.dataset.name' AS dataset, r.document ->> '$.model.name' AS model,
    r.document ->> '$.model.fingerprint' AS model_fingerprint,
    (r.document ->> '$.model.random_weights')::BOOLEAN AS random_weights,
    a.sites, a.reductions, a.layers,
    coalesce(u.clips, 0) AS clips, coalesce(u.committed, 0) AS committed, coalesce(f.failed, 0) AS failed,
    coalesce(u.bytes, 0) AS bytes, coalesce(u.complete, false) AS complete,
    coalesce(u.units, 0) AS units, coalesce(u.committed_units, 0) AS committed_units,
    r.document ->> '$.dtype' AS dtype, r.document ->> '$.dataset.fingerprint' AS dataset_fingerprint, r.document
FROM parts.runs r
LEFT JOIN (
    SELECT
        run_id, list(DISTINCT split_part(name, '.', 1) ORDER BY split_part(name, '.', 1)) AS sites,
        list(DISTINCT split_part(name, '.', 2) ORDER BY split_part(name, '.', 2)) AS reductions,
        any_value(layers) AS layers
    FROM parts.arrays GROUP BY run_id
) a USING (run_id)
LEFT JOIN (
    SELECT
        run_id, sum(clips) FILTER (NOT supplementary)::BIGINT AS clips,
        (sum(clips) FILTER (committed AND NOT supplementary))::BIGINT AS committed,
        sum(bytes)::BIGINT AS bytes, bool_and(committed) AS complete,
        count(*) AS units, count(*) FILTER (committed) AS committed_units
    FROM units GROUP BY run_id
) u USING (run_id)
LEFT JOIN (
    SELECT run_id, count(*) AS failed FROM parts.run_failures WHERE NOT retried GROUP BY run_id
) f USING (run_id);

COMMENT ON VIEW runs IS 'one row per run: one extraction of one dataset through one model';
COMMENT ON COLUMN runs.run_id IS 'id of the run: hash of its specification, model, codec and dataset';
COMMENT ON COLUMN runs.dataset IS 'dataset it reads';
COMMENT ON COLUMN runs.model IS 'name of the model';
COMMENT ON COLUMN runs.model_fingerprint IS 'hash of the model''s weights';
COMMENT ON COLUMN runs.random_weights IS 'true when the model is untrained: its activations mean nothing';
COMMENT ON COLUMN runs.sites IS 'where in a block it looks: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN runs.reductions IS 'what it keeps over time: mean, std, last, segments, frames';
COMMENT ON COLUMN runs.layers IS 'numbers of the layers it keeps';
COMMENT ON COLUMN runs.clips IS 'number of planned clips';
COMMENT ON COLUMN runs.committed IS 'clips whose unit is committed, failed ones included';
COMMENT ON COLUMN runs.failed IS 'clips whose newest committed row is a failure';
COMMENT ON COLUMN runs.bytes IS 'bytes of its committed shards';
COMMENT ON COLUMN runs.complete IS 'true when every planned unit is committed';
COMMENT ON COLUMN runs.units IS 'number of planned units';
COMMENT ON COLUMN runs.committed_units IS 'number of committed units';
COMMENT ON COLUMN runs.dtype IS 'number format the model runs in';
COMMENT ON COLUMN runs.dataset_fingerprint IS 'content hash of the dataset when the run was planned';
COMMENT ON COLUMN runs.document IS 'run.json: the whole resolved specification';

CREATE OR REPLACE VIEW tags AS
SELECT tag, run_id, to_timestamp(tagged_at)::TIMESTAMP AS tagged_at FROM parts.tags;

COMMENT ON VIEW tags IS 'names of your own for runs';
COMMENT ON COLUMN tags.tag IS 'the name, which every command takes for the run';
COMMENT ON COLUMN tags.run_id IS 'the run it means';
COMMENT ON COLUMN tags.tagged_at IS 'when it was given (UTC)';

CREATE OR REPLACE VIEW arrays AS
SELECT
    run_id, name, split_part(name, '.', 1) AS site, split_part(name, '.', 2) AS reduction,
    dimensions, shape, dtype, layers
FROM parts.arrays;

COMMENT ON VIEW arrays IS 'one row per Zarr array of a run';
COMMENT ON COLUMN arrays.run_id IS 'run the array belongs to';
COMMENT ON COLUMN arrays.name IS 'site.reduction, as in --activations RUN:SITE.REDUCTION:LAYER=NAME';
COMMENT ON COLUMN arrays.site IS 'where in a block: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN arrays.reduction IS 'what is kept over time: mean, std, last, segments or frames';
COMMENT ON COLUMN arrays.dimensions IS 'names of the axes after clip';
COMMENT ON COLUMN arrays.shape IS 'their lengths';
COMMENT ON COLUMN arrays.dtype IS 'number format on disk';
COMMENT ON COLUMN arrays.layers IS 'layer number of each index of the axis layer';

CREATE OR REPLACE VIEW rows AS
SELECT run_id, clip_id, "row", unit_id, state
FROM (
    SELECT
        p.run_id, p.clip_id, p."row", p.unit_id,
        CASE WHEN c.unit_id IS NULL THEN 'pending' ELSE coalesce(s.state, 'ok') END AS state
    FROM parts.planned_clips p
    LEFT JOIN parts.commits c USING (run_id, unit_id)
    LEFT JOIN parts.clip_states s USING (run_id, unit_id, clip_id)
)
QUALIFY row_number() OVER (PARTITION BY run_id, clip_id ORDER BY state <> 'pending' DESC, "row" DESC) = 1;

COMMENT ON VIEW rows IS 'one row per run and clip: where its activations stand in the run''s Zarr arrays';
COMMENT ON COLUMN rows.run_id IS 'id of the run';
COMMENT ON COLUMN rows.clip_id IS 'id of the clip';
COMMENT ON COLUMN rows."row" IS 'index on the axis clip: of its newest committed row, or of the planned one';
COMMENT ON COLUMN rows.unit_id IS 'unit that row belongs to';
COMMENT ON COLUMN rows.state IS 'ok, silent, failed, or pending while no unit with the clip is committed';
