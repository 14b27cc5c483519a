-- What sweeps found. typed.effects is all rows that any sweep wrote; of each sweep the last command's count, which
-- writes them again where others were written since (jobs/sweep/tables.py).

CREATE OR REPLACE VIEW effects AS
FROM typed.effects QUALIFY created_at = max(created_at) OVER (PARTITION BY sweep_id);

COMMENT ON VIEW effects IS
    'what steering does: a row per sweep, setting, split, scorer and metric, beside its controls';

-- Does a number of a layer tell how well it steers? Over the layers of each pair of classes: Spearman's rank
-- correlation of the number with the transfer. All pairs of a concept see the same numbers, so that a concept is one
-- witness however many pairs it has: correlation and regret are means of the concepts' means, and
-- their intervals are Student's, over concepts. Layers beside each other are alike, so that shuffling the layers of one
-- concept would not tell chance; below five concepts nothing is decided. What choosing by the number costs (regret) is
-- out of sample: the best layer is that of the selection split, and what both layers reach is told by the evaluation split.

CREATE OR REPLACE VIEW layer_choice AS
WITH steered AS (
    SELECT
        sweep, sweep_id, run_id, site, method, alpha, kind, scaling, schedule, "rows", scorer, concept, source,
        target, layer, separability AS direction_separability, max(value) FILTER (split = 'all') AS transfer,
        max(value) FILTER (split = 'selection') AS chosen_by, max(value) FILTER (split = 'evaluation') AS reported
    FROM effects WHERE metric = 'transfer' AND layer IS NOT NULL AND value IS NOT NULL
    GROUP BY ALL HAVING transfer IS NOT NULL
),
of_layers AS (
    SELECT
        run_id, site, layer, concept, max(score) AS probe_score, max(ari) AS ari, max(nmi) AS nmi,
        max(silhouette) AS silhouette
    FROM layers WHERE reduction = 'mean' GROUP BY ALL
),
numbers AS (
    UNPIVOT (FROM steered LEFT JOIN of_layers USING (run_id, site, layer, concept))
    ON probe_score, ari, nmi, silhouette, direction_separability INTO NAME predictor VALUE x
),
ranked AS (
    SELECT
        *,
        rank() OVER (PARTITION BY family ORDER BY x) + (count(*) OVER (PARTITION BY family, x) - 1) / 2 AS x_rank,
        rank() OVER (PARTITION BY family ORDER BY transfer)
        + (count(*) OVER (PARTITION BY family, transfer) - 1) / 2 AS transfer_rank
    FROM (
        SELECT
            *,
            concat_ws(
                '|', sweep_id, site, method, alpha, kind, scaling, schedule, "rows", scorer, predictor, concept,
                source, target
            ) AS family
        FROM numbers
    )
),
of_pairs AS (
    SELECT
        sweep, sweep_id, run_id, site, method, alpha, kind, scaling, schedule, "rows", scorer, predictor, concept,
        source || ':' || target AS pair, corr(x_rank, transfer_rank) AS correlation,
        (
            first(layer ORDER BY chosen_by DESC NULLS LAST, layer) = first(layer ORDER BY x DESC NULLS LAST, layer)
        )::INT AS agreement,
        first(reported ORDER BY chosen_by DESC NULLS LAST, layer)
        - first(reported ORDER BY x DESC NULLS LAST, layer) AS regret
    FROM ranked GROUP BY ALL HAVING count(*) > 2 AND isfinite(corr(x_rank, transfer_rank))
),
of_concepts AS (
    SELECT
        * EXCLUDE (pair, correlation, agreement, regret), count(*) AS pairs,
        avg(correlation ORDER BY correlation) AS correlation,
        avg(agreement ORDER BY agreement) AS agreement, avg(regret ORDER BY regret) AS regret
    FROM of_pairs GROUP BY ALL
),
gathered AS (
    SELECT
        * EXCLUDE (concept, pairs, correlation, agreement, regret), count(*) AS concepts, sum(pairs)::BIGINT AS pairs,
        avg(correlation ORDER BY correlation) AS correlation, avg(agreement ORDER BY agreement) AS agreement,
        avg(regret ORDER BY regret) AS regret,
        stddev_samp(correlation ORDER BY correlation) / sqrt(count(correlation)) AS error,
        stddev_samp(regret ORDER BY regret) / sqrt(count(regret)) AS regret_error,
        -- The 97.5 % quantile of Student's t of v degrees of freedom: Abramowitz & Stegun 26.7.5, to 0.001 from v = 4.
        list_transform([count(correlation) - 1, count(regret) - 1], lambda v: CASE WHEN v >= 4 THEN
            1.95996 + 2.37227 / v + 2.82250 / v ** 2 + 2.55585 / v ** 3 + 1.58953 / v ** 4
        END) AS quantiles
    FROM of_concepts GROUP BY ALL
),
bounded AS (
    SELECT
        * EXCLUDE (error, regret_error, quantiles), error * quantiles[1] AS half,
        regret_error * quantiles[2] AS regret_half
    FROM gathered
),
limits AS (
    SELECT
        * EXCLUDE (half, regret_half), CASE WHEN half IS NOT NULL THEN greatest(correlation - half, -1) END AS low,
        CASE WHEN half IS NOT NULL THEN least(correlation + half, 1) END AS high,
        CASE WHEN regret_half IS NOT NULL THEN greatest(regret - regret_half, -1) END AS regret_low,
        CASE WHEN regret_half IS NOT NULL THEN least(regret + regret_half, 1) END AS regret_high
    FROM bounded
)
SELECT *, CASE WHEN low > 0 THEN 'yes' WHEN high < 0 THEN 'opposite' ELSE 'undecided' END AS verdict
FROM limits;

