"""The localizer as a ROS 2 node, and bags played into ROS: thin, and the only room that knows rclpy and messages."""
