-- How steering fails, by name: four signatures of a setting, each a comparison of intervals, without any threshold of
-- taste. What asking for the target in words does to the sound (the prompt-only edit) is the measure of damage. The
-- rival of the target is the highest of many classes, and so is high by chance, too; but two 95 % intervals that do not
-- meet are a difference at about 99.4 %, which makes up for some eight classes (Bonferroni).

CREATE OR REPLACE VIEW signatures AS
WITH measured AS (FROM effects WHERE split = 'all' AND setting_id IS NOT NULL),
settings AS (
    SELECT
        sweep, sweep_id, run_id, setting_id, concept, source, target, method, site, layers, alpha, kind, scaling,
        schedule, "rows", scorer, chosen, drone, value AS transfer, low AS transfer_low, high AS transfer_high,
        low > 0 AND coalesce(over_random_low, low) > 0 AS rises
    FROM measured WHERE metric = 'transfer'
),
rivals AS (
    SELECT
        sweep_id, setting_id, scorer, max(value) AS rival_rise,
        first(measured_class ORDER BY value DESC NULLS LAST, measured_concept, measured_class) AS rival,
        first(measured_concept ORDER BY value DESC NULLS LAST, measured_concept, measured_class) AS rival_concept,
        first(low ORDER BY value DESC NULLS LAST, measured_concept, measured_class) AS rival_low
    FROM measured
    WHERE
        metric = 'change' AND measured_concept IS NOT NULL AND low > 0 AND coalesce(over_random_low, low) > 0
        AND NOT (measured_concept = concept AND list_contains(split(target, '+'), measured_class))
    GROUP BY ALL
),
damage AS (
    SELECT sweep_id, setting_id, list(coalesce(measured_class, metric) ORDER BY ALL) AS damaged
    FROM measured
    WHERE
        low > greatest(0, coalesce(prompt_high, 0)) AND (
            metric = 'kad' OR scorer = 'descriptors' AND metric = 'change'
            AND measured_class IN ('clipping', 'silence', 'repetition', 'spectral_flatness')
        )
    GROUP BY ALL
),
likeness AS (
    SELECT sweep_id, setting_id, bool_and(high < prompt_low) AS unlike
    FROM measured WHERE metric = 'similarity' GROUP BY ALL
)
SELECT
    sweep, sweep_id, run_id, setting_id, concept, source, target, method, site, layers, alpha, kind, scaling,
    schedule, "rows", scorer, chosen, transfer, transfer_low, transfer_high,
    CASE WHEN transfer_low IS NOT NULL OR transfer IS NULL THEN list_filter([
        CASE WHEN transfer IS NULL THEN 'not scored' END,
        CASE WHEN NOT rises AND rival IS NULL THEN 'no change' END,
        CASE WHEN drone THEN 'drone' END,
        CASE WHEN damaged IS NOT NULL THEN 'distortion' END,
        CASE WHEN rival_low > transfer_high THEN 'wrong concept' END,
        CASE WHEN unlike THEN 'source lost' END
    ], lambda name: name IS NOT NULL) END AS signatures,
    damaged, rival, rival_concept, rival_rise, rival_low
FROM settings
LEFT JOIN rivals USING (sweep_id, setting_id, scorer)
LEFT JOIN damage USING (sweep_id, setting_id)
LEFT JOIN likeness USING (sweep_id, setting_id);

COMMENT ON VIEW signatures IS
    'how steering fails: a row per setting of a sweep and scorer, with the names of what went wrong';
COMMENT ON COLUMN signatures.sweep IS 'name of the sweep';
COMMENT ON COLUMN signatures.sweep_id IS 'hash of its file and run';
COMMENT ON COLUMN signatures.run_id IS 'run whose directions steer';
COMMENT ON COLUMN signatures.setting_id IS 'hash of the setting, as in the view effects';
COMMENT ON COLUMN signatures.concept IS 'label column that is steered';
COMMENT ON COLUMN signatures.source IS 'class of the prompt';
COMMENT ON COLUMN signatures.target IS 'class that it is steered to; several joined by +';
COMMENT ON COLUMN signatures.method IS 'of the direction';
COMMENT ON COLUMN signatures.site IS 'where it is steered';
COMMENT ON COLUMN signatures.layers IS 'the layers that are steered';
COMMENT ON COLUMN signatures.alpha IS 'strength of steering';
COMMENT ON COLUMN signatures.kind IS 'interpolate, add or ablate';
COMMENT ON COLUMN signatures.scaling IS 'norm, unit or norm_restored';
COMMENT ON COLUMN signatures.schedule IS 'strength over time, and the self-monitor if there is one';
COMMENT ON COLUMN signatures."rows" IS 'rows steered under guidance: conditional or both';
COMMENT ON COLUMN signatures.scorer IS 'who measured the classes: clap, judge, features, probe or a plug-in';
COMMENT ON COLUMN signatures.chosen IS 'whether the setting was chosen for its pair';
COMMENT ON COLUMN signatures.transfer IS 'rise of P(target) over the unsteered twin';
COMMENT ON COLUMN signatures.transfer_low IS 'lower end of its interval';
COMMENT ON COLUMN signatures.transfer_high IS 'upper end';
COMMENT ON COLUMN signatures.signatures IS
    'not scored: the scorer cannot tell classes of this concept apart, see scorer_accuracy; '
    'drone: the sounds stand still (effects.drone); no change: no class rises more than with random directions; distortion: more damage (kad, clipping, silence, '
    'repetition, spectral flatness) than the prompt-only edit does; wrong concept: another class rises more than '
    'the target, their intervals apart; source lost: less like the twin than the prompt-only edit, by every measure of similarity. '
    'NULL: without intervals nobody knows (see without_interval in effects)';
COMMENT ON COLUMN signatures.damaged IS 'the measures of damage that are beyond the prompt-only edit';
COMMENT ON COLUMN signatures.rival IS
    'class other than the target that rises most, beyond random directions; NULL: none does';
COMMENT ON COLUMN signatures.rival_concept IS 'the concept that it is a class of';
COMMENT ON COLUMN signatures.rival_rise IS 'how much it rises';
COMMENT ON COLUMN signatures.rival_low IS 'lower end of its interval';
