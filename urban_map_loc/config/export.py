# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Networks for use outside Python."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class ExportConfig(Section):
    """How an exported network is written and checked against the one it was made from."""

    opset: int = setting(18, "ONNX operator set: the oldest that PyTorch's exporter writes, read by the most runtimes", low=18, high=25)
    checked_tiles: int = setting(8, "tiles, from empty to a third full, on which both must answer alike", low=2, high=1000)
    tolerance: float = setting(
        1e-3, "largest difference allowed in any output [m, rad, m², nat]: single precision reaches 1e-4", low=0.0, high=1.0
    )
