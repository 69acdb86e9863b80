"""Clinical notes with known identifiers, for scoring the text detector. Everything is drawn; nobody is real.

Written before the detector and sharing nothing with it: its own surnames, syllables, templates, labels and decoys.
`note(rng)` gives (text, [(kind, start, end)]). Kinds: resident-number, phone, email, insurance-number, chart-number,
address, passport, name.
"""

import random

SURNAMES = ["김", "이", "박", "최", "정", "강", "조", "윤", "장", "임", "한", "오", "서", "신", "권", "황", "안", "송",
            "류", "홍", "고", "문", "양", "손", "배", "백", "허", "유", "남", "심", "노", "하", "곽", "성", "차", "주",
            "우", "구", "나", "민", "진", "지", "엄", "채", "원", "천", "방", "공", "현", "함", "변", "염", "여", "추",
            "도", "소", "석", "선", "설", "마", "길", "연", "위", "표", "명", "기", "반",
            "남궁", "황보", "제갈", "선우"]  # fmt: skip
FIRST = "민서지현수도예하준유시은재윤채성우건주태경동혜영선정승연진상미"
SECOND = "준윤우원진호현서연아은민지혁빈율인나영희수경철석훈람솔결"
ENGLISH = ["Minjun", "Seoyeon", "Jihoon", "Eunji", "Hyunwoo", "Sora", "Daeho", "Yuna", "Taemin", "Boram"]
ENGLISH_LAST = ["Kim", "Lee", "Park", "Choi", "Jung", "Kang", "Yoon", "Lim", "Han", "Shin"]
MASKS = "*xX●○#"
FILLER = [
    "고혈압과 당뇨로 외래 추적 중이며 최근 두통을 호소함.",
    "이상지질혈증으로 아토르바스타틴 20 mg 복용 중.",
    "흉부 방사선 정상, 심전도상 정상 동리듬.",
    "조영제 부작용 없음. 신기능 저하 소견으로 수액 조절함.",
    "BP 138/86 mmHg, HR 72회/분, BT 36.8도, SpO2 98%.",
    "WBC 8,450 /uL, Hb 13.2 g/dL, PLT 254,000, Cr 0.94.",
    "2024-03-15 시행한 복부 초음파에서 담석 의심, 2024.05.02 재검 예정.",
    "수술 후 3일째로 통증 조절되며 오심, 구토 없음.",
    "정기 검진에서 유방암 의심되어 조직검사 시행함.",
    "강직성 척추염 병력, 안정 시 통증은 없다고 함.",
    "임신 24주, 한약 복용력 없음, 주 2회 음주.",
    "하지 부종 관찰되어 이뇨제 증량, 황달 소견은 없음.",
    "Impression: essential hypertension, r/o hyperlipidemia. Plan: f/u 3 months.",
    "KCD I10, E78.5, EDI 코드 A1234567 검사 청구.",
    "환자 안정 취하도록 교육하였고 보호자 동의 받음.",
    "담당 교수 회진 시 상태 설명하였으며 전문 간호사 상담 의뢰함.",
    "심방세동으로 와파린 복용, INR 2.31, 혈압 130/80.",
    "문진상 특이 소견 없음. 주사 부위 발적 없음.",
    "도수치료 10회 시행, 연하 곤란은 없었음.",
    "검체 바코드 20240315001234, 수가 15,000원, 병동 7층 12호실.",
    "배변 양상 양호, 노인성 난청, 변비약 처방.",
    "Serum K 4.1 mmol/L, Na 138, Ca 9.2; eGFR 88 mL/min/1.73m2.",
]


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(n))


def resident(rng: random.Random) -> str:
    """Full, masked or partial, of citizens or foreigners, before and after 2020."""
    year, month, day = rng.randrange(100), rng.randrange(1, 13), rng.randrange(1, 29)
    front = f"{year:02}{month:02}{day:02}"
    sex = rng.choice("1234" * 3 + "5678")
    back = sex + _digits(rng, 6)
    if rng.random() < 0.5:  # an old-form number, with its check digit
        total = sum(int(d) * w for d, w in zip(front + back[:6], [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], strict=True))
        back = back[:6] + str((11 - total % 11 + (2 if sex in "5678" else 0)) % 10)
    mask = rng.choice(MASKS)
    return rng.choice(
        [
            f"{front}-{back}",
            f"{front}-{back}",
            f"{front} - {back}",
            f"{front} {back}",
            f"{front}{back}",
            f"{front}-{sex}{mask * 6}",
            f"{front}-{mask * 7}",
            f"{front}-{back[:4]}{mask * 3}",
            f"{front}{sex}{mask * 6}",
            f"{mask * 6}-{back}",
            f"{front}-{sex}",
            "".join(chr(ord(c) + 0xFEE0) for c in f"{front}-{back}"),
        ]
    )


def phone(rng: random.Random) -> str:
    a, b = _digits(rng, 4), _digits(rng, 4)
    area = rng.choice(["02", "031", "042", "051", "064", "070"])
    return rng.choice(
        [f"010-{a}-{b}", f"010{a}{b}", f"010 {a} {b}", f"010.{a}.{b}", f"+82-10-{a}-{b}", f"+82 10 {a} {b}",
         f"011-{a[:3]}-{b}", f"{area}-{a[:3]}-{b}", f"{area}) {a}-{b}",
         f"010-****-{b}", f"010-{a}-****", f"({area}){a}-{b}"]
    )  # fmt: skip


