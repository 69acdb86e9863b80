"""DICOM headers: only the listed leaves, under keyed values; pictures that may carry text are stopped."""

import pytest

from ansim.errors import Problem

pydicom = pytest.importorskip("pydicom")
from pydicom import Dataset  # noqa: E402

from ansim.privacy.deid import dicom  # noqa: E402

SECRET = b"project secret of thirty-two byt"


def image(**changes) -> Dataset:
    made = Dataset()
    made.PatientName, made.PatientID = "김^하늘", "12345678"
    made.PatientBirthDate, made.PatientSex = "19800101", "F"
    made.OtherPatientIDs, made.InstitutionName = "800101-2345678", "Hospital A"
    made.ReferringPhysicianName = "이^바다"
    made.AccessionNumber, made.StudyDescription, made.PatientComments = "A1", "환자 김하늘 요청", "010-1234-5678"
    made.StudyDate, made.SeriesDate, made.StudyTime, made.Modality = "20240315", "20240316", "101500", "CT"
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID, made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    made.Rows, made.Columns, made.ImageType, made.BurnedInAnnotation = 2, 2, ["ORIGINAL", "PRIMARY"], "NO"
    made.BitsAllocated = 8
    made.add_new(0x7FE00010, "OW", b"\0" * 4)
    nested = Dataset()
    nested.PatientID = "12345678"
    made.ReferencedPatientSequence = [nested]
    block = made.private_block(0x0009, "MAKER", create=True)
    block.add_new(0x01, "LO", "김하늘")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_nothing_of_the_person_is_left():
    made = dicom.deidentify(image(), "f" * 32, 10, dicom.keyed_uid(SECRET))
    text = str(made)
    for secret in (
        "하늘",
        "12345678",
        "800101",
        "19800101",
        "바다",
        "Hospital",
        "010-1234",
        "A1",
        "1.2.3.",
        "20240315",
    ):
        assert secret not in text
        assert secret in str(image())  # it stood there before
    assert not any(element.tag.is_private for element in made)
    assert (made.PatientID, made.PatientSex, made.PatientIdentityRemoved) == ("f" * 32, "F", "YES")
    assert (made.StudyDate, made.SeriesDate, made.StudyTime) == ("20240325", "20240326", "101500")
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert made.PixelData == b"\0" * 4


def test_uids_agree_between_files_and_not_between_projects():
    one = dicom.deidentify(image(), "a", 1, dicom.keyed_uid(SECRET))
    two = dicom.deidentify(image(SOPInstanceUID="1.2.3.9"), "a", 1, dicom.keyed_uid(SECRET))
    other = dicom.deidentify(image(), "a", 1, dicom.keyed_uid(SECRET[::-1]))
    assert one.StudyInstanceUID == two.StudyInstanceUID != other.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert all(len(uid) <= 64 and uid.startswith("2.25.") for uid in (one.SOPInstanceUID, other.SeriesInstanceUID))
    assert one.SOPClassUID == image().SOPClassUID


@pytest.mark.parametrize(
    "changes",
    [
        {"BurnedInAnnotation": "YES"},
        {"BurnedInAnnotation": ""},
        {"Modality": "US"},
        {"ImageType": ["DERIVED", "SECONDARY"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "SCREEN SAVE"]},
    ],
)
def test_pictures_that_may_carry_text_wait_for_a_person(changes):
    assert dicom.burned_in(image()) == []
    with pytest.raises(Problem, match="may carry text"):
        dicom.deidentify(image(**changes), "a", 1, dicom.keyed_uid(SECRET))
    dicom.deidentify(image(**changes), "a", 1, dicom.keyed_uid(SECRET), looked_at=True)


def test_an_overlay_is_text_too():
    drawn = image()
    drawn.add_new(0x60003000, "OW", b"\1\1")
    assert dicom.burned_in(drawn) == ["an overlay"]
    made = dicom.deidentify(drawn, "a", 1, dicom.keyed_uid(SECRET), looked_at=True)
    assert 0x60003000 not in made
