-- What people heard. A listener who did not find the hidden reference is left out, as ITU-R BS.1534-3 asks (4.1.2):
-- below 90 in more than 15 % of the trials.

CREATE OR REPLACE VIEW listeners AS
SELECT
    test_id, listener, count(DISTINCT trial_id) AS trials,
    avg((value < 90)::INT) FILTER (kind = 'rating' AND role = 'reference') AS missed,
    coalesce(missed <= 0.15, true) AS kept
FROM typed.ratings GROUP BY ALL;

COMMENT ON VIEW listeners IS 'who took a listening test, and whether they found its hidden references';
COMMENT ON COLUMN listeners.test_id IS 'the listening test';
COMMENT ON COLUMN listeners.listener IS 'name that was given, or the seed';
COMMENT ON COLUMN listeners.trials IS 'comparisons that were made';
COMMENT ON COLUMN listeners.missed IS 'share of the hidden references that were rated below 90';
COMMENT ON COLUMN listeners.kept IS 'whether it is at most 15 % (ITU-R BS.1534-3); the others do not count';

CREATE OR REPLACE VIEW listening AS
WITH kept AS (SELECT r.* FROM typed.ratings r JOIN listeners l USING (test_id, listener) WHERE l.kept),
judged AS (
    SELECT
        test_id, sweep, sweep_id, setting_id, concept, source, target, count(DISTINCT listener) AS listeners,
        avg(value) FILTER (kind = 'choice' AND role = 'steered') AS chosen,
        avg(value) FILTER (kind = 'choice' AND role = 'random') AS chosen_random,
        avg(1 / alternatives ORDER BY alternatives) FILTER (kind = 'choice' AND role = 'steered') AS chance,
        avg(value) FILTER (kind = 'rating' AND role = 'steered') AS likeness,
        avg(value) FILTER (kind = 'rating' AND role = 'random') AS likeness_random,
        avg(value) FILTER (kind = 'rating' AND role = 'reference') AS likeness_reference,
        avg(value) FILTER (kind = 'rating' AND role = 'anchor') AS likeness_anchor
    FROM kept GROUP BY ALL
),
clap AS (
    SELECT
        sweep_id, setting_id, max(value) FILTER (metric = 'transfer') AS clap_transfer,
        max(value) FILTER (metric = 'similarity') AS clap_similarity
    FROM effects WHERE scorer = 'clap' AND split = 'all' GROUP BY ALL
)
FROM judged LEFT JOIN clap USING (sweep_id, setting_id);

COMMENT ON VIEW listening IS 'what people heard: a row per listening test and setting, beside what CLAP says of it';
COMMENT ON COLUMN listening.test_id IS 'the listening test';
COMMENT ON COLUMN listening.sweep IS 'name of the sweep';
COMMENT ON COLUMN listening.sweep_id IS 'hash of its file and run';
COMMENT ON COLUMN listening.setting_id IS 'the setting, as in the view effects';
COMMENT ON COLUMN listening.concept IS 'label column that is steered';
COMMENT ON COLUMN listening.source IS 'class of the prompt';
COMMENT ON COLUMN listening.target IS 'class that it is steered to; several joined by +';
COMMENT ON COLUMN listening.listeners IS 'people who judged it, those left out not counted';
COMMENT ON COLUMN listening.chosen IS 'share of forced choices in which the steered sound was most like the target';
COMMENT ON COLUMN listening.chosen_random IS 'the same of the random control';
COMMENT ON COLUMN listening.chance IS 'share that guessing gives';
COMMENT ON COLUMN listening.likeness IS 'mean rating of how like the unsteered sound the steered one is, 0 to 100';
COMMENT ON COLUMN listening.likeness_random IS 'the same of the random control';
COMMENT ON COLUMN listening.likeness_reference IS 'the same of the hidden reference, the unsteered sound itself';
COMMENT ON COLUMN listening.likeness_anchor IS 'the same of the unsteered sound behind a low-pass filter';
COMMENT ON COLUMN listening.clap_transfer IS 'transfer by CLAP, of all the sweep''s prompts';
COMMENT ON COLUMN listening.clap_similarity IS 'similarity to the unsteered twin by CLAP, likewise';
