# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`localizer_node`: its life cycle and parameters. Topics in are in `inputs.py`, the thread in `worker.py`, topics out in `outputs.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rclpy.timer import Timer
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from urban_map_loc.area.atlas import is_atlas
from urban_map_loc.cloud.extrinsic import FrameTree
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.errors import ConfigurationError, UrbanMapLocError
from urban_map_loc.localization.last_pose import load_last_pose
from urban_map_loc.localization.result import LocalizationResult
from urban_map_loc.localization.tuning import tune
from urban_map_loc.ros import conversions, diagnostics, frames, parameters, qos
from urban_map_loc.ros.chronology import Chronology
from urban_map_loc.ros.health import Health
from urban_map_loc.ros.inputs import REPEAT_S, Inputs
from urban_map_loc.ros.last_pose import LastPoseKeeper
from urban_map_loc.ros.outputs import Outputs
from urban_map_loc.ros.worker import LocalizerLike, Worker

LoadLocalizer = Callable[[Path, Path | None, LocalizerConfig], LocalizerLike]
TuneLocalizer = Callable[[Any, LocalizerConfig], None]


@dataclass
class Parts:
    """What there is from configure to clean-up; `inputs` from activate to deactivate."""

    localizer: LocalizerLike
    worker: Worker
    outputs: Outputs
    health: Health
    order: Chronology
    keeper: LastPoseKeeper | None
    inputs: Inputs | None = None


