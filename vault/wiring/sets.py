"""The sets of media as they stand: from the configuration and the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.rotation import MediaSet

if TYPE_CHECKING:
    from vault.config import Settings
    from vault.records import CataloguePort


def media_sets(settings: Settings, catalogue: CataloguePort) -> list[MediaSet]:
    """Give the sets with the media of them that are enrolled; those without any are left out."""
    enrolled = {record.name for record in catalogue.targets()}
    found = []
    for name, one in settings.sets.items():
        media = tuple(target for target in one.targets if target in enrolled)
        others = len(one.targets) - 1
        if media:
            found.append(
                MediaSet(
                    name=name,
                    media=media,
                    every=one.turn,
                    reuse_after=one.reuse_after or others,
                )
            )
    return found
