-- What k-means found. Which start is the best, and which k, follows from all that is stored: a later command with
-- more starts or other k may change it, so it is no property of a row in results/clusterings. A start that was
-- computed again, by newer code or on repaired rows, replaces the older one.

CREATE OR REPLACE VIEW clusterings AS
WITH newest AS (
    SELECT * FROM typed.clusterings
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash, scaling, batch_size, k, start_seed
        ORDER BY created_at DESC, clustering_id
    )
),
ranked AS (
    SELECT
        *, 1 = row_number() OVER (
            PARTITION BY run_id, site, reduction, layer, concept, labels_hash, scaling, batch_size, k ORDER BY inertia, start_seed
        ) AS best
    FROM newest
)
SELECT
    *, best AND 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash, scaling
        ORDER BY best DESC, silhouette DESC NULLS LAST, k
    ) AS chosen
FROM ranked;

COMMENT ON VIEW clusterings IS 'what k-means found: a row per run, site, reduction, layer, concept, scaling, k and start';
COMMENT ON COLUMN clusterings.silhouette IS
    'mean silhouette of the clusters, on at most 2,000 points; for the best start';
COMMENT ON COLUMN clusterings.best IS 'true for the start of lowest inertia of all that are stored for its k and batch_size';
COMMENT ON COLUMN clusterings.chosen IS
    'true for one row per place, concept and scaling: the best start at the k of the best silhouette';
