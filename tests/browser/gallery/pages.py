"""Sample contexts: what pages of the sites look like, with invented cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ansim.errors import N_, Problem, Problems
from ansim.research.cohort.written import question
from ansim.sites.user.method_form import MethodForm
from ansim.sites.web.group_form import Events, GroupForm, Rules, document, rows_of
from ansim.sites.web.group_words import told
from ansim.sites.web.parts import (
    Action,
    Actor,
    Answer,
    Clock,
    Code,
    Column,
    Face,
    Fact,
    Link,
    Moment,
    NavItem,
    Progress,
    ProgressRow,
    Step,
    Suppressed,
    Table,
    Tag,
)
from gallery.dataset import dataset
from gallery.forms import ReviewForm, SignInForm
from gallery.words import both

KOREA = ZoneInfo("Asia/Seoul")


def at(month: int, day: int, hour: int = 9) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, 30, tzinfo=KOREA)


def face(request: HttpRequest) -> tuple[Face, Actor | None, list[NavItem]]:
    kinds = {
        "case": Face("hub", both("의료데이터 중개 포털", "Medical Data Portal"), demo=True),
        "dataset": Face("hub", both("의료데이터 중개 포털", "Medical Data Portal"), demo=True),
        "confirm": Face("centre", both("서울 의료데이터 안심활용센터", "Seoul Safe-Utilisation Centre"), demo=True),
        "checks": Face("user", both("새봄제약", "Saebom Pharma"), demo=True),
        "tables": Face("keyagency", both("결합키관리기관", "Key Management Agency"), demo=True),
    }
    site = kinds.get(
        request.path.strip("/"), Face("holder", both("한빛대학교병원", "Hanbit University Hospital"), demo=True)
    )
    if request.path in ("/sign-in/", "/"):
        return site, None, []
    actor = Actor(
        both("김서연", "Kim Seoyeon"),
        both("한빛대학교병원", "Hanbit University Hospital"),
        both("데이터 관리자", "Data steward"),
    )
    labels = [
        (both("데이터셋", "Datasets"), "dataset", 0),
        (both("이용 신청", "Applications"), "case", 2),
        (both("심의", "Board"), "form", 1),
        (both("반출 심사", "Output checks"), "tables", 0),
        (both("감사 원장", "Record ledger"), "history", 0),
    ]
    items = [NavItem(label, f"/{name}/", request.path == f"/{name}/", count) for label, name, count in labels]
    return site, actor, items


def index(request: HttpRequest) -> HttpResponse:
    links = [Link(name, f"/{name}/") for name in PAGES]
    table = Table(
        both("화면 목록", "All pages"),
        [Column(both("화면", "Page"))],
        [[link] for link in links],
    )
    return render(request, "gallery/tables.html", {"title": both("화면 모음", "Gallery"), "tables": [table]})


def show(request: HttpRequest, name: str) -> HttpResponse:
    if name not in PAGES:
        raise Http404
    template, make = PAGES[name]
    return render(request, template, make(request))


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the gallery's broken page")


def case(request: HttpRequest) -> dict[str, Any]:
    done, open_ = Tag(both("완료", "Done"), "success"), Tag(both("검토 중", "Under review"), "info")
    mend, no = Tag(both("보완 요청", "Changes asked"), "warning"), Tag(both("거절", "Refused"), "danger")
    return {
        "trail": [Link(both("이용 신청", "Applications"), "/case/")],
        "over": "2026-0142",
        "title": both(
            "바이러스 부비동염 이후 만성화에 대한 다기관 연구",
            "Chronic course after viral sinusitis: a study across hospitals",
        ),
        "lead": both("새봄제약 · 제2차 결합 연구", "Saebom Pharma · linkage study"),
        "answer": Answer(
            Tag(both("기관 검토 중", "With the hospitals"), "info"),
            both("한빛대학교병원 심의위원회", "Review board of Hanbit University Hospital"),
            at(11, 30, 18),
            text=both("네 기관 중 두 곳이 결정했습니다.", "Two of four hospitals have decided."),
            actions=[
                Action(both("보완 서류 올리기", "Add the papers asked for"), "#"),
                Action(both("신청 철회", "Withdraw"), "#", "quiet", "post", {"case": "142"}),
            ],
        ),
        "progress": Progress(
            both("기관별 진행 상황", "Progress at each hospital"),
            [
                both("접수", "Received"),
                both("사전 검토", "Pre-screen"),
                both("심의", "Board"),
                both("협약", "Agreement"),
            ],
            [
                ProgressRow(
                    both("한빛대학교병원", "Hanbit University Hospital"),
                    [Step(done, at(11, 2)), Step(done, at(11, 5)), Step(open_, at(11, 9), late=True), None],
                    "#",
                    both("심의위원장", "Chair of the board"),
                ),
                ProgressRow(
                    both("가람병원", "Garam Hospital"),
                    [Step(done, at(11, 2)), Step(mend, at(11, 6)), None, None],
                    "#",
                    both("새봄제약", "Saebom Pharma"),
                ),
                ProgressRow(
                    both("누리의료원", "Nuri Medical Centre"),
                    [Step(done, at(11, 3)), Step(done, at(11, 4)), Step(done, at(11, 18)), Step(open_, at(11, 20))],
                    "#",
                ),
                ProgressRow(
                    both("국민보험자료원", "National Claims Data Institute"),
                    [Step(done, at(11, 2)), Step(no, at(11, 12), note=both("범위 밖", "Out of scope")), None, None],
                    "#",
                ),
            ],
        ),
        "clocks": [
            Clock(both("사전 검토", "Pre-screen"), 3, 5, both("데이터 관리자", "Data steward")),
            Clock(both("심의", "Board"), 16.5, 14, both("심의위원회", "Review board")),
            Clock(both("협약 서명", "Signing the agreement"), 0, 10),
        ],
        "moments": [
            Moment(
                at(11, 18, 16),
                both("승인 (조건 1건)", "Approved with one condition"),
                both("누리의료원 심의위원회", "Board of Nuri Medical Centre"),
                both("결과표의 최소 인원은 20명입니다.", "Tables may show no fewer than 20 people."),
                "success",
            ),
            Moment(
                at(11, 12, 11),
                both("거절", "Refused"),
                both("국민보험자료원", "National Claims Data Institute"),
                tone="danger",
            ),
            Moment(
                at(11, 6, 14),
                both("보완 요청", "Changes asked"),
                both("가람병원", "Garam Hospital"),
                both("연구계획서 3쪽에 보관 기간이 없습니다.", "Page 3 of the protocol names no retention period."),
                "warning",
            ),
            Moment(
                at(11, 2),
                both("신청 접수", "Application received"),
                both("새봄제약 박도윤", "Park Doyun, Saebom Pharma"),
            ),
        ],
        "facts": [
            Fact(both("연구 분야", "Area of research"), both("호흡기 질환", "Respiratory disease")),
            Fact(both("기간", "Period"), [dt.date(2010, 1, 1), dt.date(2019, 12, 31)]),
            Fact(
                both("코호트 문서", "Query document"),
                Code("9f2c4ab07d1e5568a3b0c9e7f1224d9c0be5f7aa6e0d11c2c8a3ffb0a9d44e10", 16),
            ),
            Fact(both("폐쇄 분석환경", "Secure workspace"), None),
        ],
    }


def tables(request: HttpRequest) -> dict[str, Any]:
    count = Table(
        both("연령대와 성별 인원", "People by age band and sex"),
        [
            Column(both("연령대", "Age band")),
            Column(both("여성", "Women"), both("명", "n"), True),
            Column(both("남성", "Men"), both("명", "n"), True),
            Column(both("평균 체온", "Mean temperature"), "°C", True),
        ],
        [
            ["18-39", 1240, 1105, 36.9],
            ["40-64", 2310, 2275, 36.75],
            ["65-79", 410, Suppressed(), 36.612],
            ["80-89", Suppressed(), Suppressed(), None],
        ],
        note=both("10단위로 반올림했습니다.", "Rounded to tens."),
    )
    mixed = Table(
        both("반출 심사 목록", "Output checks"),
        [
            Column(both("파일", "File")),
            Column(both("상태", "State")),
            Column(both("받은 시각", "Received")),
            Column(both("해시", "Hash")),
            Column(both("다음", "Next")),
        ],
        [
            [
                Link("table1.csv", "#"),
                Tag(both("자동 점검 통과", "Passed the machine"), "success"),
                at(11, 20),
                Code("ab12" * 16, 12),
                Action(both("심사 시작", "Start the check"), "#", "secondary"),
            ],
            [
                Link("figure2.png", "#"),
                Tag(both("사람 심사 필요", "Needs people"), "warning"),
                at(11, 21),
                Code("cd34" * 16, 12),
                Action(both("심사 시작", "Start the check"), "#", "secondary"),
            ],
        ],
    )
    return {
        "title": both("결과물 점검", "Output check"),
        "tables": [count, mixed, Table(both("보류 파일", "Files on hold"), [Column(both("파일", "File"))], [])],
        "page": Paginator(range(200), 10).page(7),
        "notices": [
            (tone, both("신청이 누리의료원에 전달되었습니다.", "The application has reached Nuri Medical Centre."))
            for tone in ("info", "success", "warning", "danger")
        ],
    }  # fmt: skip


def form(request: HttpRequest) -> dict[str, Any]:
    return {
        "title": both("연구의 목적과 범위", "Purpose and scope of the study"),
        "step": 2,
        "steps": 5,
        "form": ReviewForm(),
        "back": "/",
    }


def wrong(request: HttpRequest) -> dict[str, Any]:
    data = {"title": "", "people": "3", "until": "2026-02-31"}
    return {**form(request), "form": ReviewForm(data)}


def group(request: HttpRequest) -> dict[str, Any]:
    """A patient group put together from fields, with what it means."""
    rows = {"events-TOTAL_FORMS": "1", "events-INITIAL_FORMS": "0",
            "rules-TOTAL_FORMS": "2", "rules-INITIAL_FORMS": "0",
            "title": "New users of an NSAID", "before": "365", "after": "0", "entry_limit": "first", "combine": "all",
            "age_from": "18", "end": "drug", "end_concepts": "1118084", "end_days": "30",
            "events-0-event": "drug_exposure", "events-0-concepts": "1118084, 1177480", "events-0-descendants": "on",
            "rules-0-need": "not", "rules-0-event": "drug_exposure", "rules-0-concepts": "1118084",
            "rules-0-from_days": "-365", "rules-0-to_days": "-1", "rules-0-name": "No exposure in the year before",
            "rules-1-need": "has", "rules-1-event": "visit_occurrence", "rules-1-times": "2"}  # fmt: skip
    forms = GroupForm(rows), Events(rows, prefix="events"), Rules(rows, prefix="rules")
    assert all([one.is_valid() for one in forms])
    made = question(document(forms[0].cleaned_data, rows_of(forms[1]), rows_of(forms[2]))).document()
    return {
        "title": both("환자군 만들기", "Put together a patient group"),
        "form": forms[0], "events": forms[1], "rules": forms[2], "made": made, "back": "/", **told(made),
    }  # fmt: skip


def method(request: HttpRequest) -> dict[str, Any]:
    """A federated method's specification as fields."""
    variables = [
        {"name": "sex", "kind": "sex"}, {"name": "age", "kind": "age"},
        {"name": "days", "kind": "follow_up"}, {"name": "died", "kind": "reached"},
    ]  # fmt: skip
    asked = MethodForm(initial={"area": "respiratory"}, method="cox", query={"variables": variables})
    return {"title": both("콕스 회귀", "Cox regression"), "form": asked, "back": "/"}


