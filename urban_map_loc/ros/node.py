"""`localizer_node`: subscriptions into the worker, results out as messages. What it decides itself is only when to publish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import NavSatFix, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.errors import ConfigurationError, UrbanMapLocError
from urban_map_loc.localization.result import LocalizationResult
from urban_map_loc.ros import conversions, parameters, qos
from urban_map_loc.ros.diagnostics import Health
from urban_map_loc.ros.worker import LocalizerLike, Worker

try:
    from tf2_ros import TransformBroadcaster
except ImportError:  # not to be had from pip
    TransformBroadcaster = None

LoadLocalizer = Callable[[Path, Path, LocalizerConfig], LocalizerLike]

DIAGNOSTICS_PERIOD_S = 1.0
# Complaints that every message repeats are logged this often [s].
REPEAT_S = 5.0


class LocalizerNode(LifecycleNode):
    """The localizer as a managed node.

    Args:
        load: makes the localizer of area file, model file and settings.
        kwargs: passed to rclpy's node, such as `parameter_overrides` or `context`.

    Raises:
        ConfigurationError: parameters that do not exist or hold what they cannot.
    """

    def __init__(self, load: LoadLocalizer, **kwargs: Any) -> None:
        super().__init__("urban_map_loc", automatically_declare_parameters_from_overrides=True, **kwargs)
        self._load = load
        self._worker: Worker | None = None
        self._localizer: LocalizerLike | None = None
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self.failure = ""
        parameters.declare(self)
        self.settings = parameters.read(self, NodeConfig)

    # -- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters, load area and model, open the topics."""
        try:
            self.settings = parameters.read(self, NodeConfig)
            self.tuning = parameters.read(self, LocalizerConfig)
            for name in ("area", "model"):
                if not getattr(self.settings, name):
                    raise ConfigurationError(f"parameter {name} is not set; give the file, for example `--ros-args -p {name}:=FILE`")
            self._localizer = self._load(Path(self.settings.area), Path(self.settings.model), self.tuning)
            self._open_topics(self._localizer)
            # Made here for its checks: a wrong extrinsic is found now, not when the first cloud comes.
            self._worker = self._new_worker(self._localizer)
        except UrbanMapLocError as error:
            self.failure = str(error)
        except Exception as error:  # rclpy would swallow it without a word
            self.failure = f"unexpected {type(error).__name__}: {error}; please report it"
        else:
            self.get_logger().info(f"area {self.settings.area}, model {self.settings.model}")
            return TransitionCallbackReturn.SUCCESS
        if not self.settings.autostart:  # else `start` raises it, and it would be said twice
            self.get_logger().error(self.failure)
        self._close()
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to work."""
        assert self._localizer is not None
        answer = super().on_activate(state)
        self._worker = self._worker or self._new_worker(self._localizer)
        self._worker.start()
        self._map.publish(conversions.building_grid(self._header(self.settings.map_frame), self._localizer.raster))
        return answer

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause; what is known of the place is kept."""
        self._stop_worker()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget area and model."""
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End, from whatever state."""
        self._close()
        return super().on_shutdown(state)

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

    def _open_topics(self, localizer: LocalizerLike) -> None:
        def publisher(kind: Any, topic: str, profile: Any = qos.ANSWERS) -> Any:
            out = self.create_lifecycle_publisher(kind, topic, profile)
            self._entities.append((self.destroy_lifecycle_publisher, out))
            return out

        self._fix = publisher(NavSatFix, "~/fix")
        self._pose = publisher(PoseWithCovarianceStamped, "~/pose")
        self._odometry = publisher(Odometry, "~/odometry")
        self._hypotheses = publisher(PoseArray, "~/hypotheses")
        self._tile = publisher(OccupancyGrid, "~/tile")
        self._map = publisher(OccupancyGrid, "~/map", qos.LATCHED)
        # Not managed: a paused node still says that it is paused.
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.ANSWERS)
        self._entities.append((self.destroy_publisher, self._diagnostics))
        self._health = Health(f"{self.settings.area} ({localizer.area.content_hash[:12]})", self.settings.model)
        self._broadcaster = None
        if self.settings.publish_tf and TransformBroadcaster is not None:
            self._broadcaster = TransformBroadcaster(self)
        elif self.settings.publish_tf:
            self.get_logger().info("TF is off: tf2_ros is not installed; ~/odometry says the same. Set publish_tf to false to silence this")
        # Raw: a cloud that is dropped is never deserialised, and the one that is used is so in the worker's thread.
        clouds = self.create_subscription(PointCloud2, "points", self._on_cloud, qos.CLOUDS_IN, raw=True)
        odometry = self.create_subscription(Odometry, "odom", self._on_odometry, qos.ODOMETRY_IN)
        self._entities += [(self.destroy_subscription, clouds), (self.destroy_subscription, odometry)]
        self._entities.append((self.destroy_service, self.create_service(Trigger, "~/relocalize", self._on_relocalize)))
        # By the steady clock, so that it goes on where simulated time stands still.
        timer = self.create_timer(DIAGNOSTICS_PERIOD_S, self._on_diagnostics, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._entities.append((self.destroy_timer, timer))

    def _new_worker(self, localizer: LocalizerLike) -> Worker:
        return Worker(
            localizer,
            self.settings,
            CloudIntake(self.settings, self.tuning.cloud),
            self._on_result,
            self.get_logger().warning,
            lambda raw: deserialize_message(raw, PointCloud2),
        )

    def _stop_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def _close(self) -> None:
        self._stop_worker()
        self._localizer = None
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities.clear()

    # -- in

    def _on_cloud(self, raw: bytes) -> None:
        if self._worker is not None:
            self._worker.offer_cloud(raw)

    def _on_odometry(self, message: Odometry) -> None:
        worker = self._worker
        if worker is None:
            return
        try:
            T_odom_base = conversions.pose2_of_odometry(message)
        except ValueError as error:
            self._health.saw_odometry(refusal=str(error))
            self.get_logger().warning(str(error), throttle_duration_sec=REPEAT_S)
            return
        self._health.saw_odometry()
        worker.offer_odometry(conversions.stamp_s(message.header), T_odom_base)
        correction = worker.correction
        if correction is None:
            return
        estimate = correction.at(T_odom_base, self.tuning.fusion)
        header = self._header(self.settings.map_frame, message.header.stamp)
        self._odometry.publish(
            conversions.odometry_in_map(header, message, estimate.T_map_base, estimate.covariance, self.settings.base_frame)
        )
        if self._broadcaster is not None:
            self._broadcaster.sendTransform(conversions.transform(header, self.settings.odom_frame, correction.T_map_odom))

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        worker = self._worker
        response.success = worker is not None
        response.message = "starting afresh" if worker is not None else "the node is not active; activate it first"
        if worker is not None:
            worker.request_reset("asked to by ~/relocalize")
        return response

    # -- out, in the worker's thread

    def _on_result(self, source: Header, result: LocalizationResult, latency_ms: float) -> None:
        localizer = self._localizer
        if localizer is None:
            return
        if result.state is not self._health.state:
            self.get_logger().info(f"now {result.state.value}: {result.reason.removeprefix(result.state.value).strip()}")
        self._health.saw_cloud(result, latency_ms)
        if result.skipped:
            self.get_logger().warning(f"cloud skipped: {result.reason}", throttle_duration_sec=REPEAT_S)
        in_map = self._header(self.settings.map_frame, source.stamp)
        in_base = self._header(self.settings.base_frame, source.stamp)
        if result.estimate is not None:
            self._pose.publish(conversions.pose_with_covariance(in_map, result.estimate))
        self._hypotheses.publish(conversions.pose_array(in_map, result.hypotheses))
        if result.tile is not None:
            self._tile.publish(conversions.tile_grid(in_base, result.tile, localizer.grid))
        # Last: whoever sees a scan's fix has its pose as well.
        self._fix.publish(conversions.fix(in_base, localizer.area.plane, result.estimate))

    def _on_diagnostics(self) -> None:
        worker = self._worker
        self._diagnostics.publish(self._health.message(self._header(""), worker.dropped if worker is not None else 0))

    def _header(self, frame: str, stamp: Time | None = None) -> Header:
        return Header(frame_id=frame, stamp=stamp or self.get_clock().now().to_msg())
