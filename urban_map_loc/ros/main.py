# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Entry point of the executable `localizer_node`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.ros.middleware import prepare_environment

if TYPE_CHECKING:
    from urban_map_loc.ros.node import LoadLocalizer

# Asked to end, the process is gone after so long, whatever it is busy with [s].
END_WITHIN_S = 1.6
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Signals:
    """SIGINT and SIGTERM end the process with status 0, and in time.

    Python runs its handlers between two steps of the main thread. That may be long after the signal, in the middle of an import that makes
    something else of the exception, or within a library that swallows it. So a thread of its own, told by the C handler, sees to it.
    """

    def __init__(self) -> None:
        self.asked = False
        self._told, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._interrupt)
        threading.Thread(target=self._see_to_it, name="signals", daemon=True).start()

    def ignore(self) -> None:
        """A second signal while tidying up must not turn a clean end into a crash."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: FrameType | None) -> NoReturn:
        self.asked = True
        raise KeyboardInterrupt

    def _see_to_it(self) -> None:
        while os.read(self._told, 1)[0] not in _SIGNALS:
            pass
        self.asked = True
        time.sleep(END_WITHIN_S)
        os._exit(0)


def run(argv: list[str] | None = None, load: LoadLocalizer | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit status: 0 when asked to end, 1 when it could not start.

    Args:
        argv: program name and arguments as ROS gives them (`--ros-args ...`); the process's own when None.
        load: makes the localizer; the real one when None.
    """
    # From the first moment on, before the seconds that loading takes.
    signals = _Signals()
    try:
        prepare_environment()
        return _serve(argv, load, signals)
    except KeyboardInterrupt:
        return 0
    except Exception:
        if signals.asked:  # ROS may be shut down already, and whatever was under way fails
            return 0
        raise


def _serve(argv: list[str] | None, load: LoadLocalizer | None, signals: _Signals) -> int:
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
        if not signals.asked:
            print(f"localizer_node: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
    finally:
        signals.ignore()
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    return 0


def main(load: LoadLocalizer | None = None) -> NoReturn:
    """Entry point."""
    status = run(load=load)
    sys.stdout.flush()
    sys.stderr.flush()
    # All is closed. Ending Python would take longer than a robot waits, and a scan that is still worked on would meet a dying interpreter.
    os._exit(status)


if __name__ == "__main__":
    main()
