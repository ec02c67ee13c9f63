"""Warm start: begin with what another model has learned, on whatever area."""

from __future__ import annotations

from torch import Tensor

from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.network import MapNet

# What a network knows of its area: not to be taken along.
OF_THE_AREA = ("cells", "reference_poses", "references", "position_mean", "position_deviation")


def take_weights(network: MapNet, start: Checkpoint) -> None:
    """Copy into `network` what does not belong to an area: with position cells, all that is learned.

    Raises:
        ModelError: the networks differ.
    """
    own, known = (_of_no_area(net) for net in (network, start.network))
    differ = [name for name in own.keys() | known.keys() if name not in own or name not in known or own[name].shape != known[name].shape]
    if differ:
        raise ModelError(
            f"the model to start from has another network ({min(differ)} differs); train with its --preset, --head, --channels and --set"
        )
    network.load_state_dict(network.state_dict() | known)


def _of_no_area(network: MapNet) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if name.rpartition(".")[2] not in OF_THE_AREA}
