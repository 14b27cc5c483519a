-- Views of how directions share the space of one place: a place is one site, reduction and layer of one run,
-- and one attention head where directions are of heads.
-- Only directions of one method are compared. Fits of one direction (the same place, method, concept, positive and
-- negative) on other labels, folds or code are one direction: the newest counts. A class against the rest and one class
-- against another say the same thing twice, so `superposition` keeps them apart.
--
-- Directions of one concept depend on each other by what they are made from. The mean differences of C classes against
-- the rest, with equally many clips each, add up to zero: if the classes are equally far from each other, any two have a
-- cosine of -1/(C - 1), so with 4 classes 0.33 is no overlap of meanings. Two differences of classes that share one have
-- 1/2, and a class against the rest has sqrt(C/(2(C - 1))) with its difference to another class. `dependent_cosine` says
-- that, and `baseline_cosine` is what to compare the mean with.

CREATE OR REPLACE VIEW cosines AS
WITH newest AS (
    SELECT * FROM typed.vectors
    QUALIFY 1 = row_number() OVER (
        PARTITION BY run_id, site, reduction, layer, head, method, concept, positive, negative
        ORDER BY created_at DESC, vector_id
    )
),
counted AS (
    SELECT *, count(*) FILTER (negative IS NULL) OVER (
        PARTITION BY run_id, site, reduction, layer, head, method, concept
    ) AS classes FROM newest
)
SELECT
    a.run_id, a.site, a.reduction, a.layer, a.head, a.method, a.vector_id, a.concept, a.positive, a.negative,
    b.vector_id AS other_id, b.concept AS other_concept, b.positive AS other_positive, b.negative AS other_negative,
    list_cosine_similarity(a.vector, b.vector)::DOUBLE AS cosine, sqrt(2 / (pi() * len(a.vector))) AS random_cosine,
    CASE
        WHEN a.method = 'random' OR a.concept <> b.concept THEN NULL
        WHEN a.negative IS NULL AND b.negative IS NULL THEN 1 / nullif(a.classes - 1, 0)
        WHEN a.negative IS NULL THEN
            CASE WHEN a.positive IN (b.positive, b.negative) THEN sqrt(a.classes / nullif(2 * (a.classes - 1), 0)) END
        WHEN b.negative IS NULL THEN
            CASE WHEN b.positive IN (a.positive, a.negative) THEN sqrt(a.classes / nullif(2 * (a.classes - 1), 0)) END
        ELSE nullif(
            (a.positive IN (b.positive, b.negative))::INTEGER + (a.negative IN (b.positive, b.negative))::INTEGER, 0
        ) / 2
    END AS dependent_cosine,
    len(a.vector) AS width
FROM counted a JOIN counted b USING (run_id, site, reduction, layer, method)
WHERE a.vector_id <> b.vector_id AND a.head IS NOT DISTINCT FROM b.head AND len(a.vector) = len(b.vector);

COMMENT ON VIEW cosines IS 'one row per ordered pair of directions of one method at one place: their cosine';
COMMENT ON COLUMN cosines.run_id IS 'run they were fitted on';
COMMENT ON COLUMN cosines.site IS 'where in a block: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN cosines.reduction IS 'what was kept over time of the rows they were fitted on';
COMMENT ON COLUMN cosines.layer IS 'number of the layer';
COMMENT ON COLUMN cosines.head IS 'attention head that both belong to; NULL: all of the site';
COMMENT ON COLUMN cosines.method IS 'how both were fitted';
COMMENT ON COLUMN cosines.vector_id IS 'one direction';
COMMENT ON COLUMN cosines.concept IS 'its label column';
COMMENT ON COLUMN cosines.positive IS 'class it points to';
COMMENT ON COLUMN cosines.negative IS 'class it points from; NULL: all others';
COMMENT ON COLUMN cosines.other_id IS 'the other direction';
COMMENT ON COLUMN cosines.other_concept IS 'its label column';
COMMENT ON COLUMN cosines.other_positive IS 'class it points to';
COMMENT ON COLUMN cosines.other_negative IS 'class it points from; NULL: all others';
COMMENT ON COLUMN cosines.cosine IS 'cosine of the angle between them';
COMMENT ON COLUMN cosines.random_cosine IS 'mean |cosine| of two random directions: sqrt(2 / (pi · width))';
COMMENT ON COLUMN cosines.dependent_cosine IS
    '|cosine| they have because both are made from classes of one concept, were these equally far apart with equally many '
    'clips: 1/(C - 1) of two of its C classes against the rest, 1/2 of two pairs that share a class; NULL: none';
