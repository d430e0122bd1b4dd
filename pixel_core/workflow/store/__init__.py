"""Artifacts on a folder or S3: keys, manifests, verification, leases, runs, clean-up."""

from pixel_core.workflow.store.artifact import Artifact
from pixel_core.workflow.store.identity import IdentityError
from pixel_core.workflow.store.lease import LeaseLost
from pixel_core.workflow.store.runs import RunRecord, StageRun
from pixel_core.workflow.store.store import Store
from pixel_core.workflow.store.verdict import Damaged, NeverBuilt, Valid, Verdict
from pixel_core.workflow.store.workspace import StoredWorkspace

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
