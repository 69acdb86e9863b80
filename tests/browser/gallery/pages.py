# ruff: noqa: E501  (pairs of texts read best side by side)
"""Sample contexts: what pages of the sites look like, with invented cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ansim.errors import N_, Problem, Problems
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.forms import DayInput, Form
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

KOREA = ZoneInfo("Asia/Seoul")


def at(month: int, day: int, hour: int = 9) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, 30, tzinfo=KOREA)


def both(ko: str, en: str) -> dict[str, str]:
    return {"ko": ko, "en": en}


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


def dataset(request: HttpRequest) -> dict[str, Any]:
    years = [
        (2010, 412),
        (2011, 455),
        (2012, 508),
        (2013, 530),
        (2014, None),
        (2015, 601),
        (2016, 640),
        (2017, 722),
        (2018, 745),
        (2019, 802),
    ]
    bands = [
        ("0-9", 120, 131),
        ("10-19", 210, 190),
        ("20-29", 402, 355),
        ("30-39", 510, 470),
        ("40-49", 610, 580),
        ("50-59", 590, 602),
        ("60-69", 420, 398),
        ("70-79", 205, 150),
        ("80+", 60, None),
    ]
    gaps = [
        (both("체온", "Temperature")[charts.language()], 0.42),
        ("HbA1c", 0.183),
        (both("흡연", "Smoking")[charts.language()], 0.071),
        (both("성별", "Sex")[charts.language()], 0.0),
    ]
    steps = [
        (both("전체 인원", "All people"), 2694),
        (both("부비동염 진단", "Diagnosis of sinusitis"), 1204),
        (both("18-89세", "Aged 18 to 89"), 980),
        (both("과거력 없음", "No earlier episode"), 611),
    ]
    hidden = lambda n: Suppressed() if n is None else n  # noqa: E731
    year_table = Table(
        both("연도별 인원", "People by year"),
        [Column(both("연도", "Year")), Column(both("인원", "People"), both("명", "n"), True)],
        [[str(y), hidden(n)] for y, n in years],
    )
    return {
        "title": both("누리의료원 호흡기 진료 데이터셋", "Respiratory care, Nuri Medical Centre"),
        "lead": both("OMOP CDM 5.4 · 2010-2019년 · 2,694명", "OMOP CDM 5.4 · 2010 to 2019 · 2,694 people"),
        "figures": [
            figure(charts.people_by_year(both("진료 인원은 10년 사이 거의 두 배가 되었습니다", "People seen almost doubled in ten years"), years), year_table),
            figure(charts.age_and_sex(both("환자의 절반은 30-59세입니다", "Half of the patients are 30 to 59 years old"), bands)),
            figure(charts.missingness(both("체온은 열 명 중 네 명에게 없습니다", "Temperature is missing for four in ten people"), gaps)),
            figure(charts.attrition(both("조건을 모두 채우면 611명이 남습니다", "All criteria leave 611 people"), steps)),
            figure(charts.stage_days(both("심의가 기한을 이틀 넘겼습니다", "The board is two days late"), [(both("사전 검토", "Pre-screen"), 3, 5), (both("심의", "Board"), 16, 14), (both("협약", "Agreement"), 2, 10)])),
            figure(charts.class_sizes(both("12명은 k = 5보다 작은 집단에 있습니다", "12 people are in classes below k = 5"), [("1-4", 12), ("5-9", 80), ("10-19", 240), ("20-49", 610), ("50+", 1800)], k=5)),
            figure(charts.forest(both("항생제는 만성화와 뚜렷한 관련이 없습니다", "Antibiotics show no clear relation to a chronic course"), [(both("항생제", "Antibiotics"), 0.94, 0.78, 1.13), (both("나이 (10년)", "Age (10 years)"), 1.21, 1.09, 1.34), (both("여성", "Women"), 1.02, 0.85, 1.22)], measure=both("오즈비 (95% 신뢰구간)", "Odds ratio (95% confidence interval)"))),
        ],
    }  # fmt: skip


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


class ReviewForm(Form):
    title = forms.CharField(help_text="")
    purpose = forms.CharField(widget=forms.Textarea)
    area = forms.ChoiceField(choices=[("", "")], widget=forms.RadioSelect)
    people = forms.IntegerField(min_value=10)
    until = forms.DateField(widget=DayInput)
    modes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    holder = forms.ChoiceField()
    protocol = forms.FileField(required=False)
    agree = forms.BooleanField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = {
            "title": (
                both("연구 제목", "Title of the study"),
                both(
                    "심의위원이 목록에서 보게 될 짧은 이름입니다.",
                    "A short name that reviewers will see in their list.",
                ),
            ),
            "purpose": (
                both("이용 목적", "Purpose"),
                both(
                    "무엇을 알고자 하며, 누구에게 이로운지 쉬운 말로 적어 주세요.",
                    "Say in plain words what you want to learn and who gains from it.",
                ),
            ),
            "area": (both("연구 분야", "Area of research"), both("하나만 고르세요.", "Choose one.")),
            "people": (both("예상 인원", "Expected number of people"), both("10명 이상이어야 합니다.", "10 or more.")),
            "until": (both("이용 종료일", "Last day of use"), None),
            "modes": (
                both("분석 방식", "Ways of analysis"),
                both("필요한 것을 모두 고르세요.", "Choose all that you need."),
            ),
            "holder": (both("데이터 보유기관", "Hospital or public body"), None),
            "protocol": (both("연구계획서", "Protocol"), both("PDF, 16 MB까지.", "PDF, up to 16 MB.")),
            "agree": (both("재식별을 시도하지 않겠습니다.", "I will not try to re-identify anybody."), None),
        }
        for name, (label, hint) in words.items():
            self.fields[name].label = label[charts.language()]
            self.fields[name].help_text = hint[charts.language()] if hint else ""
        pick = lambda *pairs: [(key, both(ko, en)[charts.language()]) for key, ko, en in pairs]  # noqa: E731
        self.fields["area"].choices = pick(("resp", "호흡기 질환", "Respiratory disease"), ("onc", "암", "Cancer"))
        self.fields["modes"].choices = pick(
            ("fed", "연합 분석", "Federated"), ("centre", "안심활용센터", "In the centre")
        )
        self.fields["holder"].choices = pick(
            ("a", "한빛대학교병원", "Hanbit University Hospital"), ("b", "가람병원", "Garam Hospital")
        )


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


class SignInForm(Form):
    name = forms.CharField()
    word = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = both("사용자 이름", "User name")[charts.language()]
        self.fields["word"].label = both("비밀번호", "Password")[charts.language()]


def sign_in(request: HttpRequest) -> dict[str, Any]:
    return {"form": SignInForm(), "next": "/case/"}


def step_up(request: HttpRequest) -> dict[str, Any]:
    return {"form": SignInForm(), "act": both("가명처리 적정성 결정에 서명", "Sign the adequacy decision"), "back": "/"}


PAGES: dict[str, tuple[str, Callable[[HttpRequest], dict[str, Any]]]] = {
    "case": ("gallery/case.html", case),
    "dataset": ("gallery/dataset.html", dataset),
    "tables": ("gallery/tables.html", tables),
    "form": ("web/form.html", form),
    "wrong": ("web/form.html", wrong),
    "checks": ("web/check.html", checks),
    "confirm": ("web/confirm.html", confirm),
    "history": ("gallery/history.html", history),
    "hostile": ("gallery/case.html", hostile),
    "sign-in": ("web/sign_in.html", sign_in),
    "step-up": ("web/step_up.html", step_up),
}
