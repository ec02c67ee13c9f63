# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Verification: scores of exact cases, refinement to the true pose, information in streets, answers among regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import area_of, crossing, one_block

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.config import RasterConfig, TileConfig, VerificationConfig
from urban_map_loc.geometry.pose2 import Pose2, wrap_angle
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.hypotheses import Hypotheses, empty
from urban_map_loc.tile.from_map import MapRenderer

CONFIG = VerificationConfig()


def verifier_and_renderer(area: AreaMap) -> tuple[Verifier, MapRenderer]:
    raster = BuildingRaster.from_area(area, RasterConfig(resolution_m=0.25))
    return Verifier(area, raster, CONFIG), MapRenderer(raster, TileConfig(sectors=360))


def seen(renderer: MapRenderer, pose: np.ndarray) -> np.ndarray:
    points = renderer.points(pose[None])[0]
    return np.ascontiguousarray(points[np.isfinite(points[:, 0])])


CROSSING = verifier_and_renderer(crossing())
WHOLE = Hypotheses.anywhere(np.array([[-130.0, -130.0, 130.0, 130.0]]), np.zeros(1))


def test_hits_on_the_wall_score_one_and_rays_through_it_cost() -> None:
    verifier, _ = verifier_and_renderer(one_block())
    on_wall = np.array([[10.0, y] for y in np.linspace(-9, 9, 19)])
    behind = np.array([[40.0, y] for y in np.linspace(-2, 2, 19)])
    here = np.zeros((1, 3))
    assert verifier.score(on_wall, np.zeros_like(on_wall), here)[0] == pytest.approx(1.0, abs=0.05)
    assert verifier.score(behind, np.zeros_like(behind), here)[0] == pytest.approx(-CONFIG.through_penalty, abs=0.05)


@pytest.mark.parametrize(("height_m", "penalised"), [(8.0, True), (2.0, False), (float("nan"), True)])
def test_rays_may_pass_over_buildings_that_are_known_to_be_low(height_m: float, penalised: bool) -> None:
    verifier, _ = verifier_and_renderer(replace(one_block(), building_heights=np.array([height_m])))
    behind = np.array([[40.0, y] for y in np.linspace(-2, 2, 19)])
    score = verifier.score(behind, np.zeros_like(behind), np.zeros((1, 3)))[0]
    assert score == pytest.approx(-CONFIG.through_penalty if penalised else 0.0, abs=0.05)


def test_a_ray_counts_from_its_own_origin() -> None:
    verifier, _ = verifier_and_renderer(one_block())
    beyond = np.array([[25.0, 0.0]])
    here = np.zeros((1, 3))
    from_here = verifier.score(beyond, np.array([[0.0, 0.0]]), here)[0]
    from_beyond = verifier.score(beyond, np.array([[30.0, 0.0]]), here)[0]
    assert from_here < -0.5
    assert from_beyond == pytest.approx(0.0, abs=0.01)


@settings(max_examples=25)
@given(st.floats(-60, 60), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-0.02, 0.02))
def test_refinement_never_lowers_the_score(e: float, n: float, yaw: float, de: float, dn: float, turn: float) -> None:
    verifier, renderer = CROSSING
    points = seen(renderer, np.array([e, n, yaw]))
    if len(points) == 0:
        return
    start = np.array([[e + de, n + dn, yaw + turn]])
    before = verifier.score(points, np.zeros_like(points), start)[0]
    poses, scores = verifier.refine(points, np.zeros_like(points), start)
    assert scores[0] >= before - 1e-9
    assert np.hypot(*(poses[0, :2] - start[0, :2])) < 10.0


def test_refinement_finds_the_true_pose() -> None:
    verifier, renderer = CROSSING
    truth = np.array([6.0, 1.0, 0.3])
    points = seen(renderer, truth)
    poses, _ = verifier.refine(points, np.zeros_like(points), truth[None] + [[0.8, -0.7, 0.03]])
    assert (np.abs(poses[0] - truth) < [0.25, 0.25, 0.01]).all()


def test_a_straight_street_constrains_across_and_not_along() -> None:
    street = area_of([shapely.box(-200, 8, 200, 18), shapely.box(-200, -18, 200, -8)], [shapely.LineString([(-190, 0), (190, 0)])])
    verifier, renderer = verifier_and_renderer(street)
    points = seen(renderer, np.zeros(3))
    information = verifier.information(points, Pose2.identity())
    assert information[1, 1] > 100.0 * max(information[0, 0], 1e-9)
    best = verifier.answers(points, Hypotheses.anywhere(np.array([[-20.0, -4.0, 20.0, 4.0]]), np.zeros(1)))[0]
    assert best.covariance[0, 0] > 4.0
    assert best.covariance[1, 1] < 1.0


@pytest.mark.parametrize("pose", [(6.0, 1.0, 0.2), (-70.0, -1.0, 3.1), (0.5, 55.0, -1.5), (80.0, 0.0, 0.0)])
def test_one_scan_finds_its_place_in_the_whole_area(pose: tuple[float, float, float]) -> None:
    verifier, renderer = CROSSING
    answers = verifier.answers(seen(renderer, np.array(pose)), WHOLE)
    best = answers[0].T_map_base
    assert np.hypot(best.x - pose[0], best.y - pose[1]) < 1.0
    assert abs(wrap_angle(best.yaw - pose[2])) < 0.05
    assert len(answers) <= CONFIG.answers


