"""Localize a car in a city from OpenStreetMap alone: point clouds to tiles, MapNet, verification, fusion, NavSatFix."""

__version__ = "0.1.0"
