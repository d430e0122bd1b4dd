"""OpenRLHF 0.11.2's command line, from our settings. What can't be said in it is refused in
``config/openrlhf_rules.py``.

Where its method differs in form from our own trainer's (tests/openrlhf holds the rest equal):

- Its loss is a mean over the tokens of all rollouts of an optimizer step, ours over those of
  groups with an advantage: a batch with uniform groups takes a smaller step there.
- ``train_batch`` below queries x group makes several optimizer steps of a batch, which the
  clip then bounds; ours makes one.
- Its warm-up begins at 0, ours at 1/``warmup_steps``; its cosine falls from the warm-up's end
  on, ours from the start.
- Log-probabilities in its loss are over the whole vocabulary, banned tokens included.
- It orders the queries by its own unseeded shuffle.
"""

from __future__ import annotations

from pixel_core.config import DialogueConfig, OptimizerConfig, RlConfig
from pixel_core.training.openrlhf.places import RunFolder
from pixel_core.training.openrlhf.ready import check_layout
from pixel_core.training.openrlhf.scoring import ESTIMATOR

#: Old checkpoints beside the newest: none is ever gone back to.
_KEPT_CHECKPOINTS = 2
#: Our advantages pass its clip of rewards untouched: far beyond any.
_NO_CLIP = 1e6


def build_arguments(
    rl: RlConfig, dialogue: DialogueConfig, folder: RunFolder, pictures: int
) -> list[str]:
    """For ``python -m openrlhf.cli.train_ppo_ray``; ``pictures``: the most of an episode.

    Raises ``ConfigError`` for a layout that does not come out even.
    """
    check_layout(rl)
    return [
        *_data(dialogue, folder, pictures),
        *_method(rl),
        *_optimizer(rl),
        *_evaluation(rl, folder),
        *_layout(rl),
        *_checkpoints(rl, folder),
    ]


def _data(dialogue: DialogueConfig, folder: RunFolder, pictures: int) -> list[str]:
    return [
        *_given("actor.model_name_or_path", folder.start),
        *_given("train.agent_func_path", folder.agent),
        *_given("data.prompt_dataset", folder.train),
        *_given("data.input_key", "prompt"),
        *_given("data.label_key", "label"),
        *_given("data.max_images_per_prompt", pictures),
        *_given("data.max_len", dialogue.max_tokens),
        *_given("rollout.max_new_tokens", dialogue.max_new_tokens),
    ]


def _method(rl: RlConfig) -> list[str]:
    said = [
        *_given("train.seed", rl.seed),
        *_given("train.num_episodes", 1),  # the prompt file holds every step's queries
        *_given("train.max_epochs", 1),
        *_given("rollout.batch_size", rl.queries),
        *_given("rollout.n_samples_per_prompt", rl.group),
        *_given("rollout.temperature", rl.sampling.temperature),
        *_given("rollout.top_p", rl.sampling.top_p),
        *_given("train.batch_size", rl.openrlhf.train_batch),
        *_given("algo.advantage.estimator", ESTIMATOR),
        *_given("reward.clip_range", -_NO_CLIP, _NO_CLIP),
        *_given("actor.eps_clip_low_high", rl.clip_low, rl.clip_high),
        *_given("algo.kl.init_coef", rl.kl),
    ]
    if rl.kl:
        said += ["--algo.kl.use_loss", *_given("algo.kl.estimator", "k3")]
    if rl.entropy:
        said += _given("actor.entropy_coef", rl.entropy)
    if rl.freeze_vision:
        said.append("--actor.freeze_visual_encoder")
    return said


def _optimizer(rl: RlConfig) -> list[str]:
    optimizer = rl.optimizer
    return [
        *_given("actor.optim", "adam"),
        *_given("actor.adam.lr", optimizer.learning_rate),
        *_given("actor.adam.betas", *optimizer.betas),
        *_given("actor.adam.weight_decay", optimizer.weight_decay),
        *_given("actor.max_norm", optimizer.max_grad_norm),
        *_given("actor.lr_scheduler", _schedule(optimizer)),
        *_given("actor.lr_warmup_ratio", _warm_share(rl)),
        *_given("actor.min_lr_ratio", optimizer.final),
    ]


def _warm_share(rl: RlConfig) -> float:
    """A hair below the quotient: it multiplies, and takes the next whole step above."""
    return min(1.0, rl.optimizer.warmup_steps / rl.steps) * (1 - 1e-9)


def _schedule(optimizer: OptimizerConfig) -> str:
    """transformers' name for it."""
    if optimizer.schedule == "cosine":
        return "cosine_with_min_lr"
    if optimizer.schedule == "linear":
        return "linear"
    return "constant_with_warmup" if optimizer.warmup_steps else "constant"


def _evaluation(rl: RlConfig, folder: RunFolder) -> list[str]:
    """Greedy answers to validation questions, one each, as our own trainer asks them."""
    if not rl.validate_every:
        return []
    return [
        *_given("eval.dataset", folder.evaluation),
        *_given("eval.steps", rl.validate_every),
        *_given("eval.temperature", 0.0),
        *_given("eval.n_samples_per_prompt", 1),
    ]


def _layout(rl: RlConfig) -> list[str]:
    layout = rl.openrlhf
    said = [
        *_given("actor.num_nodes", layout.nodes),
        *_given("actor.num_gpus_per_node", layout.gpus_per_node),
        *_given("ref.num_nodes", layout.nodes),
        *_given("ref.num_gpus_per_node", layout.gpus_per_node),
        *_given("vllm.num_engines", layout.engines),
        *_given("vllm.tensor_parallel_size", layout.tensor_parallel),
        *_given("vllm.gpu_memory_utilization", layout.gpu_memory),
        *_given("vllm.sync_backend", layout.sync),
        "--vllm.enable_prefix_caching",  # turns of one episode begin alike
        *_given("ds.param_dtype", layout.dtype),
        *_given("ds.zero_stage", layout.zero_stage),
        *_given("ds.attn_implementation", layout.attention),
        *_given("train.micro_batch_size", layout.micro_train),
        *_given("rollout.micro_batch_size", layout.micro_rollout),
    ]
    if layout.colocate:
        said += ["--train.colocate_all", "--vllm.enable_sleep", "--ds.enable_sleep"]
    elif rl.kl:  # the reference model stands on the trainer's GPUs, and asks for none more
        said.append("--train.colocate_actor_ref")
    if layout.eager:
        said.append("--vllm.enforce_eager")
    if layout.adam_offload:
        said.append("--ds.adam_offload")
    if layout.gradient_checkpointing:
        said.append("--actor.gradient_checkpointing_enable")
    return said


def _checkpoints(rl: RlConfig, folder: RunFolder) -> list[str]:
    return [
        *_given("ckpt.output_dir", folder.final),
        *_given("ckpt.path", folder.checkpoints),
        *_given("ckpt.save_steps", rl.openrlhf.save_every),
        *_given("ckpt.max_num", _KEPT_CHECKPOINTS),
        # A checkpoint chosen by a score would be one more on the disk, and is not asked for.
        *_given("ckpt.best_metric_key", "none"),
        "--ckpt.load_enable",
    ]


def _given(name: str, *values: object) -> list[str]:
    """``repr`` writes a float so that it is read back as the same."""
    texts = [repr(value) if isinstance(value, float) else str(value) for value in values]
    return [f"--{name}", *texts]
