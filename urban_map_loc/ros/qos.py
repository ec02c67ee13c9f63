"""Quality of service of every topic, with the reason."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy = DurabilityPolicy.VOLATILE) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


# Best effort on the receiving side matches every publisher, and sensor drivers are best effort. Only the newest cloud is of use;
# one more may wait while it is handed over.
CLOUDS_IN = _profile(2, ReliabilityPolicy.BEST_EFFORT)
# Two seconds of 100 Hz odometry: nothing is lost while the process is busy elsewhere.
ODOMETRY_IN = _profile(200, ReliabilityPolicy.BEST_EFFORT)
# Answers: few and small, wanted complete. Reliable publishers also serve best-effort subscribers.
ANSWERS = _profile(10, ReliabilityPolicy.RELIABLE)
# The map is said once and kept for whoever comes later.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
# Bags: reliable, so that subscribers of either kind match.
PLAYED = _profile(50, ReliabilityPolicy.RELIABLE)
PLAYED_LATCHED = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
CLOCK = _profile(1, ReliabilityPolicy.BEST_EFFORT)
