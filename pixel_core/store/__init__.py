"""Artifacts on a folder or S3: keys, manifests, verification, leases, runs, clean-up."""

from pixel_core.store.artifact import Artifact
from pixel_core.store.identity import IdentityError
from pixel_core.store.lease import LeaseLost
from pixel_core.store.runs import RunRecord, StageRun
from pixel_core.store.store import Store
from pixel_core.store.verdict import Damaged, NeverBuilt, Valid, Verdict
from pixel_core.store.workspace import StoredWorkspace

__all__ = [
    "Artifact",
    "Damaged",
    "IdentityError",
    "LeaseLost",
    "NeverBuilt",
    "RunRecord",
    "StageRun",
    "Store",
    "StoredWorkspace",
    "Valid",
    "Verdict",
]
