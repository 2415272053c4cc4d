# On a fresh machine with Python 3.11, git and make: `make repro` runs the default study, `make test` the tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Stages are started as `python -m polyprobe.stages.NAME`: this python is the environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: install repro push pull test test-slow soak lint audit bench lock

install: $(INSTALLED)

# torch comes first and by version only, so that a CPU build on disk or a CUDA build from the index both serve; all else
# comes with hashes and without a resolver.
$(INSTALLED): requirements-torch.txt requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "polyprobe needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/polyprobe offline-plots
	touch $@

repro: install
	$(BIN)/dvc repro
	$(BIN)/dvc metrics show

# Outputs of the study in force and the run-cache, to and from the remote (docs/sharing.md).
push: install
	$(BIN)/dvc push --run-cache

pull: install
	$(BIN)/dvc pull --run-cache

# Tests run side by side, one thread each: threads that wait for each other on shared cores take many times as long.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST) -m "not soak and not slow"

test-slow: install
	$(PYTEST) -m "slow and not soak"

soak: install
	$(BIN)/python -m pytest -m soak

lint: install
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

# Known vulnerabilities of what is locked, by a tool in an environment of its own. torch is locked by version only: no one
# hash serves the builds for CPUs and for GPUs. What could not be looked up fails too.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit
	$(VENV)-audit/bin/pip-audit --strict --requirement requirements.lock --disable-pip --require-hashes
	$(VENV)-audit/bin/pip-audit --strict --requirement requirements-torch.txt --disable-pip --no-deps
	rm -rf $(VENV)-audit

bench: install
	for script in benchmarks/[!_]*.py; do $(BIN)/python $$script || exit 1; done

# CUDA's packages are torch's own business: it pins them itself.
NOT_LOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti \
	nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
	nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --extra dev --constraint requirements-torch.txt --universal \
		--python-version 3.11 --generate-hashes --quiet --custom-compile-command "make lock" \
		$(addprefix --no-emit-package ,$(NOT_LOCKED)) --output-file requirements.lock
	rm -rf $(VENV)-lock
