-- What steering buys and what it costs, side by side: transfer beside every measure of damage, each with the values
-- of its controls. A row per setting, split and scorer of a sweep.

CREATE OR REPLACE VIEW transfers AS
WITH measured AS (FROM effects WHERE setting_id IS NOT NULL),
costs AS (
    SELECT
        sweep_id, setting_id, split,
        max(value) FILTER (metric = 'kad_clips') AS kad_clips,
        max(random) FILTER (metric = 'kad_clips') AS kad_clips_random,
        max("text") FILTER (metric = 'kad_clips') AS kad_clips_text,
        max(prompt) FILTER (metric = 'kad_clips') AS kad_clips_prompt,
        max(unsteered) FILTER (metric = 'kad_clips') AS kad_clips_unsteered,
        max(value) FILTER (metric = 'kad') AS kad,
        max(random) FILTER (metric = 'kad') AS kad_random,
        max("text") FILTER (metric = 'kad') AS kad_text,
        max(prompt) FILTER (metric = 'kad') AS kad_prompt,
        max(value) FILTER (metric = 'level' AND measured_class = 'spectral_flux_db') AS flux,
        max(random) FILTER (metric = 'level' AND measured_class = 'spectral_flux_db') AS flux_random,
        max("text") FILTER (metric = 'level' AND measured_class = 'spectral_flux_db') AS flux_text,
        max(prompt) FILTER (metric = 'level' AND measured_class = 'spectral_flux_db') AS flux_prompt,
        max(unsteered) FILTER (metric = 'level' AND measured_class = 'spectral_flux_db') AS flux_unsteered,
        max(value) FILTER (metric = 'level' AND measured_class = 'mel_variation_db') AS variation,
        max(random) FILTER (metric = 'level' AND measured_class = 'mel_variation_db') AS variation_random,
        max("text") FILTER (metric = 'level' AND measured_class = 'mel_variation_db') AS variation_text,
        max(prompt) FILTER (metric = 'level' AND measured_class = 'mel_variation_db') AS variation_prompt,
        max(unsteered) FILTER (metric = 'level' AND measured_class = 'mel_variation_db') AS variation_unsteered,
        max(value) FILTER (metric = 'level' AND measured_class = 'spectral_flatness') AS flatness,
        max(random) FILTER (metric = 'level' AND measured_class = 'spectral_flatness') AS flatness_random,
        max("text") FILTER (metric = 'level' AND measured_class = 'spectral_flatness') AS flatness_text,
        max(prompt) FILTER (metric = 'level' AND measured_class = 'spectral_flatness') AS flatness_prompt,
        max(unsteered) FILTER (metric = 'level' AND measured_class = 'spectral_flatness') AS flatness_unsteered
    FROM measured GROUP BY ALL
)
SELECT
    t.sweep, t.sweep_id, t.run_id, t.setting_id, t.split, t.concept, t.source, t.target, t.method, t.site, t.layers,
    t.alpha, t.kind, t.scaling, t.schedule, t."rows", t.scorer, t.scorer_accuracy, t.value AS transfer, t.low, t.high,
    t.random, t."text", t.prompt, t.prompts, t.random_states, t.chosen, t.chosen_by, t.drone, t.damage,
    t.damage_limit, t.without_limit, c.* EXCLUDE (sweep_id, setting_id, split)
FROM measured t LEFT JOIN costs c USING (sweep_id, setting_id, split)
WHERE t.metric = 'transfer';

COMMENT ON VIEW transfers IS
    'what steering buys and what it costs: a row per setting, split and scorer, damage beside transfer';
