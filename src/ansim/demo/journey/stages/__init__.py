"""The stages of the journey, in order."""

from ansim.demo.journey.stages import agreeing, applying, asking, publishing, reviewing

STAGES = [
    publishing.PUBLISH,
    publishing.DISCOVER,
    asking.FEASIBILITY,
    asking.REQUEST,
    applying.APPLY,
    reviewing.REVIEW,
    agreeing.AGREE,
]
