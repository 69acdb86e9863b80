"""Code maps as files: source_to_concept_map (CSV), Usagi (CSV) and SSSOM (TSV), read into one table and written again.

Only what a person has accepted counts: in Usagi mappingStatus APPROVED, in SSSOM a reviewer_id; a row of
source_to_concept_map counts as it stands. Accepted without a target (concept 0, SSSOM's sssom:NoTermFound) means: a
person looked and there is none.

Sources: https://ohdsi.github.io/Usagi, https://mapping-commons.github.io/sssom, the source_to_concept_map table of
OMOP CDM 5.4.
"""

from collections.abc import Iterable
from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.ingest.codes import CODE_MAP
from ansim.errors import N_, Problem

USAGI = ("sourcecode", "mappingstatus", "conceptid")
SSSOM = ("subject_id", "object_id", "predicate_id")
STCM = ("source_code", "source_vocabulary_id", "target_concept_id")


def load_code_maps(con: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> None:
    """Fill the temporary table `code_map`; of two maps for one code the earlier file counts.

    Raises Problem when a file is none of the three forms.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE code_map ({CODE_MAP})")
    for path in paths:
        known = "SELECT vocabulary, code FROM code_map"
        con.execute(f"CREATE OR REPLACE TEMP TABLE earlier AS {known}")
        con.execute(
            f"INSERT INTO code_map BY NAME SELECT * FROM ({_select(con, Path(path))}) m WHERE code IS NOT NULL AND "
            "NOT EXISTS (SELECT 1 FROM earlier e WHERE e.vocabulary = m.vocabulary AND e.code = m.code)"
        )
        con.execute("DROP TABLE earlier")


def _select(con: duckdb.DuckDBPyConnection, path: Path) -> str:
    read = f"read_csv({literal(str(path))}, all_varchar = true, header = true, comment = '#', nullstr = ['', 'NA'])"
    try:
        names = {name.lower() for name, *_ in con.execute(f"DESCRIBE FROM {read}").fetchall()}
    except duckdb.Error as error:
        raise Problem(
            "bad-code-map",
            N_("The code map cannot be read: {detail}"),
            where=str(path),
            detail=str(error).splitlines()[0],
        ) from error
    origin = literal(path.name)
    if set(STCM) <= names:
        return (
            f"SELECT source_vocabulary_id AS vocabulary, source_code AS code, source_code_description AS label, "
            f"try_cast(target_concept_id AS BIGINT) AS target, CASE WHEN target > 0 THEN "
            f"'reviewed' ELSE 'unmapped' END AS status, {origin} AS origin FROM {read} WHERE invalid_reason IS NULL"
        )
    if set(USAGI) <= names:
        vocabulary = "sourceVocabularyId" if "sourcevocabularyid" in names else literal(path.stem)
        kind = "coalesce(mappingType, 'MAPS_TO')" if "mappingtype" in names else "'MAPS_TO'"
        concept = "try_cast(conceptId AS BIGINT)"
        return (
            f"SELECT {vocabulary} AS vocabulary, sourceCode AS code, sourceName AS label, "
            f"CASE WHEN {kind} = 'MAPS_TO' THEN {concept} END AS target, "
            f"max({concept}) FILTER ({kind} = 'MAPS_TO_VALUE') OVER (PARTITION BY sourceCode) AS value_target, "
            f"CASE WHEN {concept} > 0 THEN 'reviewed' ELSE 'unmapped' END AS status, statusSetBy AS reviewer, "
            f"{_usagi_day('statusSetOn')} AS reviewed, {origin} AS origin FROM {read} "
            f"WHERE mappingStatus = 'APPROVED' QUALIFY {kind} = 'MAPS_TO'"
        )
    if set(SSSOM) <= names:
        reviewer = "reviewer_id" if "reviewer_id" in names else "NULL"
        return (
            "SELECT split_part(subject_id, ':', 1) AS vocabulary, "
            "substr(subject_id, instr(subject_id, ':') + 1) AS code, "
            f"{'subject_label' if 'subject_label' in names else 'NULL'} AS label, "
            "CASE WHEN object_id LIKE 'OMOP:%' THEN try_cast(substr(object_id, 6) AS BIGINT) "
            "WHEN object_id = 'sssom:NoTermFound' THEN 0 ELSE (SELECT min(concept_id) FROM concept WHERE "
            "vocabulary_id = split_part(object_id, ':', 1) AND concept_code = split_part(object_id, ':', 2)) END "
            "AS target, "
            "CASE WHEN object_id = 'sssom:NoTermFound' THEN 'unmapped' ELSE 'reviewed' END AS status, "
            f"{reviewer} AS reviewer, {'try_cast(mapping_date AS DATE)' if 'mapping_date' in names else 'NULL'} "
            f"AS reviewed, {origin} AS origin FROM {read} WHERE {reviewer} IS NOT NULL"
        )
    raise Problem(
        "bad-code-map",
        N_("This is no code map: neither source_to_concept_map nor Usagi nor SSSOM."),
        where=str(path),
        remedy=N_("Its header names these columns: {columns}."),
        columns=", ".join(STCM),
    )


def _usagi_day(column: str) -> str:
    """Usagi writes times as milliseconds since 1970; people write dates."""
    return (
        f"coalesce(try_cast({column} AS DATE), "
        f"(epoch_ms(CASE WHEN try_cast({column} AS BIGINT) > 0 THEN try_cast({column} AS BIGINT) END))::DATE)"
    )
