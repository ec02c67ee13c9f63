"""What training minimises, and how a trained model goes on learning from a drive."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class CriterionConfig(Section):
    """Weights of the MapNet criterion (Brahmbhatt et al. 2018); docs/training.md has the equations."""

    weights: str = setting(
        "learned",
        "learned: errors are divided by scales that are learned with the network, as in MapNet; fixed: translation plus beta times "
        "rotation, as in PoseNet",
        choices=("learned", "fixed"),
    )
    beta: float = setting(
        3.0,
        "fixed weight of rotation [rad] against translation [the area's standard deviation]; PoseNet's 500 m outdoors over some 150 m",
        low=1e-3,
        high=1e4,
    )
    translation_log_scale: float = setting(
        0.0, "where the learned logarithm of translation's scale starts, as in MapNet", low=-10.0, high=10.0
    )
    rotation_log_scale: float = setting(-3.0, "where the learned logarithm of rotation's scale starts, as in MapNet", low=-10.0, high=10.0)
    relative_weight: float = setting(1.0, "weight of the relative term of a tuple against the absolute one (the paper's alpha)", low=0.0)
    hypotheses: int = setting(
        32,
        "poses of a tile, most probable first, that the relative term of position cells looks at; cost grows with its square",
        low=1,
        high=512,
    )
    outliers: float = setting(
        0.1, "probability that a tile's true pose is not among them, so that one bad tile does not outweigh its drive", low=1e-6, high=0.9
    )
