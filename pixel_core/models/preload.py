"""What worker processes need, imported once in the fork server and shared by all of them."""

import torch  # noqa: F401
import transformers.models.qwen2_5_vl.modeling_qwen2_5_vl  # noqa: F401