def insurance(rng: random.Random) -> tuple[str, str]:
    number = rng.choice([f"{rng.choice('123578')}{_digits(rng, 10)}", f"{rng.choice('123578')}-{_digits(rng, 10)}"])
    label = rng.choice(
        ["건강보험증 번호 ", "건보 증번호: ", "의료급여증번호 ", "보험증번호(", "건강보험번호는 ", "Insurance no. "]
    )
    return label, number


def chart(rng: random.Random) -> tuple[str, str]:
    number = rng.choice(
        [_digits(rng, 8), f"{_digits(rng, 7)}", f"{_digits(rng, 2)}-{_digits(rng, 6)}", f"A{_digits(rng, 7)}"]
    )
    label = rng.choice(
        [
            "등록번호 ",
            "차트번호: ",
            "병록번호=",
            "환자번호 ",
            "챠트 No. ",
            "MRN ",
            "Chart no: ",
            "Hosp. No. ",
            "Pt ID: ",
        ]
    )
    return label, number


def name(rng: random.Random) -> str:
    first = rng.choice(SURNAMES)
    return first + rng.choice(FIRST) + (rng.choice(SECOND) if len(first) == 2 or rng.random() < 0.94 else "")


def address(rng: random.Random) -> str:
    city = rng.choice(["서울특별시 마포구", "경기도 성남시 분당구", "부산광역시 해운대구", "전라북도 전주시 완산구", 
                       "서울 강서구",                       "충남 아산시", "강원도 홍천군 홍천읍"])  # fmt: skip
    street = rng.choice(["새싹로", "가온길", "푸른마을로12번길", "다솜대로", "한빛로3길"])
    tail = rng.choice([f" {rng.randrange(1, 300)}", f" {rng.randrange(1, 99)}-{rng.randrange(1, 20)}"])
    flat = rng.choice(["", f", {rng.randrange(101, 120)}동 {rng.randrange(101, 2500)}호"])
    return f"{city} {street}{tail}{flat}"


def _parts(rng: random.Random) -> list[tuple[str, str, str, str]]:
    """(kind, before, value, after) of one sentence that holds an identifier."""
    kind = rng.choice(["resident-number"] * 3 + ["phone"] * 2 + ["insurance-number", "chart-number",
                      "name", "name", "name",                      "email", "address", "passport"])  # fmt: skip
    if kind == "resident-number":
        before = rng.choice(
            ["주민번호 ", "주민등록번호: ", "(", "생년월일/성별 확인 ", "외국인등록번호 ", "RRN ", "신원 "]
        )
        return [(kind, before, resident(rng), rng.choice([" 확인함.", ").", " 으로 접수.", ", 본인 확인"]))]
    if kind == "phone":
        before = rng.choice(["연락처 ", "보호자 HP ", "Tel. ", "전화번호는 ", "핸드폰: ", "call "])
        return [(kind, before, phone(rng), rng.choice([" 로 연락함.", ".", " (자택)", "번"]))]
    if kind == "insurance-number":
        return [(kind, *insurance(rng), rng.choice([" 조회함.", ").", " 자격 확인"]))]
    if kind == "chart-number":
        return [(kind, *chart(rng), rng.choice([" 로 접수.", ".", " 기록 참조", ", 재진"]))]
    if kind == "email":
        return [(kind, "결과는 ", f"{rng.choice(ENGLISH).lower()}.{_digits(rng, 3)}@hospital-a.example.kr", "로 발송.")]
    if kind == "address":
        return [
            (kind, rng.choice(["주소: ", "거주지는 ", "자택 "]), address(rng), rng.choice([" 거주.", ".", " 에 독거"]))
        ]
    if kind == "passport":
        return [(kind, rng.choice(["여권번호 ", "Passport "]), rng.choice("MSR") + rng.choice([_digits(rng, 8),
                f"{_digits(rng, 3)}{rng.choice('ABCD')}{_digits(rng, 4)}"]), " 확인.")]  # fmt: skip
    if rng.random() < 0.2:
        last, given = rng.choice(ENGLISH_LAST), rng.choice(ENGLISH)
        return [
            rng.choice(
                [
                    ("name", "Patient name: ", f"{given} {last}", ", admitted."),
                    ("name", "Seen by Dr. ", f"{given} {last}", " today."),
                ]
            )
        ]
    who = name(rng)
    age = rng.randrange(1, 95)
    return [
        rng.choice(
            [
                ("name", "환자 ", who, f"({age}/M) 내원함."),
                ("name", "성명: ", who, f" / {age}세"),
                ("name", "환자명 ", who, ", 여자"),
                ("name", "", who, "님 보호자와 통화함."),
                ("name", "주치의 ", who, " 교수 상의함."),
                ("name", "보호자(아들) ", who, " 씨 동의."),
                ("name", "", who, f" (F/{age}) 입원."),
                ("name", "", who, " 간호사가 설명함."),
                ("name", "판독의: ", who, ""),
                ("name", "집도의 ", who, ", 마취 전신"),
                ("name", "배우자 ", who, "에게 설명함."),
            ]
        )
    ]


def note(rng: random.Random, length: int = 600) -> tuple[str, list[tuple[str, int, int]]]:
    """A note of about this many characters, one sentence in three with an identifier."""
    text, spans = "", []
    while len(text) < length:
        if rng.random() < 0.33:
            for kind, before, value, after in _parts(rng):
                start = len(text) + len(before)
                spans.append((kind, start, start + len(value)))
                text += before + value + after
        else:
            text += rng.choice(FILLER)
        text += rng.choice([" ", "\n", "\n- "])
    return text, spans