def test_answers_are_distinct_and_ranked_by_score_and_probability() -> None:
    verifier, renderer = CROSSING
    answers = verifier.answers(seen(renderer, np.array([6.0, 1.0, 0.2])), WHOLE)
    scores = [a.score for a in answers]
    assert scores == sorted(scores, reverse=True)  # one region: the probability is the same for all
    for i, a in enumerate(answers):
        for b in answers[i + 1 :]:
            near = a.T_map_base.distance_to(b.T_map_base) < CONFIG.distinct_m
            assert not (near and a.T_map_base.heading_difference(b.T_map_base) < CONFIG.distinct_rad)


def test_an_improbable_region_loses_to_a_probable_one() -> None:
    verifier, renderer = CROSSING
    points = seen(renderer, np.array([6.0, 1.0, 0.2]))
    regions = np.array([[-2.0, -8.0, 14.0, 8.0], [60.0, -8.0, 76.0, 8.0]])
    fair = verifier.answers(points, Hypotheses.anywhere(regions, np.array([-1.0, -1.0])))
    unfair = verifier.answers(points, Hypotheses.anywhere(regions, np.array([-90.0, -1.0])))
    assert fair[0].T_map_base.x < 20.0 < unfair[0].T_map_base.x


def test_of_two_places_that_look_alike_the_one_nearer_to_the_guess_is_first() -> None:
    """A straight street between two walls, alike every metre and from either end."""
    street = area_of([shapely.box(-200, 8, 200, 18), shapely.box(-200, -18, 200, -8)], [shapely.LineString([(-190, 0), (190, 0)])])
    verifier, renderer = verifier_and_renderer(street)
    points, region = seen(renderer, np.zeros(3)), np.array([[-20.0, -4.0, 20.0, 4.0]])
    for guess in ([-10.0, 0.0, 0.1], [12.0, 0.5, 3.1]):
        best = verifier.answers(points, Hypotheses(np.array([guess]), np.zeros(1), region, np.diag([1.0, 1.0, 0.01])[None]))[0].T_map_base
        assert abs(best.x - guess[0]) < 3.0
        assert abs(wrap_angle(best.yaw - guess[2])) < 0.2


def test_a_wall_that_should_be_seen_and_is_not_counts_against_a_place() -> None:
    """A house in the north and a new one in the south. In the west the map has the first; in the east also a thin one before the second."""
    houses = [shapely.box(-60, 8, 60, 18), shapely.box(140, 8, 260, 18), shapely.box(140, -12.4, 260, -11)]
    verifier, _ = verifier_and_renderer(area_of(houses, [shapely.LineString([(-50, 0), (250, 0)])]))
    along = np.linspace(-25.0, 25.0, 60)
    points = np.concatenate([np.column_stack([along, np.full(60, 8.0)]), np.column_stack([along[::2], np.full(30, -13.5)])])
    west, east = np.zeros(3), np.array([200.0, 0.0, 0.0])
    hits = verifier.score(points, np.zeros_like(points), np.array([west, east]))
    assert hits[1] > hits[0] + 0.05
    regions = np.array([[-2.0, -3.0, 2.0, 3.0], [198.0, -3.0, 202.0, 3.0]])
    best = verifier.answers(points, Hypotheses.anywhere(regions, np.zeros(2)))[0]
    assert abs(best.T_map_base.x - west[0]) < 5.0


def test_nothing_to_answer() -> None:
    verifier, renderer = CROSSING
    points = seen(renderer, np.array([6.0, 1.0, 0.2]))
    assert verifier.answers(points, empty()) == []
    assert verifier.answers(np.zeros((0, 2)), WHOLE) == []
    nowhere = replace(WHOLE, region=np.array([[1e5, 1e5, 1e5 + 16, 1e5 + 16]]))
    assert verifier.answers(points, nowhere) == []


def test_the_first_look_is_the_mean_value_of_the_pixels_that_are_hit() -> None:
    verifier, _ = verifier_and_renderer(one_block())
    raster, random = verifier.raster, np.random.default_rng(4)
    points = random.uniform(-12.0, 12.0, (9, 2))
    middle = raster.origin + 0.5 * raster.resolution_m * np.array(raster.distance.shape[::-1])
    positions = np.concatenate([middle + random.uniform(-20.0, 20.0, (4, 2)), [raster.origin], middle[None]])  # the fifth sees off the map
    found = verifier.coarse(points, positions)
    expected = np.zeros_like(found)
    for p in (0, 1, 2, 3, 5):
        column, row = np.round((positions[p] - raster.origin) / raster.resolution_m).astype(int)
        for h, heading in enumerate(verifier.headings):
            c, s = np.cos(heading), np.sin(heading)
            across, up = np.round(
                np.array([c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1]]) / raster.resolution_m
            ).astype(int)
            metres = raster.distance[row + up, column + across] * DISTANCE_STEP_M
            expected[p, h] = np.mean(np.floor(255.0 * np.exp(-0.5 * (metres / verifier.config.wall_sigma_m) ** 2))) / 255.0
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[:4].max() > 0.05
    assert not found[4].any()
