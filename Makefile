# make run     make the environment if missing, run the embedded default, end with a report
# make test    make the environment if missing, run the tests in another order each time
#              (SEED=... repeats one; JOBS=... processes)
# make test-ci   the same and the costlier ones too: whole programs that are killed and go on,
#              Ray, schedules, browsers; CI runs it
# make check   style, format, types
# make env     only the environment
# make bench   speed, side by side with peers (STORE=... names a finished run's store)
# make bench-trl   curiosity RL beside TRL's GRPOTrainer, in an environment of its own,
#              .venv-trl (1.5 GB); about 6 minutes (STORE=... names a tiny run's store)
# make test-long   what else takes minutes: whole pipelines on S3 and with one worker, two runs
#              at once, every benchmark once; about 5 minutes
# make test-properties   the property tests on thousands of random examples that are new each time
# make test-ray   what takes minutes with a real Ray or Prefect scheduler on this machine: SFT,
#              RL and answers as jobs, lost workers and actors, cancelled and scheduled runs
# make openrlhf-agreement   our advantages, loss, command line and agent against the real
#              OpenRLHF, in its own environment .venv-openrlhf (1.5 GB; Python 3.11)
# make graders-agreement   our graders against public scorers on random answers, in its own
#              environment .venv-graders (200 MB; Python 3.11); half a minute
# make vllm-parity   vLLM beside our engine, token by token, with the real vLLM for CPUs in its
#              own environment .venv-vllm (3 GB; Python 3.11); about 6 minutes
# make openrlhf-real   the real OpenRLHF and the real vLLM train a tiny model on this CPU, are
#              killed and go on; in an environment of its own, .venv-gpu-cpu (4.2 GB; Python
#              3.11 and a C++ compiler); some minutes

