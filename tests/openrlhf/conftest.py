"""Agreement with the real OpenRLHF: ``make openrlhf-agreement``, in an environment of its own.

Elsewhere nothing here is collected. The package is asked for by its metadata: this folder
shares its name.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    version("openrlhf")
except PackageNotFoundError:
    collect_ignore_glob = ["test_*.py"]
else:
    import stand_ins

    stand_ins.install()
