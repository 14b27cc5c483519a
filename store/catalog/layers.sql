-- The view that answers "which layer?": what probes, clusterings and directions say of each, side by side.
-- typed.* is all there is of a kind of result in the columns that store/results declares: no rows where there
-- are none. Of several fits of the same thing the newest counts.
-- Numbers of k-means compare over layers only where they have one k and one scaling. So each concept of a run has one
-- setting at all its layers: the one that most layers were clustered with; of equals k = the number of classes, then
-- scaling none before zscore, l2 and pca, then the k of the best mean silhouette. A layer without it has NULL.

CREATE OR REPLACE VIEW layers AS
WITH fits AS (
    SELECT
        *, coalesce(accuracy, r2) AS score, coalesce(accuracy_low, r2_low) AS score_low,
        coalesce(accuracy_high, r2_high) AS score_high,
        CASE WHEN accuracy IS NULL AND classes IS NULL THEN 'r2' ELSE 'accuracy' END AS metric
    FROM typed.probes WHERE class IS NULL AND head IS NULL
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash, loss ORDER BY created_at DESC, probe_id
    )
),
handcrafted AS (
    SELECT
        run_id, concept, labels_hash, loss, max(score) AS handcrafted,
        first(site ORDER BY score DESC NULLS LAST, site) AS handcrafted_site
    FROM fits WHERE layer IS NULL GROUP BY ALL
),
settings AS (
    SELECT
        run_id, site, reduction, layer, concept, labels_hash, k, scaling, any_value(classes) AS classes,
        count(*) AS starts, first(silhouette ORDER BY inertia, start_seed) AS silhouette,
        first(ari ORDER BY inertia, start_seed) AS ari, min(ari) AS ari_low, max(ari) AS ari_high,
        first(nmi ORDER BY inertia, start_seed) AS nmi, min(nmi) AS nmi_low, max(nmi) AS nmi_high
    FROM clusterings GROUP BY ALL
),
common_settings AS (
    SELECT run_id, reduction, concept, labels_hash, k, scaling FROM settings
    GROUP BY run_id, reduction, concept, labels_hash, k, scaling
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, reduction, concept, labels_hash
        ORDER BY
            count(*) DESC, bool_or(k = classes) DESC NULLS LAST,
            list_position(['none', 'zscore', 'l2', 'pca'], scaling) NULLS LAST,
            avg(silhouette ORDER BY site, layer) DESC NULLS LAST, k, scaling
    )
),
kmeans AS (
    SELECT settings.* FROM settings JOIN common_settings USING (run_id, reduction, concept, labels_hash, k, scaling)
),
directions AS (
    SELECT * FROM typed.vectors
    WHERE head IS NULL AND NOT starts_with(concept, 'text of ') -- between two texts, on any clips: they say nothing of what a layer knows
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash, method, positive, negative
        ORDER BY created_at DESC, vector_id
    )
),
separations AS (
    SELECT
        run_id, site, reduction, layer, concept, labels_hash, method, count(*) AS directions,
        avg(separability ORDER BY positive, negative, vector_id) AS separability
    FROM directions GROUP BY ALL
),
methods AS (
    SELECT * FROM separations WHERE method <> 'random'
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, concept, labels_hash ORDER BY method <> 'diffmean', method
    )
),
places AS (
    SELECT run_id, site, reduction, layer, concept, labels_hash FROM fits
    UNION SELECT run_id, site, reduction, layer, concept, labels_hash FROM kmeans
    UNION SELECT run_id, site, reduction, layer, concept, labels_hash FROM directions
)
SELECT
    run_id, site, reduction, layer, concept, labels_hash, f.loss, f.metric, f.score, f.score_low, f.score_high,
    f.baseline_accuracy AS baseline, f.control_accuracy AS control, f.control_low, f.control_high, f.selectivity,
    f.within_control, f.verdict, h.handcrafted, h.handcrafted_site, c.k, c.scaling, c.starts, c.ari, c.ari_low, c.ari_high,
    c.nmi, c.nmi_low, c.nmi_high, c.silhouette, m.method AS direction_method, m.directions, m.separability,
    r.separability AS random_separability, f.probe_id
