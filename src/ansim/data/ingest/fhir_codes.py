"""What FHIR R4 and the OMOP CDM call the same thing: code systems, sexes, encounter classes.

Sources: HL7 FHIR R4 (hl7.org/fhir/R4: terminologies-systems, valueset-administrative-gender) and HL7 v3 ActCode for
encounter classes; concept ids are those of the OMOP vocabularies Gender and Visit.
"""

from ansim.data.ingest.mapping import built_in

# Addresses of code systems and the vocabulary_id of each, as the mapping for reading FHIR has them.
VOCABULARIES = {
    system: name for system, name in built_in("fhir_r4").vocabularies.items() if system.startswith(("http:", "https:"))
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