def checks(request: HttpRequest) -> dict[str, Any]:
    return {
        "title": both("보내기 전에 확인하세요", "Check your answers before you send"),
        "sections": [
            (
                both("연구", "The study"),
                [
                    Fact(
                        both("연구 제목", "Title"),
                        both("바이러스 부비동염 이후 만성화", "Chronic course after viral sinusitis"),
                        "#",
                    ),
                    Fact(
                        both("이용 목적", "Purpose"),
                        both(
                            "항생제 처방이 만성화를 줄이는지 알아봅니다.",
                            "To learn whether antibiotics make a chronic course rarer.",
                        ),
                        "#",
                    ),
                    Fact(both("최대 인원", "At most"), 12500, "#", both("명", "people")),
                ],
            ),
            (both("참여자", "People"), [Fact(both("서명자", "Signer"), both("박도윤", "Park Doyun"), "#")]),
        ],
        "declaration": both(
            "이 내용이 사실임을 확인하고 기관의 키로 서명합니다.",
            "I confirm that this is true and sign it with our organisation's key.",
        ),
    }


def confirm(request: HttpRequest) -> dict[str, Any]:
    return {
        "title": both("파일 3개를 반출합니다", "Release three files"),
        "effect": [
            both(
                "table1.csv 외 2개가 새봄제약으로 나갑니다. 되돌릴 수 없습니다.",
                "table1.csv and two more leave for Saebom Pharma. This cannot be undone.",
            ),
            both("활용 공개대장에 기록이 올라갑니다.", "The public register will show the release."),
        ],
        "submit_label": both("반출하기", "Release"),
        "back": "/",
    }