FROM places
LEFT JOIN fits f USING (run_id, site, reduction, layer, concept, labels_hash)
LEFT JOIN handcrafted h USING (run_id, concept, labels_hash, loss)
LEFT JOIN kmeans c USING (run_id, site, reduction, layer, concept, labels_hash)
LEFT JOIN methods m USING (run_id, site, reduction, layer, concept, labels_hash)
LEFT JOIN (FROM separations WHERE method = 'random') r
    USING (run_id, site, reduction, layer, concept, labels_hash)
WHERE layer IS NOT NULL;

COMMENT ON VIEW layers IS
    'one row per run, site, reduction, layer, concept and loss: what probes, clusterings and directions say of it';
COMMENT ON COLUMN layers.run_id IS 'id of the run';
COMMENT ON COLUMN layers.site IS 'where in a block: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN layers.reduction IS 'what was kept over time: mean, std, last, segments or frames';
COMMENT ON COLUMN layers.layer IS 'number of the layer, from 0';
COMMENT ON COLUMN layers.concept IS 'label column that was read from the activations';
COMMENT ON COLUMN layers.labels_hash IS 'hash of the labels: rows of equal hash are about the very same labels';
COMMENT ON COLUMN layers.loss IS 'loss of the probe: mse or logistic; NULL where no probe was fitted';
COMMENT ON COLUMN layers.metric IS 'what score is: accuracy of classes, or r2 of numbers';
COMMENT ON COLUMN layers.score IS 'score of the newest probe on groups it was not fitted on';
COMMENT ON COLUMN layers.score_low IS 'lower end of its 95 % interval over groups, for probes that are fitted to as many';
COMMENT ON COLUMN layers.score_high IS 'upper end of its interval';
COMMENT ON COLUMN layers.baseline IS 'accuracy of always answering the most frequent class; NULL for numbers';
COMMENT ON COLUMN layers.control IS 'score of the same probe fitted on labels of other groups; of classes below 1 / classes by itself';
COMMENT ON COLUMN layers.control_low IS 'lower end of the interval of the control';
COMMENT ON COLUMN layers.control_high IS 'upper end of the interval of the control';
COMMENT ON COLUMN layers.selectivity IS 'score − control (Hewitt & Liang 2019)';
COMMENT ON COLUMN layers.within_control IS 'true when the score lies within the interval of its control';
COMMENT ON COLUMN layers.verdict IS 'what the score beats: both the baseline and shuffled labels, or which of them not';
COMMENT ON COLUMN layers.handcrafted IS 'score of the best handcrafted features (mel, MFCC, chroma) on the same labels';
COMMENT ON COLUMN layers.handcrafted_site IS 'which features these are';
COMMENT ON COLUMN layers.k IS
    'clusters of k-means: for a concept the same k and scaling at all layers, those that most layers have; of equals '
    'as many as there are classes, without scaling. The view clusterings has all others';
COMMENT ON COLUMN layers.scaling IS 'scaling of the activations before clustering';
COMMENT ON COLUMN layers.starts IS 'random starts of that k-means';
COMMENT ON COLUMN layers.ari IS 'adjusted Rand index between the labels and the clusters of lowest inertia';
COMMENT ON COLUMN layers.ari_low IS 'lowest adjusted Rand index over the starts';
COMMENT ON COLUMN layers.ari_high IS 'highest adjusted Rand index over the starts';
COMMENT ON COLUMN layers.nmi IS 'normalised mutual information of the same clusters and labels';
COMMENT ON COLUMN layers.nmi_low IS 'lowest normalised mutual information over the starts';
COMMENT ON COLUMN layers.nmi_high IS 'highest normalised mutual information over the starts';
COMMENT ON COLUMN layers.silhouette IS 'silhouette of the clusters of lowest inertia, which knows nothing of labels';
COMMENT ON COLUMN layers.direction_method IS 'method of the directions: diffmean where it was fitted, else the first by name';
COMMENT ON COLUMN layers.directions IS 'number of these directions: one per class or pair of classes';
COMMENT ON COLUMN layers.separability IS 'their mean separability; see the column of vectors';
COMMENT ON COLUMN layers.random_separability IS 'mean separability of random directions, the control';
COMMENT ON COLUMN layers.probe_id IS 'the probe: its classes stand in probes, its confusions in confusions';
