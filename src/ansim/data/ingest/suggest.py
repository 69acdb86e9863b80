"""The mapping assistant: which codes of a loaded dataset have no concept, most frequent first, and what might fit.

It proposes, a person decides: the file that it writes is a Usagi file in which every row is UNCHECKED, and only rows
that a person sets to APPROVED (here with `accept`, in Usagi, or in a spreadsheet) count in a load (`codemaps`).

How a concept is found:
- by code: the same code in another edition of a vocabulary, or the longest beginning of it (KCD-8 E11.90 by KCD-7
  E11.9), by way of that code's own "Maps to";
- by words: names and synonyms of standard concepts share words with the source's name, rare words counting more
  (inverse document frequency, cosine). Korean words are compared by pairs of syllables, so that endings do not matter.
"""

import csv
import os
from pathlib import Path
from typing import Any

import duckdb

from ansim.data.cdm import literal
from ansim.data.cdm.versions import in_use
from ansim.errors import N_, Problem

COLUMNS = (
    "sourceCode",
    "sourceName",
    "sourceFrequency",
    "sourceVocabularyId",
    "matchScore",
    "mappingStatus",
    "equivalence",
    "statusSetBy",
    "statusSetOn",
    "conceptId",
    "conceptName",
    "domainId",
    "mappingType",
    "comment",
)
TOP = 5
LEAST = 0.15  # a lower score is no proposal
WITHOUT = ("not tried", "no target")


