-- Tables of the catalog: what was read from the store's Parquet and JSON files. The column "_part" holds the key
-- of the file a row came from. `store/catalog/parts.py` gives the rows; nobody queries these tables directly.

CREATE SCHEMA IF NOT EXISTS parts;

-- Tables with many rows: "parts" has views of their names, over these and over files of parts that are large.
CREATE SCHEMA IF NOT EXISTS kept_parts;
CREATE SCHEMA IF NOT EXISTS kept_results;

-- Those files: never changed, and never copied when the catalog is brought up to date.
CREATE TABLE IF NOT EXISTS parts.segments (_part VARCHAR, relation VARCHAR, file VARCHAR, bytes BIGINT);

-- What the other tables were filled from; compared with what the store holds now.
CREATE TABLE IF NOT EXISTS parts.state (_part VARCHAR, version VARCHAR);

-- Files of the store that could not be read: why, and which tables lack their rows ("schema.table").
CREATE TABLE IF NOT EXISTS parts.damaged (_part VARCHAR, message VARCHAR, feeds VARCHAR[]);

-- Documentation of the columns that come with the data: labels, and whatever results say of themselves.
CREATE TABLE IF NOT EXISTS parts.column_comments (
    _part VARCHAR, table_name VARCHAR, column_name VARCHAR, comment VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.datasets (
    _part VARCHAR, dataset VARCHAR, format VARCHAR, clip_seconds DOUBLE, hop_seconds DOUBLE, fingerprint VARCHAR,
    version BIGINT
);

-- One column more for every label of any dataset.
CREATE TABLE IF NOT EXISTS kept_parts.clips (
    _part VARCHAR, dataset VARCHAR, clip_id VARCHAR, uri VARCHAR, start_seconds DOUBLE, duration_seconds DOUBLE,
    group_id VARCHAR, split VARCHAR, sha256 VARCHAR, tail_seconds DOUBLE
);

-- What each version after the first changed. The other tables hold the newest version alone.
CREATE TABLE IF NOT EXISTS kept_parts.dataset_changes (
    _part VARCHAR, dataset VARCHAR, version BIGINT, clip_id VARCHAR, change VARCHAR, uri VARCHAR,
    start_seconds DOUBLE, duration_seconds DOUBLE, sha256 VARCHAR
);

CREATE TABLE IF NOT EXISTS kept_parts.dataset_failures (
    _part VARCHAR, dataset VARCHAR, item VARCHAR, uri VARCHAR, stage VARCHAR, error VARCHAR, message VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.tags (_part VARCHAR, tag VARCHAR, run_id VARCHAR, tagged_at DOUBLE);

CREATE TABLE IF NOT EXISTS parts.runs (_part VARCHAR, run_id VARCHAR, document JSON);

CREATE TABLE IF NOT EXISTS parts.arrays (
    _part VARCHAR, run_id VARCHAR, name VARCHAR, dimensions VARCHAR[], shape BIGINT[], dtype VARCHAR,
    layers BIGINT[]
);

-- "supplementary": planned later, to try failed clips again; all its clips stand in an earlier unit too.
-- "clip_ids": a hash of them in order, to compare a marker with its unit.
CREATE TABLE IF NOT EXISTS kept_parts.planned_units (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, first_row BIGINT, clips BIGINT, supplementary BOOLEAN,
    clip_ids VARCHAR
);

CREATE TABLE IF NOT EXISTS kept_parts.planned_clips (
    _part VARCHAR, run_id VARCHAR, clip_id VARCHAR, "row" BIGINT, unit_id VARCHAR
);

CREATE TABLE IF NOT EXISTS parts.commits (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, failed BIGINT, silent BIGINT, bytes BIGINT,
    committed_at DOUBLE, provenance JSON, seconds JSON, first_row BIGINT, clip_ids VARCHAR
);

-- Markers that the newest completion record of each run names: none of them may be gone.
CREATE TABLE IF NOT EXISTS parts.completed (_part VARCHAR, run_id VARCHAR, units BIGINT, marker VARCHAR);

-- Committed clips that are not simply "ok"; most clips have no row here.
CREATE TABLE IF NOT EXISTS kept_parts.clip_states (
    _part VARCHAR, run_id VARCHAR, unit_id VARCHAR, clip_id VARCHAR, state VARCHAR,
    item VARCHAR, uri VARCHAR, stage VARCHAR, error VARCHAR, message VARCHAR
);