COMMENT ON COLUMN cosines.width IS 'entries of a direction';

-- Sums are taken in order of their numbers: in that of the threads that bring these, the last digits would differ.
CREATE OR REPLACE VIEW superposition AS
WITH mirrored AS (
    SELECT DISTINCT greatest(vector_id, other_id) AS vector_id
    FROM cosines WHERE concept = other_concept AND cosine < -0.99999
)
SELECT
    run_id, site, reduction, layer, head, method, negative IS NOT NULL AS pairs, count(DISTINCT vector_id) AS directions,
    avg(abs(cosine) ORDER BY abs(cosine)) AS mean_cosine, max(abs(cosine)) AS largest_cosine, any_value(random_cosine) AS random_cosine,
    mean_cosine / any_value(random_cosine) AS times_random,
    avg(greatest(dependent_cosine, random_cosine) ORDER BY greatest(dependent_cosine, random_cosine))
        AS baseline_cosine,
    mean_cosine / baseline_cosine AS times_baseline,
    sqrt(greatest(directions - any_value(width), 0) / (any_value(width) * (directions - 1))) AS welch_bound,
    directions ^ 2 / (directions + sum(cosine ^ 2 ORDER BY cosine ^ 2)) AS participation_ratio
FROM cosines
WHERE
    (negative IS NULL) = (other_negative IS NULL)
    AND vector_id NOT IN (FROM mirrored) AND other_id NOT IN (FROM mirrored)
GROUP BY ALL;

COMMENT ON VIEW superposition IS
    'one row per place and method: how much its directions overlap; of a concept with two classes one counts';
COMMENT ON COLUMN superposition.run_id IS 'run they were fitted on';
COMMENT ON COLUMN superposition.site IS 'where in a block: embed, resid, attn, head, xattn, mlp …';
COMMENT ON COLUMN superposition.reduction IS 'what was kept over time of the rows they were fitted on';
COMMENT ON COLUMN superposition.layer IS 'number of the layer';
COMMENT ON COLUMN superposition.head IS 'attention head that they belong to; NULL: all of the site';
COMMENT ON COLUMN superposition.method IS 'how they were fitted';
COMMENT ON COLUMN superposition.pairs IS
    'true of directions from one class to another; false of each class against the rest';
COMMENT ON COLUMN superposition.directions IS 'how many directions there are';
COMMENT ON COLUMN superposition.mean_cosine IS 'mean |cosine| over all pairs';
COMMENT ON COLUMN superposition.largest_cosine IS 'largest |cosine| of a pair';
COMMENT ON COLUMN superposition.random_cosine IS 'mean |cosine| of two random directions: sqrt(2 / (pi · width))';
COMMENT ON COLUMN superposition.times_random IS
    'mean_cosine / random_cosine; above 1 for the classes of one concept whatever they mean, see baseline_cosine';
COMMENT ON COLUMN superposition.baseline_cosine IS
    'mean |cosine| that these directions would have if concepts had nothing in common: of two of one concept the '
    'dependent_cosine of the view cosines (1/(C - 1) for C classes against the rest), of others that of random ones';
COMMENT ON COLUMN superposition.times_baseline IS 'mean_cosine / baseline_cosine: above 1 where they overlap more';
COMMENT ON COLUMN superposition.welch_bound IS
    'no set of so many directions has a smaller largest |cosine|; 0 up to as many as the width';
COMMENT ON COLUMN superposition.participation_ratio IS
    'n² / sum of squared cosines: how many dimensions the directions really use';
