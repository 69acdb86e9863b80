"""The three-party linkage on generated people: how well it joins, and what each party gets to see."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.privacy.deid import keys as deid_keys
from ansim.privacy.linkage import join, keys, match, normalise, score

sys.path.insert(0, str(Path(__file__).parent))
import linkage_world as world


def serial(name: str) -> str:
    """A token-shaped serial for a short name."""
    return name.encode().hex().zfill(32)


SALT, LEFT, RIGHT = b"s" * 32, b"l" * 32, b"r" * 32


def sent(register: list[dict], secret: bytes, salt: bytes = SALT) -> list[dict]:
    """What an institution sends to the key agency."""
    serials = deid_keys.serials(secret, [row["person_id"] for row in register])
    return keys.match_keys(salt, [{**row, "serial": s} for row, s in zip(register, serials, strict=True)])


def known(register: list[dict], secret: bytes) -> dict[str, int]:
    ids = [row["person_id"] for row in register]
    return dict(zip(deid_keys.serials(secret, ids), ids, strict=True))


def linked(noise: float, people: int = 4000) -> tuple[dict, dict]:
    left, right, truth = world.registers(people, 0.5, noise)
    found = match.pairs(sent(left, LEFT), sent(right, RIGHT))
    one, other = known(left, LEFT), known(right, RIGHT)
    return score.score([(one[a], other[b]) for a, b in found["pairs"]], truth), found


def test_clean_registers_join_nearly_whole():
    quality, found = linked(0.0)
    assert quality["f1"] >= 0.999
    assert found["match_rate_permille"] == round(1000 * found["matched"] / min(found["left"], found["right"]))


def test_three_percent_noise_costs_little_and_never_precision(record_property):
    quality, found = linked(0.03)
    record_property("f1", quality["f1"])
    assert quality["f1"] >= 0.98
    assert quality["precision"] >= 0.998
    assert sum(found["by_kind"].values()) == found["matched"]
    single = match.pairs(*([{**row, "keys": {k: v for k, v in row["keys"].items() if k == keys.KINDS[0].name}}
                            for row in side] for side in _sides(0.03)))  # fmt: skip
    assert single["matched"] < found["matched"] * 0.95  # several keys are what recovers the typing errors


def _sides(noise: float) -> tuple[list[dict], list[dict]]:
    left, right, _ = world.registers(4000, 0.5, noise)
    return sent(left, LEFT), sent(right, RIGHT)


def test_the_key_agency_sees_neither_names_nor_ids_nor_payload():
    left, _, _ = world.registers(300, 0.5, 0.0)
    text = json.dumps(sent(left, LEFT), ensure_ascii=False)
    for row in left:
        for value in (row["name"], row["phone"], row["birth_date"], row["resident_number"]):
            assert value not in text
    assert {frozenset(row) for row in json.loads(text)} == {frozenset({"serial", "keys"})}
    pseudonyms = deid_keys.pseudonyms(LEFT, [row["person_id"] for row in left])
    assert not any(token in text for token in pseudonyms)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"serial": "1", "keys": {}, "name": "홍길동"}, "more-than-keys"),
        ({"serial": "1", "keys": {"resident_number": "0" * 32}}, "more-than-keys"),
        ({"serial": "1", "keys": {"name-birth-sex": "홍길동"}}, "not-a-token"),
        ({"serial": None, "keys": {}}, "serial-twice"),
    ],
)
def test_the_key_agency_takes_nothing_else(row, code):
    with pytest.raises(Problem) as caught:
        match.pairs([row], [])
    assert caught.value.code == code


def test_different_projects_never_join():
    left, right, _ = world.registers(500, 1.0, 0.0)
    assert match.pairs(sent(left, LEFT), sent(right, RIGHT, b"t" * 32))["matched"] == 0
    assert match.pairs(sent(left, LEFT), sent(right, RIGHT))["matched"] > 490  # positive control


tokens = st.dictionaries(st.sampled_from([kind.name for kind in keys.KINDS]), st.sampled_from("abc"), max_size=4)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(tokens, max_size=8), st.lists(tokens, max_size=8))
def test_pairs_are_one_to_one_share_a_key_and_do_not_hang_on_order(left, right):
    a, b = (
        [{"serial": serial(f"{side}{i}"), "keys": {k: v * 32 for k, v in row.items()}} for i, row in enumerate(rows)]
        for side, rows in (("l", left), ("r", right))
    )
    found = match.pairs(a, b)
    pairs = found["pairs"]
    assert len({x for x, _ in pairs}) == len({y for _, y in pairs}) == len(pairs)
    by_serial = {row["serial"]: row["keys"] for row in a + b}
    for x, y in pairs:
        assert by_serial[x].items() & by_serial[y].items()
    assert match.pairs(a[::-1], b[::-1]) == found
    assert [pair[::-1] for pair in sorted(match.pairs(b, a)["pairs"], key=lambda pair: pair[1])] == pairs


def test_ambiguous_keys_are_dropped_and_counted():
    def row(name, value):
        return {"serial": serial(name), "keys": {"name-birth-sex": value * 32}}

    found = match.pairs([row("1", "a"), row("2", "a"), row("3", "b")], [row("4", "a"), row("5", "b")])
    assert found["pairs"] == [[serial("3"), serial("5")]]
    assert found["ambiguous"]["name-birth-sex"] == 1


def test_three_institutions_form_groups_and_contradictions_are_dropped():
    def row(name, **kinds):
        return {"serial": serial(name), "keys": {k.replace("_", "-"): value * 32 for k, value in kinds.items()}}

    found = match.groups(
        {
            "a": [row("a1", name_birth_sex="1"), row("a2", name_birth_sex="2"), row("a3", birth_sex_phone="3")],
            "b": [row("b1", name_birth_sex="1"), row("b2", name_birth_sex="2", name_sex_phone="5")],
            "c": [row("c1", name_birth_sex="1"), row("c2", name_sex_phone="5", birth_sex_phone="3")],
        }
    )
    assert {"a": serial("a1"), "b": serial("b1"), "c": serial("c1")} in found["groups"]
    assert found["contradictions"] == 1  # a2 = b2 = c2 = a3 would make a2 and a3 one person


def test_the_linker_gives_new_tokens_and_keeps_no_serial():
    serials = {
        "a": [{"serial": "s1", "pseudonym": "p1"}, {"serial": "s2", "pseudonym": "p2"}],
        "b": [{"serial": "t1", "pseudonym": "q1"}],
    }
    groups = join.pairs_as_groups("a", "b", [["s1", "t1"]])
    found = join.linked_ids(groups, serials)
    assert found.column_names == ["institution", "person_id", "linked_id"]
    one, other = found.to_pylist()
    assert one["linked_id"] == other["linked_id"] not in {"p1", "q1", "s1", "t1"}
    assert "s1" not in str(found.to_pylist())
    assert len(set(join.linked_ids(groups, serials, only_linked=False).column("linked_id").to_pylist())) == 2
    assert join.linked_ids([], serials).num_rows == 0
    for wrong in ([{"a": "s9", "b": "t1"}], [{"a": "s1"}, {"a": "s1"}]):
        with pytest.raises(Problem) as caught:
            join.linked_ids(wrong, serials)
        assert caught.value.code == "unknown-serial"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("홍길동", "홍길동"), ("\u1112\u1169\u11bc길동", "홍길동"), ("홍 길동 님", "홍길동"),
        ("홍길동환자님", "홍길동"),
        ("남궁민수 씨", "남궁민수"), ("홍길동(보호자)", "홍길동"), ("김양", "김양"), ("이군", "이군"),
        ("Kim, Min-su", "KIMMINSU"), ("ＫＩＭ", "KIM"), ("", None), (None, None), ("홍", None),
    ],
)  # fmt: skip
def test_names(text, plain):
    assert normalise.name(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("010-1234-5678", "01012345678"), ("+82 10-1234-5678", "01012345678"), ("+82-010-1234-5678", "01012345678"),
        ("1012345678", "01012345678"), ("02-123-4567", "021234567"), ("000-0000-0000", None), ("12", None),
    ],
)  # fmt: skip
def test_phones(text, plain):
    assert normalise.phone(text) == plain


@pytest.mark.parametrize("text", ["19800301", "1980.3.1", "1980년 3월 1일", "1980-03-01 00:00:00", "1980/03/01"])
def test_dates(text):
    assert normalise.date(text) == "1980-03-01"
    assert normalise.date("1980-02-30") is None


def test_single_items_and_resident_numbers_are_no_keys():
    for items in (["resident_number", "name"], ["name"]):
        with pytest.raises(Problem) as caught:
            keys.agreed([{"name": "k", "items": items}])
        assert caught.value.code == "key-item"
    assert keys.agreed([{"name": "k", "items": ["name", "phone"]}])[0].rank == 1


def test_scores():
    assert score.score([(1, 2), (3, 4)], [(1, 2), (5, 6), (7, 8), (9, 9)]) == {
        "precision": 0.5, "recall": 0.25, "f1": pytest.approx(1 / 3), "true": 1, "false": 1, "missed": 3,
    }  # fmt: skip
    assert score.score([], [])["f1"] == 0.0


def test_the_map_is_typed_even_when_empty():
    assert join.linked_ids([], {}).schema.types == [pa.string()] * 3
