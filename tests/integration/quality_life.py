"""A steward describes the data, mends them and describes them again: the quality report over two versions."""

import sys
from pathlib import Path

import back_rooms
from back_rooms import World, work

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "data" / "quality"))
import hospital

HERE = World(Path(sys.argv[1]), "hospital-a")
MEND = "UPDATE drug_exposure SET quantity = 1"


def version(*statements: str) -> None:
    """A new version of the data, in one step as a load publishes it."""
    from ansim.data.cdm import building_cdm

    with hospital.hospital(4, people=150) as made, building_cdm(HERE.folder / "cdm.duckdb") as con:
        for (table,) in made.execute("SELECT table_name FROM duckdb_tables() WHERE estimated_size > 0").fetchall():
            con.register("given", made.sql(f"SELECT * FROM {table}").to_arrow_table())
            con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM given")
            con.unregister("given")
        for statement in statements:
            con.execute(statement)


def client(username: str, language: str):
    from django.contrib.auth import get_user_model
    from django.test import Client

    found = Client(headers={"accept-language": language}, SERVER_NAME="127.0.0.1")
    found.force_login(get_user_model().objects.get(username=username))
    return found


def person(role: str) -> str:
    from django.contrib.auth import get_user_model

    from ansim.sites import people

    return next(user.username for user in get_user_model().objects.all() if role in people.roles(user))


def main() -> None:
    version("UPDATE drug_exposure SET quantity = -1", "UPDATE observation SET person_id = person_id + 90000")
    from ansim.sites.keeper import client as keys

    keeper = keys.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        post = back_rooms.Post()
        from ansim.sites.holder import datasets

        steward, auditor = person("steward"), person("auditor")
        data = client(steward, "en").get("/quality/", headers={"accept": "application/json"}).json()
        assert data == {"broken": []}
        datasets.publish(steward)
        work()
        first = client(steward, "en").get("/quality/", headers={"accept": "application/json"}).json()
        orphans = "field_isforeignkey_observation_person_id"
        assert first["broken"][0]["check"] == orphans, first["broken"][0]
        pages(steward, auditor, orphans)
        [(_, told, _)] = post.take("dataset.publish")
        published = str(told["description"])
        assert "isForeignKey" in published
        assert "violated" not in published
        assert "portrait" not in published

        version(MEND, "DELETE FROM condition_occurrence WHERE person_id % 3 = 0")
        datasets.publish(steward)
        work()
        second = client(steward, "en").get("/quality/", headers={"accept": "application/json"}).json()
        assert orphans not in {one["check"] for one in second["broken"]}
        assert {("lost", "condition_occurrence")} <= {(one["kind"], one["table"]) for one in second["findings"]}
        assert [one["broken"] for one in second["history"]] == [len(first["broken"]), len(second["broken"])]
        for language in ("ko", "en"):
            assert client(steward, language).get("/quality/").status_code == 200
        if len(sys.argv) > 2:  # to look at
            Path(sys.argv[2], "report.pdf").write_bytes(client(steward, "ko").get("/quality/report.pdf").content)
            for language in ("ko", "en"):
                Path(sys.argv[2], f"quality.{language}.html").write_bytes(
                    client(steward, language).get("/quality/").content
                )
    finally:
        keeper.stdin.close()
        keeper.wait(5)


def pages(steward: str, auditor: str, broken: str) -> None:
    """Both languages; examples for the steward only; the files for those who may have them."""
    for language, word in (("ko", "나쁜 것부터"), ("en", "Worst first")):
        text = client(steward, language).get("/quality/").content.decode()
        assert word in text
        assert f"/quality/{broken}/" in text
    one = client(steward, "en").get(f"/quality/{broken}/").content.decode()
    assert "References point to something" in one
    assert "90001" in one, "the steward sees rows"
    assert "90001" not in client(auditor, "en").get(f"/quality/{broken}/").content.decode()
    assert client(steward, "en").get("/quality/no_such_check/").status_code == 404
    assert client(steward, "en").get("/quality/report.pdf").content.startswith(b"%PDF")
    rows = client(steward, "en").get("/quality/dqd.json").json()["CheckResults"]
    assert next(row for row in rows if row["checkId"] == broken)["failed"] == 1


main()
