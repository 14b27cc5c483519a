-- What sweeps found. typed.effects is all rows that any sweep wrote; of each sweep the last command's count, which
-- writes them again where others were written since (jobs/sweeping/newest.py).

CREATE OR REPLACE VIEW effects AS
FROM typed.effects QUALIFY created_at = max(created_at) OVER (PARTITION BY sweep_id);

COMMENT ON VIEW effects IS
    'what steering does: a row per sweep, setting, part, scorer and metric, beside its controls';
COMMENT ON COLUMN effects.sweep IS 'name of the sweep';
COMMENT ON COLUMN effects.sweep_id IS 'hash of its file and run';
COMMENT ON COLUMN effects.plan_id IS 'hash of its generations; see the view sweep_generations';
COMMENT ON COLUMN effects.run_id IS 'run whose directions steer';
COMMENT ON COLUMN effects.model IS 'name of the model';
COMMENT ON COLUMN effects.setting_id IS 'hash of the setting, the same in all sweeps; NULL: pooled over pairs';
COMMENT ON COLUMN effects.part IS
    'cells: all, choose (the half that settings are chosen on) or report (the other half)';
COMMENT ON COLUMN effects.concept IS 'label column that is steered';
COMMENT ON COLUMN effects.source IS 'class of the prompt';
COMMENT ON COLUMN effects.target IS 'class that it is steered to; several joined by +';
COMMENT ON COLUMN effects.method IS 'of the direction';
COMMENT ON COLUMN effects.strength IS
    'penalty of the direction; the mean over layers and targets; NULL: it has none';
COMMENT ON COLUMN effects.site IS 'where it is steered';
COMMENT ON COLUMN effects.layer IS 'the layer that is steered; NULL: several';
COMMENT ON COLUMN effects.layers IS 'the layers that are steered';
COMMENT ON COLUMN effects.alpha IS
    'strength of steering; NULL: automatic, found for each prompt and random state';
COMMENT ON COLUMN effects.mean_alpha IS
    'strength that was used: of an automatic one the mean over its generations';
COMMENT ON COLUMN effects.kind IS 'interpolate, add or ablate';
COMMENT ON COLUMN effects.scaling IS 'norm, unit or norm_restored';
COMMENT ON COLUMN effects.schedule IS 'strength over time, and the self-monitor if there is one';
COMMENT ON COLUMN effects."rows" IS 'rows steered under guidance: conditional or both';
COMMENT ON COLUMN effects.cosine_to_mean_difference IS 'of the direction; the mean over layers and targets';
COMMENT ON COLUMN effects.separability IS 'held-out d'' of the direction; the mean over layers and targets';
COMMENT ON COLUMN effects.scorer IS
    'who measured: clap, judge, features, probe, descriptors; chroma or onset similarity';
COMMENT ON COLUMN effects.scorer_version IS 'its name and version; NULL where the metric says it all';
COMMENT ON COLUMN effects.metric IS
    'target_probability: mean P(target); '
    'source_probability: mean P(source); '
    'transfer: P(target) minus that of the unsteered twin (our definition); '
    'retention: mean P(source) over that of the unsteered twins (our definition); '
    'fusion: harmonic mean of the shares of two classes, 0.5 where both are equal (our definition); '
    'balance: (p1 + p2)(1 - |p1 - p2|) of two classes (our definition); '
    'alignment: cosine of sound and target text minus that of the twin; '
    'change: P(measured_class), or a physical descriptor, minus that of the twin; '
    'level: mean of a physical descriptor that damage changes: does the sound still move?; '
    'similarity: to the unsteered twin: 1 is all kept; '
    'fad: damage pooled over pairs: Frechet distance of CLAP embeddings; unsteered is its floor by chance, '
    'and intervals keep its upward bias; '
    'kad: damage: unbiased MMD x 100 of CLAP embeddings against the unsteered twins; around 0 is none; '
    'kad_clips: the same against recordings of the concept; unsteered is what the model does anyway';
COMMENT ON COLUMN effects.measured_concept IS 'of metric change: the concept that is measured';
COMMENT ON COLUMN effects.measured_class IS
    'of metric change: the class, or the descriptor, that is measured';
COMMENT ON COLUMN effects.cells IS
    'steered generations that count: measured, as are their twins and random controls';
COMMENT ON COLUMN effects.missing IS 'those of the part that do not';
COMMENT ON COLUMN effects.prompts IS
    'independent prompts among them: recordings where several are continued, else texts';
