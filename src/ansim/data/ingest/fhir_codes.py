"""What FHIR R4 and the OMOP CDM call the same thing: code systems, sexes, encounter classes.

Sources: HL7 FHIR R4 (hl7.org/fhir/R4: terminologies-systems, valueset-administrative-gender) and HL7 v3 ActCode for
encounter classes; concept ids are those of the OMOP vocabularies Gender and Visit.
"""

VOCABULARIES = {
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://loinc.org": "LOINC",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://hl7.org/fhir/sid/icd-10": "ICD10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
    "http://www.ama-assn.org/go/cpt": "CPT4",
    "http://www.whocc.no/atc": "ATC",
    "http://unitsofmeasure.org": "UCUM",
    "https://dmd.nhs.uk": "dm+d",
    "https://bluebutton.cms.gov/resources/codesystem/hcpcs": "HCPCS",
}
# The sender's own codes, which no vocabulary here knows: kept as source value, mapped to concept 0.
LOCAL_SYSTEM = "urn:ansim:source-code"
SEXES = {"male": 8507, "female": 8532}
VISITS = {"AMB": 9202, "EMER": 9203, "IMP": 9201, "ACUTE": 9201, "NONAC": 9201, "HH": 581476}
EHR = 32817  # type concept: the record comes from an EHR


def as_rows(mapping: dict[str, str] | dict[str, int]) -> str:
    """The mapping as a VALUES list for SQL, in its own order."""

    def text(value: str | int) -> str:
        return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

    return "VALUES " + ", ".join(f"({text(left)}, {text(right)})" for left, right in mapping.items())