COMMENT ON COLUMN transfers.sweep IS 'name of the sweep';
COMMENT ON COLUMN transfers.sweep_id IS 'hash of its file and run';
COMMENT ON COLUMN transfers.run_id IS 'run whose directions steer';
COMMENT ON COLUMN transfers.setting_id IS 'hash of the setting, as in the view effects';
COMMENT ON COLUMN transfers.split IS 'over which prompts and random states: selection (settings are chosen on it), evaluation, or all';
COMMENT ON COLUMN transfers.concept IS 'label column that is steered';
COMMENT ON COLUMN transfers.source IS 'class of the prompt';
COMMENT ON COLUMN transfers.target IS 'class that it is steered to; several joined by +';
COMMENT ON COLUMN transfers.method IS 'of the direction';
COMMENT ON COLUMN transfers.site IS 'where it is steered';
COMMENT ON COLUMN transfers.layers IS 'the layers that are steered';
COMMENT ON COLUMN transfers.alpha IS 'strength of steering; NULL: automatic';
COMMENT ON COLUMN transfers.kind IS 'interpolate, add or ablate';
COMMENT ON COLUMN transfers.scaling IS 'norm, unit or norm_restored';
COMMENT ON COLUMN transfers.schedule IS 'strength over time, and the self-monitor if there is one';
COMMENT ON COLUMN transfers."rows" IS 'rows steered under guidance: conditional or both';
COMMENT ON COLUMN transfers.scorer IS 'who measured the classes: clap, judge, features, probe or a plug-in';
COMMENT ON COLUMN transfers.scorer_accuracy IS 'share of labelled clips whose class the scorer names';
COMMENT ON COLUMN transfers.transfer IS 'rise of P(target) over the unsteered twin; NULL: the scorer cannot tell its classes apart';
COMMENT ON COLUMN transfers.low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN transfers.high IS 'upper end';
COMMENT ON COLUMN transfers.random IS 'transfer of random directions of the same length and place';
COMMENT ON COLUMN transfers."text" IS 'transfer of directions of the text alone';
COMMENT ON COLUMN transfers.prompt IS 'transfer of the target''s prompt, unsteered';
COMMENT ON COLUMN transfers.prompts IS 'independent prompts';
COMMENT ON COLUMN transfers.random_states IS 'different ones';
COMMENT ON COLUMN transfers.chosen IS 'whether the setting is chosen for its pair';
COMMENT ON COLUMN transfers.chosen_by IS 'scorer that chose';
COMMENT ON COLUMN transfers.drone IS 'whether its sounds stand still';
COMMENT ON COLUMN transfers.damage IS 'kad_clips of the setting in this split';
COMMENT ON COLUMN transfers.damage_limit IS 'the largest damage that may be chosen; NULL: none, see without_limit';
COMMENT ON COLUMN transfers.without_limit IS 'why a limit of damage is not applied to its setting here; NULL: all are';
COMMENT ON COLUMN transfers.kad_clips IS 'kernel distance of CLAP embeddings to recordings of the concept, x 100';
COMMENT ON COLUMN transfers.kad_clips_random IS 'the same of random directions';
COMMENT ON COLUMN transfers.kad_clips_text IS 'the same of directions of the text alone';
COMMENT ON COLUMN transfers.kad_clips_prompt IS 'the same of the target''s prompt';
COMMENT ON COLUMN transfers.kad_clips_unsteered IS 'the same of the unsteered twins';
COMMENT ON COLUMN transfers.kad IS 'kernel distance of CLAP embeddings to the unsteered twins, x 100';
COMMENT ON COLUMN transfers.kad_random IS 'the same of random directions';
COMMENT ON COLUMN transfers.kad_text IS 'the same of directions of the text alone';
COMMENT ON COLUMN transfers.kad_prompt IS 'the same of the target''s prompt';
COMMENT ON COLUMN transfers.flux IS 'spectral flux: mean rise of the mel spectrogram from frame to frame, dB';
COMMENT ON COLUMN transfers.flux_random IS 'the same of random directions';
COMMENT ON COLUMN transfers.flux_text IS 'the same of directions of the text alone';
COMMENT ON COLUMN transfers.flux_prompt IS 'the same of the target''s prompt';
COMMENT ON COLUMN transfers.flux_unsteered IS 'the same of the unsteered twins';
COMMENT ON COLUMN transfers.variation IS 'deviation over time of the mel spectrogram, dB: 0 is a drone';
COMMENT ON COLUMN transfers.variation_random IS 'the same of random directions';
COMMENT ON COLUMN transfers.variation_text IS 'the same of directions of the text alone';
COMMENT ON COLUMN transfers.variation_prompt IS 'the same of the target''s prompt';
COMMENT ON COLUMN transfers.variation_unsteered IS 'the same of the unsteered twins';
COMMENT ON COLUMN transfers.flatness IS 'spectral flatness: 0 tone, 1 noise';
COMMENT ON COLUMN transfers.flatness_random IS 'the same of random directions';
COMMENT ON COLUMN transfers.flatness_text IS 'the same of directions of the text alone';
COMMENT ON COLUMN transfers.flatness_prompt IS 'the same of the target''s prompt';
COMMENT ON COLUMN transfers.flatness_unsteered IS 'the same of the unsteered twins';
