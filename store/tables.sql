-- Tables of the catalog: what was read from the store's Parquet and JSON files. The column "_part" holds the key
-- of the file a row came from. `store/catalog_parts.py` gives the rows; nobody queries these tables directly.

CREATE SCHEMA IF NOT EXISTS parts;

-- What the other tables were filled from; compared with what the store holds now.
CREATE TABLE IF NOT EXISTS parts.state (_part VARCHAR, version VARCHAR);

-- Files of the store that could not be read: why, and which tables lack their rows ("schema.table").
CREATE TABLE IF NOT EXISTS parts.damaged (_part VARCHAR, message VARCHAR, feeds VARCHAR[]);

-- Documentation of the columns that come with the data: labels, and whatever results say of themselves.
CREATE TABLE IF NOT EXISTS parts.column_comments (
    _part VARCHAR, table_name VARCHAR, column_name VARCHAR, comment VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.datasets (
    _part VARCHAR, dataset VARCHAR, format VARCHAR, clip_seconds DOUBLE, hop_seconds DOUBLE, fingerprint VARCHAR
);

-- One column more for every label of any dataset.
CREATE TABLE IF NOT EXISTS parts.clips (
    _part VARCHAR, dataset VARCHAR, clip_id VARCHAR, uri VARCHAR, start_seconds DOUBLE, duration_seconds DOUBLE,
    group_id VARCHAR, split VARCHAR, sha256 VARCHAR, tail_seconds DOUBLE
);

CREATE TABLE IF NOT EXISTS parts.dataset_failures (
    _part VARCHAR, dataset VARCHAR, item VARCHAR, uri VARCHAR, stage VARCHAR, error VARCHAR, message VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.runs (_part VARCHAR, run_id VARCHAR, document JSON);

CREATE TABLE IF NOT EXISTS parts.arrays (
    _part VARCHAR, run_id VARCHAR, name VARCHAR, dimensions VARCHAR[], shape BIGINT[], dtype VARCHAR,
    layers BIGINT[]
);

-- "supplementary": planned later, to try failed clips again; all its clips stand in an earlier unit too.
-- "clip_ids": a hash of them in order, to compare a marker with its unit.
CREATE TABLE IF NOT EXISTS parts.planned_units (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, first_row BIGINT, clips BIGINT, supplementary BOOLEAN,
    clip_ids VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.planned_clips (
    _part VARCHAR, run_id VARCHAR, clip_id VARCHAR, "row" BIGINT, unit_id VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.commits (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, failed BIGINT, silent BIGINT, bytes BIGINT,
    committed_at DOUBLE, provenance JSON, seconds JSON, first_row BIGINT, clip_ids VARCHAR
);

-- Markers that the newest completion record of each run names: none of them may be gone.
CREATE TABLE IF NOT EXISTS parts.completed (_part VARCHAR, run_id VARCHAR, units BIGINT, marker VARCHAR);

-- Committed clips that are not simply "ok"; most clips have no row here.
CREATE TABLE IF NOT EXISTS parts.clip_states (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, clip_id VARCHAR, state VARCHAR,
    item VARCHAR, uri VARCHAR, stage VARCHAR, error VARCHAR, message VARCHAR
);

-- Columns of results that our views read; always empty. The views see each kind of result through these columns
-- and types, so that they are there before the first result, and whatever else a result may hold.
CREATE SCHEMA IF NOT EXISTS declared;

CREATE TABLE IF NOT EXISTS declared.probes (
    _part VARCHAR, probe_id VARCHAR, run_id VARCHAR, site VARCHAR, reduction VARCHAR, layer BIGINT, concept VARCHAR,
    class VARCHAR, loss VARCHAR, accuracy DOUBLE, accuracy_low DOUBLE, accuracy_high DOUBLE, r2 DOUBLE,
    r2_low DOUBLE, r2_high DOUBLE, baseline_accuracy DOUBLE, control_accuracy DOUBLE, control_low DOUBLE,
    control_high DOUBLE, selectivity DOUBLE, within_control BOOLEAN, verdict VARCHAR, classes BIGINT,
    labels_hash VARCHAR, created_at TIMESTAMP
);

CREATE TABLE IF NOT EXISTS declared.clusterings (
    _part VARCHAR, clustering_id VARCHAR, run_id VARCHAR, site VARCHAR, reduction VARCHAR, layer BIGINT,
    concept VARCHAR, classes BIGINT, k BIGINT, scaling VARCHAR, dimensions BIGINT, start_seed BIGINT, inertia DOUBLE,
    iterations BIGINT, ari DOUBLE, nmi DOUBLE, ami DOUBLE, homogeneity DOUBLE, completeness DOUBLE,
    silhouette DOUBLE, label_silhouette DOUBLE, points BIGINT, clips BIGINT, labels_query VARCHAR,
    labels_hash VARCHAR, created_at TIMESTAMP
);

CREATE TABLE IF NOT EXISTS declared.assignments (
    _part VARCHAR, clustering_id VARCHAR, clip_id VARCHAR, cluster BIGINT, share DOUBLE, histogram BIGINT[]
);

CREATE TABLE IF NOT EXISTS declared.vectors (
    _part VARCHAR, vector_id VARCHAR, run_id VARCHAR, model VARCHAR, model_fingerprint VARCHAR, site VARCHAR,
    reduction VARCHAR, layer BIGINT, concept VARCHAR, positive VARCHAR, negative VARCHAR, method VARCHAR,
    vector FLOAT[], reader FLOAT[], reader_offset DOUBLE, width BIGINT, norm DOUBLE, strength DOUBLE, mean_positive DOUBLE, mean_negative DOUBLE,
    deviation DOUBLE, separability DOUBLE, cosine_to_mean_difference DOUBLE, score DOUBLE, score_low DOUBLE,
    score_high DOUBLE, within_chance BOOLEAN, random_score DOUBLE, within_random BOOLEAN, activation_norm DOUBLE,
    scaling VARCHAR, clips BIGINT, positives BIGINT, negatives BIGINT, groups BIGINT, folds BIGINT,
    labels_query VARCHAR, labels_hash VARCHAR, random_seed BIGINT, created_at TIMESTAMP
);

CREATE TABLE IF NOT EXISTS declared.effects (
    _part VARCHAR, sweep VARCHAR, sweep_id VARCHAR, plan_id VARCHAR, run_id VARCHAR, model VARCHAR,
    setting_id VARCHAR,
    part VARCHAR, concept VARCHAR, source VARCHAR, target VARCHAR, method VARCHAR, strength DOUBLE,
    site VARCHAR, layer BIGINT, layers BIGINT[], alpha DOUBLE, mean_alpha DOUBLE, kind VARCHAR,
    scaling VARCHAR, schedule VARCHAR, "rows" VARCHAR, cosine_to_mean_difference DOUBLE,
    separability DOUBLE, scorer VARCHAR, scorer_version VARCHAR, metric VARCHAR, measured_concept VARCHAR,
    measured_class VARCHAR, cells BIGINT,
    missing BIGINT, prompts BIGINT, random_states BIGINT, without_interval VARCHAR, value DOUBLE, low DOUBLE,
    high DOUBLE, random DOUBLE,
    random_low DOUBLE, random_high DOUBLE, "text" DOUBLE, text_low DOUBLE, text_high DOUBLE,
    prompt DOUBLE, prompt_low DOUBLE, prompt_high DOUBLE,
    unsteered DOUBLE, over_random DOUBLE, over_random_low DOUBLE, over_random_high DOUBLE,
    over_text DOUBLE, over_text_low DOUBLE, over_text_high DOUBLE, drone BOOLEAN, damage DOUBLE,
    damage_limit DOUBLE, without_limit VARCHAR, scorer_accuracy DOUBLE, chosen BOOLEAN,
    chosen_by VARCHAR, created_at TIMESTAMP
);

CREATE TABLE IF NOT EXISTS declared.ratings (
    _part VARCHAR, test_id VARCHAR, sweep VARCHAR, sweep_id VARCHAR, listener VARCHAR, seed BIGINT, trial_id VARCHAR,
    kind VARCHAR, sound_id VARCHAR, role VARCHAR, generation_id VARCHAR, setting_id VARCHAR, concept VARCHAR,
    source VARCHAR, target VARCHAR, template VARCHAR, random_state BIGINT, value DOUBLE, alternatives BIGINT,
    shown BIGINT, answered_at TIMESTAMP, created_at TIMESTAMP
);
