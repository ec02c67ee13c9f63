"""Training MapNet on an area's tiles; never imported by the robot."""
