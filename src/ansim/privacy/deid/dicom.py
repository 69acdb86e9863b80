"""DICOM headers: what leaves is a list, everything else is removed; images that may show a name are stopped.

PS3.15 Annex E removes or replaces hundreds of attributes by name. This is stricter: only attributes listed here are
kept, so private tags and attributes of later editions go too. Patient ID and UIDs are replaced by keyed values (the
same in all files of a project), dates move by the person's days (option "Retain Longitudinal Temporal Information With
Modified Dates", code 113107), times stay, sex stays ("Retain Patient Characteristics", 113108), the birth date goes.

Pixels are not cleaned. `burned_in` says why an image may carry text: it is then for a person to look at, and
`deidentify` refuses it. Needs the `dicom` extra (pydicom).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ansim.errors import N_, Problem

if TYPE_CHECKING:
    from pydicom import Dataset

METHOD = (("113100", "Basic Application Confidentiality Profile"),
          ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
          ("113108", "Retain Patient Characteristics Option"))  # fmt: skip
# Keywords of what the picture itself needs, and of how it was taken.
_WORDS = """
    SpecificCharacterSet ImageType SOPClassUID Modality PatientSex SliceThickness KVP SpacingBetweenSlices
    BodyPartExamined ScanningSequence SequenceVariant ScanOptions MRAcquisitionType RepetitionTime EchoTime
    InversionTime MagneticFieldStrength FlipAngle ExposureTime XRayTubeCurrent Exposure ConvolutionKernel
    PatientPosition SeriesNumber AcquisitionNumber InstanceNumber ImagePositionPatient ImageOrientationPatient
    SliceLocation Laterality ImageLaterality SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    NumberOfFrames Rows Columns PixelSpacing ImagerPixelSpacing BitsAllocated BitsStored HighBit
    PixelRepresentation SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue WindowCenter WindowWidth
    RescaleIntercept RescaleSlope RescaleType PixelData LossyImageCompression BurnedInAnnotation
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableData StudyTime SeriesTime AcquisitionTime ContentTime
"""
KEPT = frozenset(_WORDS.split())
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
# Photographs, screens, scans and pictures of sound: text stands in their pixels as a rule.
_TEXTUAL = frozenset({"US", "XC", "ES", "GM", "SM", "OP", "OT", "SC", "DOC", "SR", "ECG", "IVUS"})
_SCREENS = ("SECONDARY", "SCREEN SAVE", "DERIVED", "PASTED")


def burned_in(image: "Dataset") -> list[str]:
    """Why the pixels may carry text, empty where nothing speaks for it; the header's denial alone is not believed."""
    found = []
    if str(image.get("BurnedInAnnotation", "")).upper() != "NO":
        found.append("the header does not say that there is none")
    if str(image.get("Modality", "")).upper() in _TEXTUAL:
        found.append(f"modality {image.Modality}")
    kinds = [str(part).upper() for part in image.get("ImageType", None) or ()]
    found += [f"image type {part}" for part in _SCREENS if part in kinds]
    if any(0x6000 <= element.tag.group <= 0x60FF for element in image):
        found.append("an overlay")
    return found


def deidentify(
    image: "Dataset", token: str, shift: int, uid: Callable[[str], str], *, looked_at: bool = False
) -> "Dataset":
    """A new dataset with what may leave. uid: the keyed value of a UID (see `keyed_uid`).

    looked_at: a person has seen that the pixels carry no text; otherwise an image that may is a Problem.
    """
    import datetime as dt

    from pydicom import Dataset

    if "PixelData" in image and not looked_at and (reasons := burned_in(image)):
        raise Problem(
            "burned-in",
            N_("The picture may carry text in its pixels: {reasons}."),
            remedy=N_("Have a person look at it, and say so."),
            reasons=", ".join(reasons),
        )
    made = Dataset()
    for element in image:
        if element.keyword in KEPT and element.VR != "SQ":
            made.add(element)
        elif element.keyword in UIDS and element.value:
            setattr(made, element.keyword, uid(str(element.value)))
        elif element.keyword in DATES and element.value:
            day = dt.datetime.strptime(str(element.value)[:8], "%Y%m%d") + dt.timedelta(days=shift)
            setattr(made, element.keyword, day.strftime("%Y%m%d"))
    made.PatientID, made.PatientName = token, token
    made.PatientIdentityRemoved = "YES"
    made.LongitudinalTemporalInformationModified = "MODIFIED"
    made.DeidentificationMethodCodeSequence = [_code(value, meaning) for value, meaning in METHOD]
    return made


def keyed_uid(secret: bytes) -> Callable[[str], str]:
    """UIDs under 2.25 (a UUID as a number, PS3.5 B.2) from a keyed hash of the old: one-way, the same in each file."""
    from ansim.privacy.deid.keys import derive, macs

    key = derive(secret, "dicom-uid")
    known: dict[str, str] = {}

    def uid(old: str) -> str:
        if old not in known:
            known[old] = f"2.25.{int.from_bytes(macs(key, [old.encode()])[0][:16], 'big')}"
        return known[old]

    return uid


def _code(value: str, meaning: str) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
