# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node's life cycle, by the services that a lifecycle manager uses."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from ros_bench import Bench, cloud_message, odometry_message
from sensor_msgs.msg import NavSatStatus
from std_srvs.srv import Trigger

from urban_map_loc.errors import ModelError

UNCONFIGURED, INACTIVE = State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE
ACTIVE, FINALIZED = State.PRIMARY_STATE_ACTIVE, State.PRIMARY_STATE_FINALIZED
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
# Where each allowed transition leads.
LEADS = {
    (UNCONFIGURED, CONFIGURE): INACTIVE,
    (INACTIVE, ACTIVATE): ACTIVE,
    (INACTIVE, CLEANUP): UNCONFIGURED,
    (ACTIVE, DEACTIVATE): INACTIVE,
    (UNCONFIGURED, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN): FINALIZED,
    (INACTIVE, Transition.TRANSITION_INACTIVE_SHUTDOWN): FINALIZED,
    (ACTIVE, Transition.TRANSITION_ACTIVE_SHUTDOWN): FINALIZED,
}
ASKED = (CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE)
SHUTDOWNS = (5, 6, 7)
WAYS = {UNCONFIGURED: (), INACTIVE: (CONFIGURE,), ACTIVE: (CONFIGURE, ACTIVATE)}


class Manager:
    """What drives a node from outside."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        name = bench.node.get_fully_qualified_name()
        self._change = bench.peer.create_client(ChangeState, f"{name}/change_state")
        self._get = bench.peer.create_client(GetState, f"{name}/get_state")
        bench.spin_until(lambda: self._change.service_is_ready() and self._get.service_is_ready())

    def _call(self, client, request):
        answer = client.call_async(request)
        self.bench.spin_until(answer.done)
        return answer.result()

    def ask(self, transition: int) -> bool:
        return self._call(self._change, ChangeState.Request(transition=Transition(id=transition))).success

    @property
    def state(self) -> int:
        return self._call(self._get, GetState.Request()).current_state.id


@pytest.fixture
def bench(bench):
    return partial(bench, start=False, autostart=False)


def test_every_transition_in_every_state_is_obeyed_or_refused(bench):
    manager = Manager(bench())
    state = UNCONFIGURED
    for goal, way in WAYS.items():
        for asked in (*ASKED, *SHUTDOWNS):
            if LEADS.get((goal, asked)) == FINALIZED:
                continue
            for back in {ACTIVE: (DEACTIVATE, CLEANUP), INACTIVE: (CLEANUP,), UNCONFIGURED: ()}[state]:
                assert manager.ask(back)
            for step in way:
                assert manager.ask(step)
            state = LEADS.get((goal, asked), goal)
            assert manager.ask(asked) == ((goal, asked) in LEADS)
            assert manager.state == state


@pytest.mark.parametrize(("start", "shutdown"), [(UNCONFIGURED, 5), (INACTIVE, 6), (ACTIVE, 7)])
def test_shut_down_from_any_state(bench, start, shutdown):
    b = bench()
    manager = Manager(b)
    for step in WAYS[start]:
        assert manager.ask(step)
    assert manager.ask(shutdown)
    assert manager.state == FINALIZED
    assert not manager.ask(CONFIGURE)
    assert b.node._parts is None


def test_active_hears_inactive_does_not(bench):
    b = bench()
    manager = Manager(b)
    for again in range(2):
        assert manager.ask(CONFIGURE)
        assert b.points.get_subscription_count() == 0
        assert b.diagnosis()[0].message == "inactive: activate the node"
        assert manager.ask(ACTIVATE)
        b.spin_until(b.connected)
        b.send(1.0 + again)
        assert manager.ask(DEACTIVATE)
        b.spin_until(lambda: b.points.get_subscription_count() == 0)
        assert manager.ask(CLEANUP)
    assert len(b.loaded) == 2
    assert len(b.got["~/map"]) == 2  # the second activation says it again


def test_what_cannot_be_loaded_leaves_it_unconfigured_and_the_next_try_counts(bench, capfd):
    b = bench()
    load, tries = b.node._load, []

    def missing_once(*files):
        tries.append(files)
        if len(tries) == 1:
            raise ModelError("m.safetensors does not exist; train it")
        return load(*files)

    b.node._load = missing_once
    manager = Manager(b)
    assert not manager.ask(CONFIGURE)
    assert manager.state == UNCONFIGURED
    assert [line for line in capfd.readouterr().err.splitlines() if "m.safetensors does not exist; train it" in line][1:] == []
    assert manager.ask(CONFIGURE)


def test_an_activation_that_fails_leaves_nothing_open(bench, monkeypatch):
    b = bench()
    manager = Manager(b)
    assert manager.ask(CONFIGURE)
    monkeypatch.setattr(b.node._parts.outputs, "map", lambda anew: 1 / 0)
    assert not manager.ask(ACTIVATE)
    assert "ZeroDivisionError" in b.node.failure
    assert manager.state == UNCONFIGURED
    assert b.node._parts is None
    assert manager.ask(CONFIGURE)
    assert manager.ask(ACTIVATE)


def test_relocalize_needs_an_active_node(bench):
    b = bench()
    b.node.trigger_configure()
    b.spin_until(b.relocalize.service_is_ready)
    answer = b.relocalize.call_async(Trigger.Request())
    b.spin_until(answer.done)
    assert not answer.result().success
    assert "activate it" in answer.result().message


def test_an_answer_that_comes_after_deactivation_is_not_given(bench):
    b = bench()
    b.node.start()
    b.spin_until(b.connected)
    started, free = threading.Event(), threading.Event()
    answer = b.localizer.add_cloud

    def slow(cloud, single_scan=False):
        started.set()
        assert free.wait(20.0)
        return answer(cloud)

    b.localizer.add_cloud = slow
    b.odom.publish(odometry_message(1.0))
    b.points.publish(cloud_message(1.0))
    b.spin_until(started.is_set)
    b.node.trigger_deactivate()
    b.node.trigger_activate()
    free.set()
    b.spin_until(b.connected)
    b.localizer.add_cloud = answer
    assert b.send(2.0).header.stamp.sec == 2
    assert [fix.header.stamp.sec for fix in b.got["~/fix"]] == [2]
    assert b.got["~/fix"][0].status.status == NavSatStatus.STATUS_NO_FIX
