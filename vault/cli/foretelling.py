"""How long a carry will take, for a person who reads it before the door opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.cli.shown import moment, seconds, size
from vault.cli.words import _

if TYPE_CHECKING:
    from vault.agenda import PlannedTarget
    from vault.forecast import Forecast
    from vault.wiring.wired import Wired


def forecast_of(wired: Wired, target: PlannedTarget) -> Forecast:
    """Judge one target of a plan by the records; nothing is opened."""
    from vault.forecast import foretell

    return foretell(
        target.name,
        _bytes_to_carry(wired, target.name),
        closes_at=target.closes_at,
        left_s=target.closes_at_s - wired.clock.boot_s(),
        window_s=target.window_s,
        bytes_per_s=wired.catalogue.measured_rate(target.name),
    )


def told_forecast(forecast: Forecast, zone: str) -> str:
    """Say what is to be carried, how long it takes, and by when the door is shut."""
    values = {
        "name": forecast.target,
        "size": size(forecast.size_bytes),
        "at": moment(forecast.closes_at, zone),
    }
    if forecast.takes_s is None or forecast.nights is None:
        line = _("{name}: {size} to carry, at a speed not measured yet; shut by {at} at the latest")
        return line.format(**values)
    values["time"] = seconds(forecast.takes_s)
    if forecast.nights == 1:
        line = _("{name}: {size} to carry, about {time}; shut by {at} at the latest")
        return line.format(**values)
    line = _(
        "{name}: {size} to carry, about {time}; shut by {at} at the latest; at this speed it "
        "takes {nights} nights"
    )
    return line.format(**values, nights=forecast.nights)


def _bytes_to_carry(wired: Wired, target: str) -> int:
    """Give what the landing holds and the target's last complete cycle does not name."""
    from vault.holding import lacking

    holds = wired.catalogue.holds(target)
    complete = max((cycle for cycle, hold in holds.items() if hold.complete), default=None)
    held = wired.catalogue.landing_list(complete) if complete else iter(())
    return sum(file.size_bytes for file in lacking(wired.catalogue.known_paths(), held))
