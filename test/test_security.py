# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Nothing that is read becomes code, and nobody's words become a shell's: the imports and calls of every source file are looked through."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from urban_map_loc.ros import qos

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("urban_map_loc", "launch", "benchmark") for path in (ROOT / folder).rglob("*.py")) + [
    ROOT / "setup.py"
]

MODULES = {"pickle", "cPickle", "_pickle", "dill", "joblib", "cloudpickle", "jsonpickle", "shelve", "marshal", "code", "codeop", "runpy"}
NAMES = {"eval", "exec", "compile", "__import__"}
CALLS = {
    "torch.load", "torch.jit.load", "torch.hub.load", "os.system", "os.popen", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all",
    "yaml.full_load_all", "yaml.unsafe_load_all", "numpy.fromstring", "pandas.read_pickle", "shutil.unpack_archive", "pd.read_pickle",
}  # fmt: skip
ATTRIBUTES = {"extractall", "read_pickle"}  # an archive's names may lead out of the folder
# A TorchScript file holds code. `export` runs the one that it has written a moment before, to compare its answers; none else is read.
ON_PURPOSE = {
    "urban_map_loc/mapnet/export.py": ["torch.jit.load"],
    "benchmark/mutation.py": ["compile"],  # this project's own source with one change
}


def offences(source: str) -> list[str]:
    """What in a file could run data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
            found += [n for n in names if n.split(".")[0] in MODULES or n in CALLS]
        elif isinstance(node, ast.Call):
            found += _of_call(node)
    return found


def _of_call(node: ast.Call) -> list[str]:
    name, keywords = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
    found = [name] if name in NAMES | CALLS or (isinstance(node.func, ast.Attribute) and node.func.attr in ATTRIBUTES) else []
    if keywords.get("shell", "False") != "False":
        found.append(f"{name}(shell={keywords['shell']})")
    if keywords.get("allow_pickle", "False") != "False":
        found.append(f"{name}(allow_pickle={keywords['allow_pickle']})")
    loader = keywords.get("Loader", "")
    if name == "yaml.load" and not set(re.findall(r"\w*Loader", loader)) & {"SafeLoader", "CSafeLoader"}:
        found.append(f"yaml.load(Loader={loader})")
    if name == "yaml.load" and re.search(r"UnsafeLoader|FullLoader|\byaml\.C?Loader", loader):
        found.append(f"yaml.load(Loader={loader})")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_code_from_data(path):
    assert offences(path.read_text(encoding="utf-8")) == ON_PURPOSE.get(str(path.relative_to(ROOT)), [])


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from marshal import loads", "import joblib.numpy_pickle", "eval('1')", "exec(text)", "torch.load(path)",
        "from torch import load\nfrom os import system", "np.load(path, allow_pickle=True)", "subprocess.run(words, shell=True)",
        "subprocess.Popen(words, shell=flag)", "yaml.load(text)", "yaml.load(text, Loader=yaml.Loader)", "yaml.unsafe_load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)", "os.system('ls')", "tar.extractall(folder)", "__import__(name)",
    ],
)  # fmt: skip
def test_each_of_these_is_found(line):
    assert offences(line)


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=False)",
        "model.eval()",
        "re.compile(text)",
        "yaml.safe_load(text)",
        "yaml.load(t, Loader=yaml.SafeLoader)",
    ],
)
def test_none_of_these_is(line):
    assert offences(line) == []


POLICY = ElementTree.parse(ROOT / "config" / "security" / "policy.xml").getroot()


def allowed(enclave: str, kind: str, way: str) -> set[str]:
    """Full names of the topics or services that an enclave may use in a way."""
    (profile,) = POLICY.findall(f"enclaves/enclave[@path='{enclave}']/profiles/profile")
    found = {e.text or "" for group in profile.findall(kind) if group.get(way) == "ALLOW" for e in group}
    return {name.replace("~", f"/{profile.get('node')}") if name[0] in "~/" else f"/{name}" for name in found}


def test_the_policy_allows_what_the_node_does_and_no_more(bench):
    node = bench().node
    name, space = node.get_name(), node.get_namespace()
    assert allowed("/urban_map_loc", "topics", "subscribe") >= {t for t, _ in node.get_subscriber_names_and_types_by_node(name, space)}
    assert allowed("/urban_map_loc", "topics", "publish") >= {t for t, _ in node.get_publisher_names_and_types_by_node(name, space)}
    assert allowed("/urban_map_loc", "services", "reply") >= {t for t, _ in node.get_service_names_and_types_by_node(name, space)}
    own = {topic for topic in allowed("/urban_map_loc", "topics", "publish") if topic.startswith("/urban_map_loc/")}
    assert own <= {t for t, _ in node.get_publisher_names_and_types_by_node(name, space)}
    assert allowed("/urban_map_loc_operator", "services", "request") <= allowed("/urban_map_loc", "services", "reply")


def test_the_inputs_may_publish_what_the_node_hears():
    heard = {f"/{topic.lstrip('/')}" for topic in qos.SUBSCRIBED}
    given = allowed("/urban_map_loc_inputs", "topics", "publish") | allowed("/urban_map_loc_operator", "topics", "publish")
    assert heard <= given
