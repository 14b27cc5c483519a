"""What the view of overlaps answers does not depend on the order in which rows come."""

from pathlib import Path

import duckdb
import numpy as np

import store

VIEWS = (Path(store.__file__).with_name("catalog") / "superposition.sql").read_text(encoding="utf-8")
TABLE = """
    CREATE OR REPLACE TABLE typed.vectors AS
    SELECT 'r' AS run_id, 'resid' AS site, 'mean' AS reduction, 0 AS layer,
        NULL::INTEGER AS head, 'diffmean' AS method,
        'c' || name AS concept, 'p' AS positive, NULL::VARCHAR AS negative, NULL::TIMESTAMP AS created_at,
        'v' || name AS vector_id, vector
    FROM (SELECT unnest(?::INTEGER[]) AS name, unnest(?::FLOAT[][]) AS vector)
"""


def test_two_asks_give_the_same_digits() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((40, 12)).astype(np.float32)
    answers = set()
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA typed")
        for _ in range(5):
            order = random.permutation(len(vectors))
            connection.execute(TABLE, [order.tolist(), vectors[order].tolist()])
            connection.execute(VIEWS)
            answers.update(connection.execute("FROM superposition").fetchall())
    assert len(answers) == 1