ifneq ($(shell uname -s),Linux)
$(error This needs Linux: on macOS use a Linux container or virtual machine, on Windows WSL 2)
endif

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	{ command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OPENRLHF := .venv-openrlhf
GRADERS := .venv-graders
GPU_ON_CPU := .venv-gpu-cpu
TRL := .venv-trl
VLLM := .venv-vllm
VLLM_STORE := .pixel-vllm

# How many processes of tests: one more than cores on two, since many tests wait. The order is
# another one each time; what it was is the first and the last line.
JOBS ?= 3
PYTEST := $(BIN)/python -m pytest $(if $(SEED),--randomly-seed=$(SEED))
BY_FILE := --dist loadfile --no-loadscope-reorder

.PHONY: env run test test-ci test-long test-properties test-ray check format bench bench-trl \
	graders-agreement openrlhf-agreement openrlhf-real vllm-parity

run: $(STAMP)
	$(BIN)/pixel run --profile tiny

test: $(STAMP)
	$(PYTEST) -m "not slow and not ci" -n $(JOBS) $(BY_FILE) tests

test-ci: $(STAMP)
	$(PYTEST) -m "not slow" -n $(JOBS) $(BY_FILE) tests

test-long: $(STAMP)
	$(PYTEST) -m slow -n 2 $(BY_FILE) tests/end_to_end tests/faults tests/flows \
		tests/bench tests/data/sources tests/evaluation tests/serving/http tests/serving/demo tests/serving \
		tests/training/test_team.py

test-properties: $(STAMP)
	$(PYTEST) -m hypothesis --hypothesis-profile=explore -n 2 tests

test-ray: $(STAMP)
	$(PYTEST) -m slow tests/workflow/cluster tests/workflow/parallel tests/training \
		tests/models tests/deployments

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m bench.run_all $(if $(STORE),--store $(STORE))

bench-trl: $(STAMP) $(TRL)/.installed
	$(BIN)/python -m bench.against_trl $(if $(STORE),--store $(STORE))

# The last install brings what a CUDA build of torch pins; for a CPU build, nothing.
$(TRL)/.installed: bench/requirements-trl.txt | $(STAMP)
	@test -x $(TRL)/bin/python || $(BIN)/python -m venv $(TRL)
	@echo "installing TRL into $(TRL) (about a minute)"
	@$(TRL)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input --no-deps -r bench/requirements-trl.txt
	@$(TRL)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input torch
	@touch $@

openrlhf-agreement: $(OPENRLHF)/.installed
	OMP_NUM_THREADS=1 $(OPENRLHF)/bin/python -m pytest -c tests/openrlhf/pytest.ini tests/openrlhf

$(OPENRLHF)/.installed: tests/openrlhf/requirements.txt
	@python3.11 -c '' || { echo "OpenRLHF's pins need python3.11: install it" >&2; exit 1; }
	@test -x $(OPENRLHF)/bin/python || python3.11 -m venv $(OPENRLHF)
	@echo "installing the real OpenRLHF for a CPU into $(OPENRLHF) (a few minutes)"
	@$(OPENRLHF)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input --no-deps -r tests/openrlhf/requirements.txt
	@# Where pip took a CUDA build of torch, the packages it pins; for a CPU build, nothing.
	@$(OPENRLHF)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input torch
	@touch $@

graders-agreement: $(GRADERS)/.installed
	$(GRADERS)/bin/python -m pytest -c tests/graders_agreement/pytest.ini tests/graders_agreement

$(GRADERS)/.installed: tests/graders_agreement/requirements.txt
	@python3.11 -c '' || { echo "the pins of the scorers need python3.11: install it" >&2; exit 1; }
	@test -x $(GRADERS)/bin/python || python3.11 -m venv $(GRADERS)
	@echo "installing the public scorers into $(GRADERS)"
	@$(GRADERS)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input --no-deps -r tests/graders_agreement/requirements.txt
	@touch $@

openrlhf-real: $(GPU_ON_CPU)/.installed
	OMP_NUM_THREADS=1 $(GPU_ON_CPU)/bin/python -m pytest -c tests/openrlhf_real/pytest.ini \
		tests/openrlhf_real --durations=3

$(GPU_ON_CPU)/.installed: tests/openrlhf_real/requirements.txt
	@python3.11 -c '' || { echo "OpenRLHF's pins need python3.11: install it" >&2; exit 1; }
	@test -x $(GPU_ON_CPU)/bin/python || python3.11 -m venv $(GPU_ON_CPU)
	@echo "installing OpenRLHF and vLLM for a CPU into $(GPU_ON_CPU) (a few minutes)"
	@$(GPU_ON_CPU)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input --no-deps -r tests/openrlhf_real/requirements.txt
	@$(GPU_ON_CPU)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input torch
	@echo "compiling DeepSpeed's operators for a CPU (some minutes)"
	@rm -rf $(GPU_ON_CPU)/torch_extensions
	@PATH="$(CURDIR)/$(GPU_ON_CPU)/bin:$$PATH" DS_ACCELERATOR=cpu \
		TORCH_EXTENSIONS_DIR=$(CURDIR)/$(GPU_ON_CPU)/torch_extensions \
		$(GPU_ON_CPU)/bin/python tests/openrlhf_real/build_operators.py
	@touch $@

# The model is made first, in the control plane; it is kept, and made again when its settings
# or its code's versions change.
vllm-parity: $(STAMP) $(VLLM)/.installed
	$(BIN)/pixel run --profile tests/vllm/zooming.toml --store $(VLLM_STORE) --until sft
	PIXEL_VLLM_STORE=$(VLLM_STORE) OMP_NUM_THREADS=1 \
		$(VLLM)/bin/python -m pytest -c tests/vllm/pytest.ini tests/vllm

$(VLLM)/.installed: tests/vllm/requirements.txt
	@python3.11 -c '' || { echo "the pins of vLLM need python3.11: install it" >&2; exit 1; }
	@test -x $(VLLM)/bin/python || python3.11 -m venv $(VLLM)
	@echo "installing the real vLLM for a CPU into $(VLLM) (a few minutes)"
	@$(VLLM)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input --no-deps -r tests/vllm/requirements.txt
	@# Where pip took a CUDA build of torch, the packages it pins; for a CPU build, nothing.
	@$(VLLM)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-input torch
	@touch $@

env: $(STAMP)

# uv where there is one: the same lock in half a minute. It does not read pip's settings, so those
# of the environment are handed on. pip does it where uv is missing or fails.
UV_INSTALL = command -v uv >/dev/null 2>&1 && \
	export UV_INDEX_STRATEGY=$${UV_INDEX_STRATEGY:-unsafe-best-match} \
		UV_LINK_MODE=$${UV_LINK_MODE:-copy} && \
	{ [ -z "$$PIP_INDEX_URL" ] || export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}"; } && \
	{ [ -z "$$PIP_EXTRA_INDEX_URL" ] || export UV_INDEX="$${UV_INDEX:-$$PIP_EXTRA_INDEX_URL}"; } && \
	{ [ -z "$$PIP_FIND_LINKS" ] || export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}"; } && \
	{ uv pip install --quiet --python $(BIN)/python --constraint requirements.lock \
		--build-constraint requirements.lock -e '.[dev]' || \
		{ echo "uv could not install them; trying pip" >&2; false; }; }

# The lock constrains the build's own environment too, hence PIP_CONSTRAINT and not -c.
$(STAMP): requirements.lock pyproject.toml
ifeq ($(strip $(PYTHON)),)
	@echo "No Python 3.11 or newer with venv was found. Install one (on Debian or Ubuntu:" >&2
	@echo "apt install python3.11 python3.11-venv), or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2
	@exit 1
else
	@test -x $(BIN)/python || { echo "making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the locked packages into $(VENV) (a few minutes the first time)"
	@$(UV_INSTALL) || PIP_CONSTRAINT=requirements.lock $(BIN)/python -m pip install --quiet \
		--quiet --disable-pip-version-check --no-input -e '.[dev]'
	@$(BIN)/python -m flows.new_database || \
		echo "no database was prepared: the first run lets Prefect make it" >&2
	@touch $(STAMP)
endif
