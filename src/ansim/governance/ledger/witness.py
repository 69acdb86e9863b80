"""What a witness asks before it cosigns another site's checkpoint (c2sp.org/tlog-witness, add-checkpoint).

Pure: the caller keeps the last head it cosigned, and must compare and replace it in one transaction, or two requests at
once could roll it back.
"""

from collections.abc import Iterable, Sequence

from ansim.errors import N_, Problem
from ansim.governance.ledger.checkpoint import BadNote, Checkpoint, open_checkpoint
from ansim.governance.ledger.tree import EMPTY_ROOT, verify_consistency


def admit(
    known: tuple[int, bytes] | None,
    note: str,
    *,
    old: int,
    proof: Sequence[bytes],
    origin: str,
    public_keys: Iterable[bytes],
) -> Checkpoint:
    """The new checkpoint, if it may be cosigned.

    known: (size, root) of the last head cosigned for this origin, None for the first time. note: the signed checkpoint.
    old: the size from which the sender's proof starts. proof: consistency proof from old to the new size.
    Raises Problem: ledger-unsigned, ledger-stale (its fact `size` says from where to prove), ledger-rollback,
    ledger-fork, ledger-proof.
    """
    size, root = known or (0, EMPTY_ROOT)
    try:
        checkpoint = open_checkpoint(note, origin, public_keys)
    except BadNote as error:
        raise _problem(
            "ledger-unsigned", N_("The ledger head is not signed by {origin}: {detail}."), origin, detail=str(error)
        ) from error
    if checkpoint.size < size:
        raise _problem(
            "ledger-rollback",
            N_("The ledger of {origin} shrank: {known} entries were witnessed, now it shows {found}."),
            origin,
            known=size,
            found=checkpoint.size,
        )
    if checkpoint.size == size and checkpoint.root != root:
        raise _problem(
            "ledger-fork",
            N_("The ledger of {origin} shows two different histories of {known} entries."),
            origin,
            known=size,
        )
    if old != size:
        raise _problem(
            "ledger-stale",
            N_("The proof starts at {old} entries, but {size} were witnessed last."),
            origin,
            remedy=N_("Send a proof from {size}."),
            old=old,
            size=size,
        )
    if not verify_consistency(size, checkpoint.size, root, checkpoint.root, proof):
        raise _problem(
            "ledger-proof",
            N_("The ledger of {origin} does not prove that its first {known} entries are unchanged."),
            origin,
            known=size,
        )
    return checkpoint


def _problem(code: str, text: str, origin: str, *, remedy: str = "", **facts: object) -> Problem:
    return Problem(code, text, where=origin, remedy=remedy, origin=origin, **facts)
