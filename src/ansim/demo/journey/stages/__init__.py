"""The stages of the journey, in order."""

from ansim.demo.journey.stages import (
    agreeing,
    analysing,
    applying,
    asking,
    attacking,
    checking,
    closing,
    linking,
    preparing,
    publishing,
    reviewing,
    verifying,
)

STAGES = [
    publishing.PUBLISH,
    publishing.DISCOVER,
    asking.FEASIBILITY,
    asking.REQUEST,
    applying.APPLY,
    reviewing.REVIEW,
    agreeing.AGREE,
    preparing.PREPARE,
    linking.LINK,
    analysing.ANALYSE,
    checking.CHECK,
    checking.RELEASE,
    attacking.ATTACK,
    closing.CLOSE,
    verifying.VERIFY,
]
