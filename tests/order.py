"""The order of the tests: another one each time, told, and repeatable.

pytest-randomly shuffles the files and the tests of each. Here the files that take long begin
before the others, in an order that is no less by chance: at the end no process is left alone
with one. What a test draws at random is the same in every order.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

#: Folders whose tests train, or start whole programs.
LONG = ("end_to_end", "faults", "flows", "deployments", "cluster", "workers", "bench")

_HERE = Path(__file__).parent
_files: list[str] = []


def draw_the_same(config: pytest.Config) -> None:
    """pytest-randomly would also give each test random numbers of the day."""
    config.option.randomly_reset_seed = False


def _told(config: pytest.Config) -> str | None:
    """How to have this order again; nothing where the order is the written one."""
    if not config.pluginmanager.hasplugin("randomly"):
        return None
    if not config.getoption("randomly_reorganize"):
        return None
    return f"order of the tests: --randomly-seed={config.getoption('randomly_seed')}"


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    _write(session.config)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(config: pytest.Config) -> None:
    _write(config)


def _write(config: pytest.Config) -> None:
    # With -q, pytest leaves out the heading that has the seed.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    told = _told(config)
    if reporter and told and not hasattr(config, "workerinput"):
        reporter.write_line(told)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _told(config):
        return
    # The first file that asks for the run of all stages makes it, for all processes; the
    # others come when it is there, so that nobody waits.
    first = next((item.path for item in items if _takes_the_run(item)), None)

    def rank(item: pytest.Item) -> int:
        if item.path == first:
            return 0
        if _takes_the_run(item):
            return 2
        return 1 if item.path.relative_to(_HERE).parts[0] in LONG else 3

    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(rank(item), ranks.get(item.path, 3))
    items.sort(key=lambda item: ranks[item.path])


def _takes_the_run(item: pytest.Item) -> bool:
    return "smoke" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    random.seed(0)
    for name in ("numpy", "torch"):
        if module := sys.modules.get(name):
            seed = module.random.seed if name == "numpy" else module.manual_seed
            seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A failed test says which files its process had run before it."""
    report = yield
    file = item.nodeid.partition("::")[0]
    if file not in _files:
        _files.append(file)
    if report.failed:
        report.sections.append(("files of this process, the failed one last", " ".join(_files)))
    return report