COMMENT ON VIEW layer_choice IS
    'does a number of a layer (probe score, ARI, NMI …) predict how well it steers? A row per predictor';
COMMENT ON COLUMN layer_choice.sweep IS 'name of the sweep';
COMMENT ON COLUMN layer_choice.sweep_id IS 'hash of its file and run';
COMMENT ON COLUMN layer_choice.run_id IS 'run whose directions steer, and whose layers the numbers are of';
COMMENT ON COLUMN layer_choice.site IS 'where it is steered';
COMMENT ON COLUMN layer_choice.method IS 'of the directions';
COMMENT ON COLUMN layer_choice.alpha IS 'strength of steering';
COMMENT ON COLUMN layer_choice.kind IS 'interpolate, add or ablate';
COMMENT ON COLUMN layer_choice.scaling IS 'norm, unit or norm_restored';
COMMENT ON COLUMN layer_choice.schedule IS 'strength over time, and the self-monitor if there is one';
COMMENT ON COLUMN layer_choice."rows" IS 'rows steered under guidance: conditional or both';
COMMENT ON COLUMN layer_choice.scorer IS 'who measured the transfer';
COMMENT ON COLUMN layer_choice.predictor IS
    'the number: probe_score, ari, nmi, silhouette (see the view layers) or direction_separability';
COMMENT ON COLUMN layer_choice.concepts IS 'concepts that are steered: the independent witnesses';
COMMENT ON COLUMN layer_choice.pairs IS 'pairs of classes';
COMMENT ON COLUMN layer_choice.correlation IS
    'rank correlation over layers of the number and the transfer: mean of concepts, each the mean of its pairs';
COMMENT ON COLUMN layer_choice.agreement IS
    'share of pairs whose best layer on the selection split is the one that the number names; mean of concepts';
COMMENT ON COLUMN layer_choice.regret IS
    'transfer lost on the evaluation split by steering at the layer that the number names and not at that which was best '
    'on the selection split; mean of concepts; below 0 the number chose better';
COMMENT ON COLUMN layer_choice.low IS
    'lower end of the 95 % interval of correlation over concepts; NULL for fewer than 5';
COMMENT ON COLUMN layer_choice.high IS 'upper end of that interval';
COMMENT ON COLUMN layer_choice.regret_low IS
    'lower end of the 95 % interval of regret over the concepts that have one; NULL for fewer than 5';
COMMENT ON COLUMN layer_choice.regret_high IS 'upper end of that interval';
COMMENT ON COLUMN layer_choice.verdict IS
    'yes, opposite, or undecided: the interval covers 0, or there are fewer than 5 concepts';
