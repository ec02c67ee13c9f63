# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The exception tree: what users can catch, each message naming the thing, the cause and the remedy in one line."""

from __future__ import annotations

LONGEST_MESSAGE = 1000


class UrbanMapLocError(Exception):
    """Any failure this package raises on purpose; the message is one line that ends with the remedy.

    Messages quote what other libraries say and what stands in damaged files. So line breaks become spaces here, once for all, what a
    terminal would take for a command becomes U+FFFD, and of a very long message the middle is left out.
    """

    def __init__(self, message: str = "") -> None:
        line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(message.splitlines()))
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 300]} ... {line[-300:]}")


class ConfigurationError(UrbanMapLocError):
    """A setting is unknown, of the wrong type or outside its range."""


class AreaError(UrbanMapLocError):
    """OpenStreetMap data or an area file is missing, broken or unusable."""


class ModelError(UrbanMapLocError):
    """A checkpoint is missing, damaged, of another area or of a newer format."""


class BagError(UrbanMapLocError):
    """A bag, a route or a truth file is missing, damaged or lacks what is needed."""


class CloudError(UrbanMapLocError):
    """A point cloud cannot be decoded; the localizer turns this into a skipped scan with a reason."""


class OutputError(UrbanMapLocError):
    """A result cannot be written where it was asked for."""