class LocalizerNode(LifecycleNode):
    """The localizer as a managed node.

    Args:
        load: makes the localizer of area file, model file (none where the area is an atlas) and settings.
        kwargs: passed to rclpy's node, such as `parameter_overrides` or `context`.

    Attributes:
        settings, tuning: the parameters as they are now.
        frames: where sensors sit on the car, as far as /tf_static has said.
        failure: why the node could not be configured or activated, one line.

    Raises:
        ConfigurationError: parameters that do not exist or hold what they cannot.
    """

    def __init__(self, load: LoadLocalizer, tune_localizer: TuneLocalizer = tune, **kwargs: Any) -> None:
        super().__init__("urban_map_loc", automatically_declare_parameters_from_overrides=True, **kwargs)
        self._load, self._tune = load, tune_localizer
        self._parts: Parts | None = None
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._broadcaster: Any | None = None
        self._timer: Timer | None = None
        self.frames = FrameTree()
        self.failure = ""
        parameters.declare(self)
        qos.check_overrides(self)
        self.settings = parameters.read(self, NodeConfig)
        self.tuning = parameters.read(self, LocalizerConfig)
        self._ours = {name for name, _, _ in parameters.settings()}
        self.add_on_set_parameters_callback(self._may_set)
        self.add_post_set_parameters_callback(self._was_set)
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._on_change_state

    # -- life cycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters, load area and model, open what goes out."""
        return self._attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and work."""
        super().on_activate(state)
        return self._attempt(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause: nothing is heard, what is known of the place is kept."""
        self._pause()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget area and model."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End, from whatever state."""
        self._close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, with nothing left open."""
        self._close()
        return TransitionCallbackReturn.SUCCESS

    def start(self) -> None:
        """Configure and activate, as `autostart` promises.

        Raises:
            UrbanMapLocError: what stands in the way; one line.
        """
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise UrbanMapLocError(self.failure or "the node could not be started; its log says why")

    def close(self) -> None:
        """Stop working and release the node."""
        self._close()
        self.destroy_node()

    def _attempt(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        """A step of the life cycle: rclpy would swallow an exception without a word."""
        try:
            step()
        except UrbanMapLocError as error:
            self.failure = " ".join(str(error).split())
        except Exception as error:
            self.failure = f"unexpected {type(error).__name__}: {error}; please report it"
        else:
            return TransitionCallbackReturn.SUCCESS
        if not self.settings.autostart:  # else `start` raises it, and it would be said twice
            self.get_logger().error(self.failure)
        self._close()
        return TransitionCallbackReturn.FAILURE if step == self._configure else TransitionCallbackReturn.ERROR

    def _configure(self) -> None:
        self.settings = settings = parameters.read(self, NodeConfig)
        self.tuning = parameters.read(self, LocalizerConfig)
        of_atlas = bool(settings.area) and is_atlas(Path(settings.area))
        for name in ("area",) if of_atlas else ("area", "model"):
            if not getattr(settings, name):
                raise ConfigurationError(f"parameter {name} is not set; give the file, for example `--ros-args -p {name}:=FILE`")
        intake = CloudIntake(settings, self.tuning.cloud, self.frames)  # first, for its checks: loading takes seconds
        localizer = self._load(Path(settings.area), Path(settings.model) if settings.model else None, self.tuning)
        if said := frames.missing():
            self.get_logger().info(said)
        if settings.publish_tf and self._broadcaster is None:
            self._broadcaster = frames.broadcaster(self)
        outputs = Outputs(self, localizer, self._broadcaster)
        worker = Worker(
            localizer, settings, intake, self._on_result, self.get_logger().warning, lambda raw: deserialize_message(raw, PointCloud2)
        )
        area = f"{settings.area} ({localizer.area.content_hash[:12]})"
        keeper = None
        if settings.last_pose_file:
            path, plane = Path(settings.last_pose_file).expanduser(), localizer.area.plane
            keeper = LastPoseKeeper(path, plane, settings.last_pose_period_s, self.get_logger().warning)
            if (prior := load_last_pose(path, plane, self.tuning.prior)) is not None:
                worker.offer_guess(prior, None)
                self.get_logger().info(
                    f"looking first at {prior.source}: {prior.T_map_base.x:.1f} m east, {prior.T_map_base.y:.1f} m north"
                )
        model = settings.model or "of each region"
        health = Health(area, model, settings.diagnostics, lambda: worker.dropped, keeper)
        self._parts = Parts(localizer, worker, outputs, health, Chronology(settings.time_jump_s), keeper)
        # Not managed: a paused node still says that it is paused.
        said_on = self.create_publisher(DiagnosticArray, "/diagnostics", **qos.publisher("/diagnostics"))
        relocalize = self.create_service(Trigger, "~/relocalize", self._on_relocalize)
        # By the steady clock, so that it goes on where simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(settings.diagnostics.period_s, lambda: self._on_diagnostics(said_on), clock=steady)
        self._entities += [(self.destroy_publisher, said_on), (self.destroy_service, relocalize), (self.destroy_timer, self._timer)]
        worker.start()
        self.get_logger().info(f"area {area}, model {model}")

    def _activate(self) -> None:
        p = self._parts
        assert p is not None
        p.outputs.map(anew=True)
        p.health.activate()
        p.inputs = Inputs(self, p.localizer, p.worker, p.outputs, p.health, p.order)

    def _pause(self) -> None:
        if self._parts is None:
            return
        if self._parts.inputs is not None:
            self._parts.inputs.close()
            self._parts.inputs = None
        self._parts.health.active = False
        self._parts.worker.discard()
        if self._parts.keeper is not None:
            self._parts.keeper.write()

    def _close(self) -> None:
        self._pause()
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.worker.stop()
            parts.outputs.close()
        self._timer = None
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities.clear()

    def _on_change_state(self, request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        """A transition that the state does not allow is refused; rclpy lets it end the process."""
        try:
            return self._change_state(request, response)
        except Exception as error:
            wanted = request.transition.label or request.transition.id
            self.get_logger().warning(f"transition {wanted} is not possible now ({str(error).splitlines()[0]})")
            response.success = False
            return response

    # -- parameters

    def _may_set(self, changes: list[Parameter]) -> SetParametersResult:
        ours = [change for change in changes if change.name in self._ours]  # the others are rclpy's
        refused = parameters.refusal(self, ours, configured=self._parts is not None) if ours else ""
        return SetParametersResult(successful=not refused, reason=refused)

    def _was_set(self, changes: list[Parameter]) -> None:
        if not any(change.name in self._ours for change in changes):
            return
        self.settings = settings = parameters.read(self, NodeConfig)
        self.tuning = tuning = parameters.read(self, LocalizerConfig)
        p = self._parts
        if p is None:
            return
        p.worker.config, p.worker.intake = settings, CloudIntake(settings, tuning.cloud, self.frames)
        p.worker.call(lambda: self._tune(p.localizer, tuning))
        p.health.config, p.order.jump_s = settings.diagnostics, settings.time_jump_s
        if p.keeper is not None:
            p.keeper.period_s = settings.last_pose_period_s
        if p.inputs is not None:
            p.inputs.tune()
        if settings.publish_tf and self._broadcaster is None:
            self._broadcaster = p.outputs.broadcaster = frames.broadcaster(self)
        if self._timer is not None:
            self._timer.timer_period_ns = int(settings.diagnostics.period_s * 1e9)

    # -- answers: the first in the worker's thread

    def _on_result(self, source: Header, result: LocalizationResult, latency_ms: float) -> None:
        p = self._parts
        if p is None:
            return
        if result.state is not p.health.state:
            why = result.lost_because or result.reason.removeprefix(result.state.value).strip()
            self.get_logger().info(f"now {result.state.value}: {why}")
        p.health.saw_result(result, latency_ms)
        if result.skipped:
            self.get_logger().warning(f"cloud skipped: {result.reason}", throttle_duration_sec=REPEAT_S)
        p.outputs.answer(source.stamp, result)
        if p.keeper is not None and result.estimate is not None:
            p.keeper.saw(conversions.stamp_s(source), result.estimate)

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        active = self._parts is not None and self._parts.inputs is not None
        response.success = active
        response.message = "starting afresh" if active else "the node is not active; activate it first"
        if active and self._parts is not None:
            self._parts.worker.request_reset("asked to by ~/relocalize")
        return response

    def _on_diagnostics(self, said_on: Any) -> None:
        if self._parts is not None:
            header = Header(stamp=self.get_clock().now().to_msg())
            said_on.publish(diagnostics.message(header, self.get_fully_qualified_name(), self._parts.health))
            if self._parts.inputs is not None:
                self._parts.outputs.map()  # of another region, where the car has come into one
