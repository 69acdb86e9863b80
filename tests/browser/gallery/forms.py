"""Sample forms: every kind of control."""

from __future__ import annotations

from typing import Any

from django import forms

from ansim.sites.web import charts
from ansim.sites.web.forms import DayInput, Form
from gallery.words import both


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


class SignInForm(Form):
    name = forms.CharField()
    word = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = both("사용자 이름", "User name")[charts.language()]
        self.fields["word"].label = both("비밀번호", "Password")[charts.language()]
