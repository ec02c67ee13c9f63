# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The parts that systems without training are made of, against tiny exact cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from towns import one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.baselines.bags_of_words import rarity, tree_histogram, vlad
from urban_map_loc.baselines.building_distance import best_turns, rotation_key
from urban_map_loc.baselines.feature_match import consistent_poses, hits_on_walls
from urban_map_loc.baselines.ring_match import fit_of_steps, steps_of
from urban_map_loc.baselines.rings import ring_of, road_places
from urban_map_loc.baselines.sift import keypoints, rooted, upright_descriptors
from urban_map_loc.baselines.system import Budget, ranked_hypotheses
from urban_map_loc.baselines.vocabulary import VocabularyTree
from urban_map_loc.config import BaselinesConfig, RasterConfig, RingMatchConfig, SiftConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.geometry.pose2 import Pose2

RANGE_M = 50.0


def test_vlad_of_one_word_is_the_direction_of_what_differs():
    centres = np.array([[0.0, 0.0], [10.0, 10.0]], dtype=np.float32)
    descriptors = np.array([[1.0, 0.0], [3.0, 4.0]], dtype=np.float32)
    found = vlad(descriptors, np.zeros(2, dtype=np.int64), centres)
    np.testing.assert_allclose(found, np.array([2.0, 2.0, 0.0, 0.0]) / np.sqrt(8.0), rtol=1e-6)  # roots of 4 and 4, length 1


def test_vlad_gives_each_word_the_same_weight():
    centres = np.zeros((2, 2), dtype=np.float32)
    often = np.array([[1.0, 0.0]] * 9 + [[0.0, -1.0]], dtype=np.float32)
    found = vlad(often, np.array([0] * 9 + [1]), centres)
    np.testing.assert_allclose(found, np.array([1.0, 0.0, 0.0, -1.0]) / np.sqrt(2.0), rtol=1e-6)


def test_a_tree_finds_the_leaf_of_each_of_its_clusters():
    corners = np.array([[x, y] for x in (0.0, 100.0) for y in (0.0, 10.0)], dtype=np.float32)
    descriptors = np.repeat(corners, 5, axis=0) + np.tile(np.linspace(-0.2, 0.2, 5, dtype=np.float32)[:, None], (4, 1))
    tree = VocabularyTree.learned(descriptors, branching=2, depth=2, seed=0)
    path = tree.paths(descriptors)
    assert len(tree) == 4
    assert len(np.unique(path[:10, 0])) == len(np.unique(path[10:, 0])) == 1  # the far pairs part first
    assert [len(np.unique(path[k : k + 5, 1])) for k in (0, 5, 10, 15)] == [1, 1, 1, 1]
    assert len(np.unique(path[:, 1])) == 4
    np.testing.assert_allclose(tree.levels[1][path[::5, 1]], corners, atol=1e-5)


def test_a_tree_of_fewer_descriptors_than_words_still_answers():
    tree = VocabularyTree.learned(np.eye(3, dtype=np.float32), branching=4, depth=2, seed=0)
    assert len(set(tree.words(np.eye(3, dtype=np.float32)))) == 3


def test_histograms_count_every_level_and_rare_words_weigh_more():
    levels = [np.array([[0.0], [10.0]], dtype=np.float32), np.array([[0.0], [1.0], [10.0], [11.0]], dtype=np.float32)]
    found = tree_histogram(VocabularyTree(levels), np.array([[0.1], [1.1], [0.2], [11.0]], dtype=np.float32))
    np.testing.assert_array_equal(found, [3, 1, 2, 1, 0, 1])
    there = np.array([[True, True, False], [True, False, False]])
    np.testing.assert_allclose(rarity(there), [0.0, np.log(2.0), 0.0], rtol=1e-6)


def test_descriptors_are_of_length_one_and_none_where_there_is_no_wall():
    tile = np.zeros((96, 96), dtype=np.uint8)
    assert upright_descriptors(tile, SiftConfig()).shape == (0, 128)
    assert keypoints(tile, SiftConfig())[1].shape == (0, 128)
    tile[20, 10:60] = tile[20:50, 60] = 1
    found = upright_descriptors(tile, SiftConfig())
    assert len(found) >= 20
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(rooted(np.full((1, 128), 3.0, dtype=np.float32)), np.full((1, 128), 128**-0.5), rtol=1e-6)


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(-3.1, 3.1), st.integers(0, 50))
def test_ransac_finds_the_pose_of_known_inliers(east, north, yaw, seed):
    random = np.random.default_rng(seed)
    seen = random.uniform(-40, 40, (30, 2))
    mapped = Pose2(east, north, yaw).transform(seen)
    mapped[20:] += random.uniform(30, 60, (10, 2)) * random.choice([-1, 1], (10, 2))
    poses, agreeing = consistent_poses(seen, mapped, 400, 0.5, 8.0, 5, seed)
    assert agreeing[0] == 20
    np.testing.assert_allclose(poses[0, :2], (east, north), atol=1e-6)
    assert abs(np.angle(np.exp(1j * (poses[0, 2] - yaw)))) < 1e-8


