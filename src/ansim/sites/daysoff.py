"""The days off that this site's clocks leave out: Korea's public holidays and the site's own (site.toml, [board])."""

from ansim.governance import calendars
from ansim.governance.core import civil_day
from ansim.sites import clock
from ansim.sites.config import site


def days_off() -> list[str]:
    """ISO days, from the year before this one until two years on."""
    return sorted(calendars.around(civil_day(clock.now()).year, site().board.get("holidays", [])))
