# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a benchmark keeps in its folder: models, answers and the settings they were made with, so that it can go on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from urban_map_loc.errors import ConfigurationError
from urban_map_loc.mapnet.checkpoint import read_tensors
from urban_map_loc.output import final_file
from urban_map_loc.reading import object_of

SETTINGS_FILE = "settings.json"
# Between a model's name and a drive's in the name of a row.
ON = "_on_"
STEPS, TRAIN_S, INDEX_S = "steps", "train_s", "index_s"


@dataclass(frozen=True)
class Folder:
    """A benchmark's folder."""

    path: Path

    def claim(self, settings: dict[str, Any]) -> None:
        """Write down what all results in this folder have in common: area, budget, settings.

        Raises:
            ConfigurationError: the folder holds results of other ones.
            OutputError: it cannot be written.
        """
        file = self.path / SETTINGS_FILE
        text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
        if file.is_file():
            before = _flat(_read_json(file))
            now = _flat(json.loads(text))
            differ = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
            if differ:
                name = differ[0]
                raise ConfigurationError(
                    f"{self.path} holds results with {name} {before.get(name)}, not {now.get(name)}; choose another --out, or remove it"
                )
            return
        with final_file(file) as partial:
            partial.write_text(text, encoding="utf-8")

    def model(self, name: str) -> Path:
        """Where a system's tensors are kept, once it has learned and looked at the map."""
        return self.path / f"{name}.safetensors"

    def state(self, name: str) -> Path:
        """Where an unfinished training is kept."""
        return self.path / f"{name}.resume"

    def save_model(self, name: str, tensors: dict[str, Tensor], facts: dict[str, float]) -> None:
        """Keep what a system needs, and what making it took."""
        whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
        with final_file(self.model(name)) as partial:
            partial.write_bytes(save(whole, {key: str(value) for key, value in facts.items()}))

    def load_model(self, name: str) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The inverse of `save_model`.

        Raises:
            ModelError: the file is damaged.
        """
        tensors, facts = read_tensors(self.model(name))
        return tensors, {key: float(facts.get(key, "nan")) for key in (STEPS, TRAIN_S, INDEX_S)}

    def save_row(self, name: str, row: dict[str, Any]) -> None:
        """Keep the answers of a system to a drive."""
        with final_file(self.path / f"{name}.json") as partial:
            partial.write_text(json.dumps(row) + "\n", encoding="utf-8")

    def rows(self) -> list[dict[str, Any]]:
        """All rows that were ever kept here."""
        return [_read_json(file) for file in sorted(self.path.glob(f"*{ON}*.json"))]

    def row(self, name: str) -> dict[str, Any] | None:
        """What `save_row` kept; None where there is none."""
        file = self.path / f"{name}.json"
        return _read_json(file) if file.is_file() else None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return object_of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} is damaged ({error}); remove it") from None


def _flat(nested: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(nested, dict):
        return {prefix.rstrip("."): nested}
    out: dict[str, Any] = {}
    for name, value in nested.items():
        out |= _flat(value, f"{prefix}{name}.")
    return out