def history(request: HttpRequest) -> dict[str, Any]:
    problem = Problems(
        [
            Problem(
                "wrong-kind",
                N_("This is a document of kind {found}, but {expected} is needed."),
                found="query/0",
                expected="query/1",
                where="ansim",
            ),
            Problem("not-canonical", N_("The document cannot be written as canonical JSON: {detail}."), detail="NaN"),
        ]
    )
    return {
        "title": both("감사 원장", "Record ledger"),
        "problem": problem,
        "empty": (
            both("아직 받은 신청이 없습니다", "No application yet"),
            both(
                "연구자가 이 병원의 데이터를 신청하면 여기에 나타나고, 기한이 함께 표시됩니다.",
                "When a researcher applies for data of this hospital, the application stands here with its clock.",
            ),
        ),
        "empty_action": Action(both("데이터셋 공개하기", "Publish a dataset"), "#"),
    }


def hostile(request: HttpRequest) -> dict[str, Any]:
    """Texts that somebody typed in order to run code in a reviewer's browser."""
    bad = "<script>alert(1)</script>"
    return {
        "title": bad,
        "answer": Answer(Tag(bad), bad, text=bad),
        "progress": Progress(bad, [bad], [ProgressRow(bad, [Step(Tag(bad), note=bad)])]),
        "clocks": [Clock(bad, 1, 2, bad)],
        "moments": [Moment(at(11, 2), bad, bad, bad)],
        "facts": [Fact(bad, [bad, Link(bad, "#"), Code(bad), Code(bad, 10)])],
    }


def sign_in(request: HttpRequest) -> dict[str, Any]:
    return {"form": SignInForm(), "next": "/case/"}


def step_up(request: HttpRequest) -> dict[str, Any]:
    return {"form": SignInForm(), "act": both("가명처리 적정성 결정에 서명", "Sign the adequacy decision"), "back": "/"}


PAGES: dict[str, tuple[str, Callable[[HttpRequest], dict[str, Any]]]] = {
    "case": ("gallery/case.html", case),
    "dataset": ("gallery/dataset.html", dataset),
    "tables": ("gallery/tables.html", tables),
    "form": ("web/form.html", form),
    "group": ("web/group.html", group),
    "method": ("web/form.html", method),
    "wrong": ("web/form.html", wrong),
    "checks": ("web/check.html", checks),
    "confirm": ("web/confirm.html", confirm),
    "history": ("gallery/history.html", history),
    "hostile": ("gallery/case.html", hostile),
    "sign-in": ("web/sign_in.html", sign_in),
    "step-up": ("web/step_up.html", step_up),
}