COMMENT ON COLUMN effects.random_states IS 'different ones among them';
COMMENT ON COLUMN effects.without_interval IS
    'why nothing has an interval: one prompt, one random state, …; NULL: it has';
COMMENT ON COLUMN effects.value IS 'of the steered generations';
COMMENT ON COLUMN effects.low IS
    'lower end of its 95 % interval over prompts and random states; NULL with one of them';
COMMENT ON COLUMN effects.high IS 'upper end';
COMMENT ON COLUMN effects.random IS 'control: the same with random directions of the same length and place';
COMMENT ON COLUMN effects.random_low IS 'lower end of its interval';
COMMENT ON COLUMN effects.random_high IS 'upper end';
COMMENT ON COLUMN effects."text" IS
    'control: the same with directions of the text alone, in which no audio has a say';
COMMENT ON COLUMN effects.text_low IS 'lower end of its interval';
COMMENT ON COLUMN effects.text_high IS 'upper end';
COMMENT ON COLUMN effects.prompt IS 'control: the target''s prompt, unsteered';
COMMENT ON COLUMN effects.prompt_low IS 'lower end of its interval';
COMMENT ON COLUMN effects.prompt_high IS 'upper end';
COMMENT ON COLUMN effects.unsteered IS 'control: the unsteered twins';
COMMENT ON COLUMN effects.over_random IS 'value minus random, cell by cell';
COMMENT ON COLUMN effects.over_random_low IS
    'lower end of its interval: above 0, steering did more than chance';
COMMENT ON COLUMN effects.over_random_high IS 'upper end';
COMMENT ON COLUMN effects.over_text IS 'value minus text, cell by cell';
COMMENT ON COLUMN effects.over_text_low IS
    'lower end of its interval: above 0, the audio''s direction did more';
COMMENT ON COLUMN effects.over_text_high IS 'upper end';
COMMENT ON COLUMN effects.drone IS
    'whether its sounds stand still: mel_variation_db far below controls; NULL: unknown';
COMMENT ON COLUMN effects.damage IS 'kad_clips of its setting in this part';
COMMENT ON COLUMN effects.damage_limit IS 'the largest damage that may be chosen; NULL: none, see without_limit';
COMMENT ON COLUMN effects.without_limit IS 'why a limit of damage is not applied to its setting here; NULL: all are';
COMMENT ON COLUMN effects.scorer_accuracy IS
    'share of labelled clips whose class the scorer names; see scorer_accuracy';
COMMENT ON COLUMN effects.chosen IS
    'its pair''s largest transfer on the choosing half, above 0 and random, damage allowed';
COMMENT ON COLUMN effects.chosen_by IS 'scorer of that transfer';
COMMENT ON COLUMN effects.created_at IS 'when it was computed (UTC)';

-- Does a number of a layer tell how well it steers? Over the layers of each pair of classes: Spearman's rank
-- correlation of the number with the transfer. All pairs of a concept see the same numbers, so that a concept is one
-- witness however many pairs it has: correlation and regret are means of the concepts' means, and
-- their intervals are Student's, over concepts. Layers beside each other are alike, so that shuffling the layers of one
-- concept would not tell chance; below five concepts nothing is decided. What choosing by the number costs (regret) is
-- out of sample: the best layer is that of the choosing half, and what both layers reach is told by the reporting half.

CREATE OR REPLACE VIEW layer_choice AS
WITH steered AS (
    SELECT
        sweep, sweep_id, run_id, site, method, alpha, kind, scaling, schedule, "rows", scorer, concept, source,
        target, layer, separability AS direction_separability, max(value) FILTER (part = 'all') AS transfer,
        max(value) FILTER (part = 'choose') AS chosen_by, max(value) FILTER (part = 'report') AS reported
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
    'share of pairs whose best layer on the choosing half is the one that the number names; mean of concepts';
COMMENT ON COLUMN layer_choice.regret IS
    'transfer lost on the reporting half by steering at the layer that the number names and not at that which was best '
    'on the choosing half; mean of concepts; below 0 the number chose better';
COMMENT ON COLUMN layer_choice.low IS
    'lower end of the 95 % interval of correlation over concepts; NULL for fewer than 5';
COMMENT ON COLUMN layer_choice.high IS 'upper end of that interval';
COMMENT ON COLUMN layer_choice.regret_low IS
    'lower end of the 95 % interval of regret over the concepts that have one; NULL for fewer than 5';
COMMENT ON COLUMN layer_choice.regret_high IS 'upper end of that interval';
COMMENT ON COLUMN layer_choice.verdict IS
    'yes, opposite, or undecided: the interval covers 0, or there are fewer than 5 concepts';
