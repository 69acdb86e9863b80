"""Between stages 12 and 13: the attacks, while everything is in force and there is something to steal."""

from ansim.demo.journey.world import Journey, Stage


def attack(journey: Journey) -> str:
    """Each attack must fail with a reason on the record of the site that was attacked."""
    from ansim.demo.journey.attacks import attacks

    found = attacks(journey)
    journey.played[-1].promises.extend(found)
    failed = sum(promise.held for promise in found)
    return f"{failed} of {len(found)} attacks failed, each with its reason on a ledger"


ATTACK = Stage(12, "공격", "Attacks", attack)
