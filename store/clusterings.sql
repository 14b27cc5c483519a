-- What k-means found. Which start is the best, and which k, follows from all that is stored: a later command with
-- more starts or other k may change it, so it is no property of a row in results/clusterings. A start that was
-- computed again, by newer code or on repaired rows, replaces the older one.

CREATE OR REPLACE VIEW clusterings AS
WITH newest AS (
    SELECT * FROM typed.clusterings
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash, scaling, k, start_seed
        ORDER BY created_at DESC, clustering_id
    )
),
ranked AS (
    SELECT
        *, 1 = row_number() OVER (
            PARTITION BY run_id, site, reduction, layer, concept, labels_hash, scaling, k ORDER BY inertia, start_seed
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
COMMENT ON COLUMN clusterings.clustering_id IS 'id of one start; the rows of several concepts share it';
COMMENT ON COLUMN clusterings.run_id IS 'run whose activations were clustered';
COMMENT ON COLUMN clusterings.site IS 'where in a block: embed, resid, attn, xattn or mlp';
COMMENT ON COLUMN clusterings.reduction IS
    'what was kept over time; of frames and segments each one is a point';
COMMENT ON COLUMN clusterings.layer IS 'number of the layer';
COMMENT ON COLUMN clusterings.concept IS 'label column that the clusters are compared with';
COMMENT ON COLUMN clusterings.classes IS 'number of its classes';
COMMENT ON COLUMN clusterings.k IS 'number of clusters';
COMMENT ON COLUMN clusterings.scaling IS 'none, zscore, l2 or pca (whitened)';
COMMENT ON COLUMN clusterings.dimensions IS 'features of a point after scaling';
COMMENT ON COLUMN clusterings.start_seed IS 'seed of the k-means++ start, as random_state in scikit-learn';
COMMENT ON COLUMN clusterings.inertia IS 'sum of squared distances to the nearest centre, after scaling';
COMMENT ON COLUMN clusterings.iterations IS 'steps until the centres were at rest';
COMMENT ON COLUMN clusterings.ari IS 'adjusted Rand index of clusters and classes; chance is 0';
COMMENT ON COLUMN clusterings.nmi IS 'normalised mutual information (arithmetic mean)';
COMMENT ON COLUMN clusterings.ami IS 'adjusted mutual information; chance is 0';
COMMENT ON COLUMN clusterings.homogeneity IS '1 where every cluster holds one class only';
COMMENT ON COLUMN clusterings.completeness IS '1 where every class lies in one cluster';
COMMENT ON COLUMN clusterings.silhouette IS
    'mean silhouette of the clusters, on at most 2,000 points; for the best start';
COMMENT ON COLUMN clusterings.label_silhouette IS 'mean silhouette of the classes themselves, on the same points';
COMMENT ON COLUMN clusterings.points IS 'points that were clustered: clips, or their frames or segments';
COMMENT ON COLUMN clusterings.clips IS
    'labelled clips; with several points a clip counts as its most frequent cluster';
COMMENT ON COLUMN clusterings.labels_query IS 'query that gave the labels';
COMMENT ON COLUMN clusterings.labels_hash IS 'hash of the concept''s labels as they were resolved';
COMMENT ON COLUMN clusterings.created_at IS 'when it was computed (UTC)';
COMMENT ON COLUMN clusterings.best IS 'true for the start of lowest inertia of all that are stored for its k';
COMMENT ON COLUMN clusterings.chosen IS
    'true for one row per place, concept and scaling: the best start at the k of the best silhouette';
