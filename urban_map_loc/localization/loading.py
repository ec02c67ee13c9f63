# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From files to the ground that a localizer works on: an area and its model, or an atlas."""

from __future__ import annotations

from pathlib import Path

from urban_map_loc.area.atlas import is_atlas, read_atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.localization.atlas.ground import AtlasGround
from urban_map_loc.localization.ground import Ground, OneArea
from urban_map_loc.mapnet.checkpoint import load_checkpoint


def require_pair(area: Path, model: Path | None) -> None:
    """An area file needs a model file, an atlas brings its own.

    Raises:
        ConfigurationError: what to give or to leave out.
    """
    if is_atlas(area) and model is not None:
        raise ConfigurationError(f"{area} is an atlas, which brings the models of its regions; leave out the model {model}")
    if not is_atlas(area) and model is None:
        raise ConfigurationError(f"{area} is no atlas folder, and an area file needs its model; name the model file")


def load_ground(area: Path, model: Path | None, config: LocalizerConfig, wait: bool = False) -> Ground:
    """The ground in an area file and its model file, or in the folder of an atlas.

    Args:
        wait: an atlas's regions are loaded while the caller waits, not beside it.

    Raises:
        AreaError, ModelError: a file is missing, damaged, or the model is of another area.
        ConfigurationError: model and area do not go together, or device cuda, but there is no GPU.
    """
    require_pair(area, model)
    if model is None:
        return AtlasGround(read_atlas(area), config, wait)
    return OneArea(read_area(area), load_checkpoint(model), config, area)
