"""Poses in the plane and positions on the earth; sees nothing but numpy."""
