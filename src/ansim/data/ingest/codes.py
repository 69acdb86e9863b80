"""The code map: from a source code to the concepts that stand for it, and how sure that is.

A code is looked up first among the hospital's own reviewed mappings (`code_map`: source_to_concept_map, Usagi CSV or
SSSOM, see `codemaps`), then in the concept table by (vocabulary_id, concept_code), following every "Maps to" and
"Maps to value" from a concept that is not standard. Status of the answer:

- reviewed: a person chose the target; vocabulary: the vocabulary itself says so;
- unmapped: a person looked and found none; no target: a known concept that leads to no standard one;
- not tried: nobody and nothing knows this code.
The last three give concept 0 and keep the source code. A code may have several targets: one row each.
"""

import duckdb

CODINGS = 'STRUCT(code VARCHAR, display VARCHAR, "system" VARCHAR)[]'
CODE_MAP = "vocabulary VARCHAR, code VARCHAR, label VARCHAR, target BIGINT, value_target BIGINT, status VARCHAR, "
CODE_MAP += "reviewer VARCHAR, reviewed DATE, origin VARCHAR"


def prepare_codes(con: duckdb.DuckDBPyConnection, vocabularies: dict[str, str]) -> None:
    """Make the tables of this connection: the names of code systems, the site's map, and the answers given so far.

    The CDM's own source_to_concept_map counts as reviewed. vocabularies: names or addresses of code systems in the
    source, and the vocabulary_id that the concept table knows them by.
    """
    con.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS code_map ({CODE_MAP});"
        "CREATE OR REPLACE TEMP TABLE code_system (system VARCHAR, vocabulary VARCHAR);"
        f"CREATE OR REPLACE TEMP TABLE code_answer (codings {CODINGS}, source_value VARCHAR, source_concept BIGINT, "
        "target BIGINT, domain VARCHAR, value_target BIGINT, status VARCHAR, place BIGINT)"
    )
    if vocabularies:
        con.executemany("INSERT INTO code_system VALUES (?, ?)", list(vocabularies.items()))
    con.execute(
        "INSERT INTO code_map BY NAME SELECT source_vocabulary_id AS vocabulary, source_code AS code, "
        "source_code_description AS label, target_concept_id AS target, "
        "CASE WHEN target_concept_id > 0 THEN 'reviewed' ELSE 'unmapped' END AS status, 'source_to_concept_map' AS "
        "origin FROM source_to_concept_map s WHERE invalid_reason IS NULL AND NOT EXISTS (SELECT 1 FROM code_map m "
        "WHERE m.vocabulary = source_vocabulary_id AND m.code = source_code)"
    )


def answer_codes(con: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Find the targets of every list of codings in the relation (column `codings`) that has no answer yet."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE asked AS SELECT row_number() OVER () AS a, codings FROM (
          SELECT DISTINCT codings FROM ({relation}) WHERE codings IS NOT NULL) n
        WHERE NOT EXISTS (SELECT 1 FROM code_answer o WHERE o.codings = n.codings)"""
    )
    con.execute(_ANSWER)
    con.execute("DROP TABLE asked")


def count_codes(con: duckdb.DuckDBPyConnection, file: int, rule: str, field: str, relation: str) -> None:
    """Add to the account how often each code was met (relation: column `codings`) and what it led to."""
    con.execute(
        """INSERT INTO trace.code SELECT ?, ?, ?, codings[1]."system", codings[1].code, codings[1].display,
          any_value(status), any_value(target), any_value(n) FROM (
          SELECT codings, count(*) AS n FROM ("""
        + relation
        + """) WHERE codings IS NOT NULL GROUP BY codings)
        JOIN code_answer USING (codings) WHERE place = 1 GROUP BY codings""",
        [file, rule, field],
    )


# One row a target. Among several codings the best-known decides: the site's map before the vocabulary, a standard
# target before none, then the order in the source.
_ANSWER = """
INSERT INTO code_answer
WITH coding AS (
  SELECT a, generate_subscripts(codings, 1) AS nth, unnest(codings) AS c FROM asked),
named AS (
  SELECT a, nth, coalesce(s.vocabulary, c."system") AS vocabulary, c.code AS code
  FROM coding LEFT JOIN code_system s ON s.system = c."system" WHERE c.code IS NOT NULL),
known AS (
  SELECT a, nth, concept_id, domain_id, standard_concept = 'S' AND k.invalid_reason IS NULL AS standard
  FROM named JOIN concept k ON k.vocabulary_id = named.vocabulary AND k.concept_code = named.code),
related AS (
  SELECT a, nth, concept_id_2 AS target, relationship_id
  FROM known JOIN concept_relationship r ON r.concept_id_1 = known.concept_id
  WHERE NOT coalesce(standard, false) AND relationship_id IN ('Maps to', 'Maps to value') AND r.invalid_reason IS NULL),
found AS (
  SELECT a, nth, 1 AS rank, m.target, m.value_target, m.status FROM named JOIN code_map m USING (vocabulary, code)
  WHERE m.status IN ('reviewed', 'unmapped')
  UNION ALL SELECT a, nth, 2, concept_id, NULL, 'vocabulary' FROM known WHERE standard
  UNION ALL
  SELECT a, nth, 2, target, (SELECT min(v.target) FROM related v WHERE v.a = related.a AND v.nth = related.nth
    AND v.relationship_id = 'Maps to value'), 'vocabulary' FROM related WHERE relationship_id = 'Maps to'
  UNION ALL SELECT a, nth, 3, 0, NULL, 'no target' FROM known),
best AS (
  SELECT a, nth, rank FROM found QUALIFY row_number() OVER (PARTITION BY a ORDER BY rank, nth) = 1),
chosen AS (
  SELECT a, target, min(value_target) AS value_target, min(status) AS status
  FROM best JOIN found USING (a, nth, rank) GROUP BY a, target),
source AS (SELECT a, arg_min(concept_id, nth) AS source_concept FROM known GROUP BY a),
written AS (SELECT a, arg_max(code, nth) AS source_value FROM named GROUP BY a)
SELECT asked.codings, source_value, coalesce(source_concept, 0), coalesce(c.target, 0), k.domain_id, c.value_target,
       coalesce(c.status, 'not tried'), row_number() OVER (PARTITION BY a ORDER BY c.target)
FROM asked LEFT JOIN written USING (a) LEFT JOIN source USING (a) LEFT JOIN chosen c USING (a)
LEFT JOIN concept k ON k.concept_id = c.target AND c.target > 0
"""