def suggest(dataset: Path, *, top: int = TOP) -> list[dict[str, Any]]:
    """For each code without a concept in the version in use: up to `top` proposals, or one row with concept 0.

    Rows as in a Usagi file (COLUMNS), the most frequent code first, its best proposal first.
    """
    used = in_use(dataset)
    if used is None:
        raise Problem("no-version", N_("This file was not made by a load."), where=str(dataset))
    con = duckdb.connect()
    try:
        con.execute(f"ATTACH {literal(str(used.cdm))} AS cdm (READ_ONLY); USE cdm")
        con.execute(f"ATTACH {literal(str(used.trace))} AS trace (READ_ONLY)")
        con.execute(
            "CREATE TEMP TABLE wanted AS SELECT row_number() OVER (ORDER BY n DESC, system, code) AS w, * FROM ("
            "SELECT coalesce(system, '') AS system, code, any_value(display) AS name, sum(rows)::BIGINT AS n "
            "FROM trace.code WHERE status IN (SELECT unnest(?)) AND field <> 'unit' AND code IS NOT NULL "
            "GROUP BY 1, 2)",
            [list(WITHOUT)],
        )
        con.execute(_BY_CODE)
        con.execute(_BY_WORDS)
        rows = con.execute(_BEST, [LEAST, top]).fetchall()
    finally:
        con.close()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def write_proposals(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows in one step; a decision that somebody made in an earlier file of this name is kept."""
    decided = [row for row in _read(path) if row["mappingStatus"] != "UNCHECKED"] if path.exists() else []
    known = {(row["sourceVocabularyId"], row["sourceCode"]) for row in decided}
    fresh = [row for row in rows if (row["sourceVocabularyId"], row["sourceCode"]) not in known]
    _write([*decided, *fresh], path)


def accept(path: Path, *, vocabulary: str, code: str, concept: int, reviewer: str, on: str) -> None:
    """Set a proposal to APPROVED; concept 0 says that a person looked and none fits. on: ISO date.

    Raises Problem when the file has no such code, or the concept is neither proposed nor 0.
    """
    rows = _read(path)
    mine = [row for row in rows if (row["sourceVocabularyId"], row["sourceCode"]) == (vocabulary, code)]
    chosen = next((row for row in mine if int(row["conceptId"] or 0) == concept), None)
    if not mine or (chosen is None and concept != 0):
        raise Problem(
            "no-proposal",
            N_("{vocabulary} {found} with concept {concept} is not among the proposals."),
            where=str(path),
            remedy=N_("Add a row for it, then accept it."),
            vocabulary=vocabulary,
            found=code,
            concept=concept,
        )
    kept = {**(chosen or mine[0]), "mappingStatus": "APPROVED", "statusSetBy": reviewer, "statusSetOn": on}
    if concept == 0:
        kept |= {"conceptId": 0, "conceptName": "", "domainId": "", "equivalence": "UNMATCHED"}
    else:
        kept["equivalence"] = "EQUAL"
    _write([kept if row is mine[0] else row for row in rows if row is mine[0] or row not in mine], path)


def _read(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not set(COLUMNS) <= set(rows[0]):
        raise Problem("bad-code-map", N_("This is no file of proposals."), where=str(path))
    return rows


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    with open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, path)


# The vocabulary's codes that are the wanted code, or its longest beginning of at least three letters.
_BY_CODE = """
CREATE TEMP TABLE by_code AS
WITH plain AS (SELECT w, upper(regexp_replace(code, '[^0-9A-Za-z]', '', 'g')) AS c FROM wanted),
begun AS (SELECT w, c, unnest(range(3, length(c) + 1)) AS letters FROM plain WHERE length(c) BETWEEN 3 AND 20),
known AS (
  SELECT concept_id, upper(regexp_replace(concept_code, '[^0-9A-Za-z]', '', 'g')) AS c, concept_code, vocabulary_id,
         standard_concept FROM concept WHERE concept_id > 0 AND domain_id NOT IN ('Unit', 'Metadata', 'Type Concept')),
hit AS (
  SELECT w, letters / length(b.c) AS share, k.* FROM begun b JOIN known k ON k.c = left(b.c, letters)
  QUALIFY letters = max(letters) OVER (PARTITION BY w))
SELECT w, coalesce(r.concept_id_2, concept_id) AS concept_id, max(0.95 * share) AS score,
       any_value('code ' || vocabulary_id || ' ' || concept_code) AS why
FROM hit LEFT JOIN concept_relationship r ON r.concept_id_1 = concept_id AND relationship_id = 'Maps to'
  AND standard_concept IS DISTINCT FROM 'S'
WHERE standard_concept = 'S' OR r.concept_id_2 IS NOT NULL GROUP BY 1, 2
"""
_TERMS = """
  SELECT {key}, t FROM (
    SELECT {key}, unnest(regexp_extract_all(lower({name}), '[a-z0-9]+|[가-힣]+')) AS word FROM {of}),
  LATERAL (SELECT unnest(CASE WHEN word ~ '[가-힣]{{2,}}' THEN
    list_transform(range(1, length(word)), lambda i: substr(word, i, 2)) ELSE [word] END) AS t)"""
_BY_WORDS = f"""
CREATE TEMP TABLE by_words AS
WITH named AS (
  SELECT concept_id, concept_name AS name FROM concept WHERE standard_concept = 'S' AND invalid_reason IS NULL
    AND domain_id NOT IN ('Unit', 'Metadata', 'Type Concept')
  UNION SELECT concept_id, concept_synonym_name FROM concept_synonym s JOIN concept c USING (concept_id)
    WHERE standard_concept = 'S' AND c.invalid_reason IS NULL),
numbered AS (SELECT row_number() OVER () AS d, * FROM named),
asked AS (SELECT DISTINCT w, t FROM ({_TERMS.format(key="w", name="name", of="wanted")})),
said AS (
  SELECT DISTINCT d, t FROM ({_TERMS.format(key="d", name="name", of="numbered")})),
weight AS (SELECT t, ln((SELECT count(*) FROM numbered) / count(*)) + 0.1 AS idf FROM said GROUP BY t),
size AS (SELECT d, sqrt(sum(idf * idf)) AS size FROM said JOIN weight USING (t) GROUP BY d),
asked_size AS (
  SELECT w, sqrt(sum(power(coalesce(idf, (SELECT max(idf) FROM weight)), 2))) AS size
  FROM asked LEFT JOIN weight USING (t) GROUP BY w),
shared AS (
  SELECT w, d, sum(idf * idf) AS dot FROM asked JOIN said USING (t) JOIN weight USING (t)
  WHERE d IN (SELECT d FROM said JOIN asked USING (t)) GROUP BY w, d)
SELECT w, concept_id, max(dot / (a.size * s.size)) AS score, arg_max(name, dot / (a.size * s.size)) AS why
FROM shared JOIN size s USING (d) JOIN asked_size a USING (w) JOIN numbered USING (d) GROUP BY w, concept_id
"""
_BEST = """
WITH found AS (
  SELECT w, concept_id, max(score) AS score, arg_max(why, score) AS why
  FROM (FROM by_code UNION ALL FROM by_words) GROUP BY 1, 2 HAVING max(score) >= ?),
best AS (
  SELECT * FROM found QUALIFY row_number() OVER (PARTITION BY w ORDER BY score DESC, concept_id) <= ?)
SELECT wanted.code, wanted.name, wanted.n, wanted.system, round(coalesce(score, 0), 3), 'UNCHECKED', 'UNREVIEWED', '',
       '', coalesce(best.concept_id, 0), coalesce(c.concept_name, ''), coalesce(c.domain_id, ''), 'MAPS_TO',
       coalesce(why, '')
FROM wanted LEFT JOIN best USING (w) LEFT JOIN concept c ON c.concept_id = best.concept_id
ORDER BY w, score DESC, best.concept_id
"""
