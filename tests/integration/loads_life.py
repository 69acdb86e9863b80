"""A steward lists patients, pasted and as a file; the pages of loads and for patients, as people see them."""

import sys
from pathlib import Path

from back_rooms import World
from seen import client, look

from ansim.data.cdm import versions
from ansim.data.ingest.load import Options, load

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "data"))
import hospital_files

HERE = World(Path(sys.argv[1]), "hospital-a")


def data(folder: Path) -> None:
    """Three versions of the small hospital's data, of which the first has lost its rows."""
    sources, mapping, codes = hospital_files.write(folder)
    for number in range(3):
        options = Options(
            f"2026-12-0{number + 1}T09:00:00+00:00", mapping=mapping, code_maps=(codes,), refuse_above=0.5,
            name=f"Load {number}",
        )  # fmt: skip
        load(sources, HERE.folder / "cdm.duckdb", options)
    versions.prune(HERE.folder / "cdm.duckdb", keep=2)


def lists() -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from ansim.sites.holder import patients

    def post(**fields):
        return client("steward-a").post("/loads/patients/", fields, headers={"accept": "application/json"})

    file = SimpleUploadedFile("objections.csv", "번호,person_source_value\n1,P1\n2,P-nobody\n".encode("cp949"))
    answer = post(kind="objection", keys="P2", file=file)
    assert answer.status_code == 200, answer.content
    assert answer.json()["listed"] == 3
    assert patients.words_on("") == {"out": ["P-nobody", "P1", "P2"]}
    answer = post(kind="objection", file=SimpleUploadedFile("some.csv", b"P1,a\nP2,b\n"), remove="on")
    assert answer.status_code == 422 or answer.status_code == 400, answer.status_code
    assert "person_source_value" in answer.content.decode()
    answer = post(kind="objection", file=SimpleUploadedFile("some.csv", b"P2\n"), remove="on")
    assert answer.json()["removed"] == 1
    assert post(kind="objection").status_code >= 400  # neither pasted nor as a file
    assert client("officer-a").post("/loads/patients/", {"kind": "objection", "keys": "P3"}).status_code == 403


def main() -> None:
    data(Path(sys.argv[1]) / "export")
    from ansim.sites.keeper import client as keys

    keeper = keys.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        lists()
        page = client("steward-a").get("/loads/").content.decode()
        assert "Rows deleted" in page
        assert 'enctype="multipart/form-data"' in page
        look([("loads", "steward-a", "/loads/"), ("patients", "steward-a", "/patients/")])
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