def test_ransac_has_no_answer_where_no_lengths_agree():
    seen = np.array([[0.0, 0.0], [20.0, 0.0]])
    poses, agreeing = consistent_poses(seen, 3.0 * seen, 100, 1.0, 8.0, 5, 0)
    assert len(poses) == len(agreeing) == 0


def test_hits_are_on_walls_where_the_block_is():
    raster = BuildingRaster.from_area(one_block(), RasterConfig())
    # From the datum, heading north, the block's west wall is 10 m to the right.
    hits = np.array([[0.0, -10.0], [5.0, -10.0], [0.0, 10.0]])
    np.testing.assert_allclose(hits_on_walls(raster, hits, np.array([[0.0, 0.0, np.pi / 2]]), 1.0), [2 / 3])


def test_rings_keep_the_nearest_in_each_direction():
    ring = ring_of(np.array([[10.0, 0.0], [20.0, 0.1], [0.0, 5.0], [-3.0, -1e-9], [np.nan, 1.0]]), 4)
    np.testing.assert_allclose(ring, [10.0, 5.0, 3.0, np.inf], atol=1e-6)


def test_places_lie_on_roads_at_most_so_far_apart():
    places = road_places(one_block(), 7.0)
    np.testing.assert_allclose(places[:, 0], 0.0, atol=1e-3)
    assert np.diff(np.sort(places[:, 1])).max() <= 120.0 / 17 + 1e-3


@given(st.integers(0, 35), st.integers(0, 100))
def test_descriptors_are_compared_in_the_turn_that_fits(turn, seed):
    random = np.random.default_rng(seed)
    scan = np.where(random.random(36) < 0.3, 0.0, random.uniform(2, 50, 36)).astype(np.float32)
    scan[0] = 7.0
    others = random.uniform(2, 50, (3, 36)).astype(np.float32)
    least, best = best_turns(np.vstack([others, np.roll(scan, turn)]), scan, RANGE_M)
    assert least[3] == pytest.approx(0.0, abs=1e-4)
    assert np.roll(scan, best[3]) == pytest.approx(np.roll(scan, turn))
    assert rotation_key(scan[None], RANGE_M, 5.0) == pytest.approx(rotation_key(np.roll(scan, turn)[None], RANGE_M, 5.0))


def test_what_the_map_lacks_counts_as_beyond_the_range_and_what_the_scan_lacks_as_nothing():
    scan = np.array([10.0, 20.0, 0.0, 0.0], dtype=np.float32)
    least, turn = best_turns(np.array([[10.0, 0.0, 45.0, 45.0]], dtype=np.float32), scan, RANGE_M)
    assert turn[0] == 0
    assert least[0] == pytest.approx((0.0 + 30.0) / 2.0)


def test_steps_of_range_interpolate_the_fit():
    config = RingMatchConfig(sigma_m=10.0, range_step_m=1.0, open_fit=0.25)
    scan = np.array([20.0, np.inf])
    fit = fit_of_steps(scan, RANGE_M, config)
    weights = steps_of(np.array([[20.0, np.inf], [27.3, 5.0]], dtype=np.float32), RANGE_M, 1.0)
    score = (weights * fit).sum(axis=2)
    np.testing.assert_allclose(score, [[1.0, 0.25], [np.exp(-0.5 * 0.73**2), 0.0]], atol=2e-3)
    np.testing.assert_allclose(weights.sum(axis=2), 1.0, rtol=1e-6)


def test_ranked_answers_are_distinct_best_first_and_their_probabilities_sum_to_one():
    poses = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.1], [0.0, 0.0, 3.0], [50.0, 0.0, 0.0]])
    found = ranked_hypotheses(poses, np.array([1.0, 3.0, 2.0, 0.0]), 3, BaselinesConfig())
    np.testing.assert_array_equal(found.poses, poses[[1, 2, 3]])
    assert np.exp(found.log_probability).sum() == pytest.approx(1.0)
    assert len(ranked_hypotheses(poses[:0], np.zeros(0), 3, BaselinesConfig())) == 0


def test_a_budget_is_minutes_or_steps():
    assert Budget(minutes=2.0).share(1000, 60.0) == 0.5
    assert Budget(steps=8).share(2, 1e9) == 0.25
    for wrong in (Budget, lambda: Budget(1.0, 1)):
        with pytest.raises(ConfigurationError, match="minutes or steps"):
            wrong()
