# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which of a bag's topics are the clouds, the odometry and the GNSS fixes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from urban_map_loc.bags.messages import CLOUD_TYPE, FIX_TOPIC, FIX_TYPE, ODOMETRY_TOPIC, ODOMETRY_TYPE, POINTS_TOPIC
from urban_map_loc.errors import BagError

log = logging.getLogger(__name__)

# By the name that `--topic` takes: the topic's usual name and its type.
ROLES = {"points": (POINTS_TOPIC, CLOUD_TYPE), "odom": (ODOMETRY_TOPIC, ODOMETRY_TYPE), "fix": (FIX_TOPIC, FIX_TYPE)}
OUR_NODE = "/urban_map_loc/"  # what the localizer itself has published is no input of it


class Topics:
    """A bag's topics by their role: as given, else by the usual name, else the only one of the type."""

    def __init__(self, path: Path, kinds: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Take what is given.

        Args:
            path: the bag, for messages.
            kinds: message type of each topic of the bag.
            given: topic by role, a key of `ROLES`.

        Raises:
            BagError: a topic that is given is not there or of another type, or there is no such role.
        """
        self._path, self._kinds, self._given = path, kinds, dict(given)
        for role, topic in given.items():
            if role not in ROLES:
                raise BagError(f"{role} is no input; choose one of {', '.join(ROLES)}")
            if kinds.get(topic) != ROLES[role][1]:
                raise BagError(f"{path} has no {topic} of type {ROLES[role][1]}, only {self._listed(ROLES[role][1])}; name one of these")

    def find(self, role: str) -> str | None:
        """The topic of a role; None where there is none, or there are several that may be meant."""
        if role in self._given:
            return self._given[role]
        usual, kind = ROLES[role]
        if self._kinds.get(usual) == kind:
            return usual
        candidates = self._of_type(kind)
        return candidates[0] if len(candidates) == 1 else None

    def require(self, role: str) -> str:
        """The topic of a role.

        Raises:
            BagError: there is none, or there are several; they are listed.
        """
        topic = self.find(role)
        if topic is None:
            usual, kind = ROLES[role]
            candidates = self._of_type(kind)
            remedy = (
                f"choose one with --topic {role}={candidates[0]}"
                if candidates
                else "record it with " + " and ".join(ROLES[r][0] for r in ("points", "odom"))
            )
            raise BagError(f"{self._path} has no {usual} of type {kind}, only {self._listed(kind)}; {remedy}")
        return topic

    def optional(self, role: str) -> str | None:
        """As `find`, with a warning where there are several that may be meant."""
        topic = self.find(role)
        if topic is None and len(candidates := self._of_type(ROLES[role][1])) > 1:
            log.warning("%s has several topics of %s (%s), none is used; choose with --topic %s=...",
                        self._path, ROLES[role][1], ", ".join(candidates), role)  # fmt: skip
        return topic

    def _of_type(self, kind: str) -> list[str]:
        return sorted(topic for topic, its in self._kinds.items() if its == kind and OUR_NODE not in topic)

    def _listed(self, kind: str) -> str:
        """Topics of the type where there are some, else all of them."""
        return ", ".join(self._of_type(kind) or sorted(self._kinds)) or "none"
