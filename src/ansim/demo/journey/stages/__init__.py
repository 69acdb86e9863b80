"""The stages of the journey, in order."""

from ansim.demo.journey.stages import apply, asking, publishing

STAGES = [
    publishing.PUBLISH,
    publishing.DISCOVER,
    asking.FEASIBILITY,
    asking.REQUEST,
    apply.APPLY,
]
