"""Entry point of the executable `localizer_node`."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.ros.middleware import prepare_environment

if TYPE_CHECKING:
    from urban_map_loc.ros.node import LoadLocalizer


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run(argv: list[str] | None = None, load: LoadLocalizer | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit status: 0 when asked to end, 1 when it could not start.

    Args:
        argv: program name and arguments as ROS gives them (`--ros-args ...`); the process's own when None.
        load: makes the localizer; the real one when None.
    """
    # From the first moment on, before the seconds that loading takes.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        prepare_environment()
        return _serve(argv, load)
    except KeyboardInterrupt:
        return 0


def _serve(argv: list[str] | None, load: LoadLocalizer | None) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from urban_map_loc.localization.localizer import Localizer
    from urban_map_loc.ros.node import LocalizerNode

    rclpy.init(args=argv)
    node = None
    try:
        node = LocalizerNode(load or Localizer.load)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.settings.autostart:
            node.start()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except UrbanMapLocError as error:
        print(f"localizer_node: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    finally:
        # A second signal while tidying up must not turn a clean end into a crash.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    return 0


def main() -> NoReturn:
    """Entry point."""
    status = run()
    # All is closed. Collecting PyTorch's thousands of objects one last time would take longer than a robot waits.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
