"""From a cloud and odometry to a pose that can be believed: hypotheses, verification, fusion."""
