# Two commands do everything: `make demo` and `make test`. Both set up their own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto

# uv installs in seconds what takes pip minutes, from where pip is told to.
UV := $(BIN)/uv
told := $(shell $(PYTHON) -m pip config list 2>/dev/null | sed -n -e "s/.*[.]\(find-links\)='\(.*\)'/\1=\2/p" -e "s/.*[.]\(index-url\)='\(.*\)'/\1=\2/p")
first = $(patsubst $(1)=%,%,$(firstword $(filter $(1)=%,$(told))))
ifneq ($(call first,find-links),)
export UV_FIND_LINKS ?= $(call first,find-links)
endif
ifneq ($(call first,index-url),)
export UV_DEFAULT_INDEX ?= $(call first,index-url)
endif
# Programs that tests start would compile thousands of modules each time.
unexport PYTHONDONTWRITEBYTECODE
# $(call fresh,ENVIRONMENT) makes an empty one, $(call install,ENVIRONMENT) WHAT installs into one.
fresh = $(UV) venv --quiet --clear --python $(PYTHON) $(1)
install = $(UV) pip install --quiet --python $(1)/bin/python

.PHONY: demo docs test test-all test-package test-oldest test-space test-engines test-harnesses test-scale fuzz audit browser lint clean

demo: $(VENV)/.demo
	$(BIN)/medq-deg demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term:skip-covered

# With every long proof, of which `make test` runs a sample that changes with the date (SLOW_SEED repeats one).
test-all:
	SLOW=all $(MAKE) test test-package test-space test-engines test-scale test-harnesses

# What the tests of the pages need besides Chromium; without it they skip.
browser: $(VENV)/.browser

# The site, into site/: strictly, and without a network.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The oldest of every direct dependency that is supported.
test-oldest: $(VENV)-oldest/.ready
	$(VENV)-oldest/bin/python -m pytest tests/metrics tests/test_cli.py tests/test_package.py tests/test_registration.py tests/degradations/test_golden.py tests/degradations/test_values.py tests/degradations/test_transform.py tests/data/test_loading.py tests/data/test_build.py tests/data/test_load.py tests/data/test_reference.py tests/data/test_fly.py

# What a user installs: the wheel, made from the sdist, without the source tree and without any extra.
test-package: $(VENV)/.test
	rm -rf dist $(VENV)-package
	$(BIN)/python -m hatchling build --target sdist
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist dist/medq_deg-*.tar.gz
	$(call fresh,$(VENV)-package)
	$(call install,$(VENV)-package) --constraint constraints.txt dist/medq_deg-*.whl
	$(BIN)/python -m pytest tests/packaging

# The leaderboard Space, in an environment of its own: Gradio holds some packages back.
test-space: $(VENV)-space/.ready
	$(VENV)-space/bin/python -m pytest tests/hub/test_space.py

# Real servers, llama.cpp's and the LiteLLM proxy, in an environment of their own: LiteLLM holds huggingface_hub back.
test-engines: $(VENV)/.test $(VENV)-engines/.ready
	$(BIN)/python -m pytest tests/engines

# inspect-ai, lm-evaluation-harness and lmms-eval, which are no dependencies. lmms-eval is installed without its own, most
# of which its models need: torchvision among them, which does not import beside the CPU's torch.
test-harnesses: $(VENV)-harnesses/.ready
	$(VENV)-harnesses/bin/python -m pytest -n $(WORKERS) tests/inspect tests/harness

# A Dask cluster of two workers and a server of S3's protocol, both on loopback.
test-scale: $(VENV)-scale/.ready
	$(VENV)-scale/bin/python -m pytest -n $(WORKERS) tests/scale

$(VENV)-scale/.ready: pyproject.toml constraints.txt | $(UV)
	$(call fresh,$(VENV)-scale)
	$(call install,$(VENV)-scale) --constraint constraints.txt --editable '.[scale]' 'moto[server]>=5.2,<6' pytest pytest-xdist
	touch $@

$(VENV)-harnesses/.ready: pyproject.toml constraints.txt | $(UV)
	$(call fresh,$(VENV)-harnesses)
	$(call install,$(VENV)-harnesses) --constraint constraints.txt --editable '.[inspect,harnesses,models]' pytest pytest-xdist 'lm-eval>=0.4.13,<0.5'
	$(call install,$(VENV)-harnesses) --no-deps 'lmms-eval>=0.7.3,<0.8'
	$(call install,$(VENV)-harnesses) jsonlines loguru numexpr pytablewriter python-dotenv sacrebleu tenacity tqdm-multiprocess
	touch $@

$(VENV)-engines/.ready: | $(UV)
	$(call fresh,$(VENV)-engines)
	$(call install,$(VENV)-engines) 'litellm[proxy]>=1.80,<2' 'xllamacpp>=2026.10' 'gguf>=0.17'
	touch $@

$(VENV)-space/.ready: pyproject.toml | $(UV)
	$(call fresh,$(VENV)-space)
	$(call install,$(VENV)-space) --editable . 'gradio>=6.0,<7' playwright pytest
	touch $@

$(VENV)-oldest/.ready: pyproject.toml | $(UV)
	$(call fresh,$(VENV)-oldest)
	$(call install,$(VENV)-oldest) --resolution lowest-direct -r pyproject.toml 'pytest>=8.2' 'hypothesis>=6.100' 'scikit-image>=0.24'
	$(call install,$(VENV)-oldest) --no-deps --editable .
	touch $@

# Damaged inputs for every parser and reader: so many in all, others each time. `make test` runs a small sample of them.
FUZZ ?= 10000
fuzz: $(VENV)/.test
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -n $(WORKERS) tests/fuzz

# Known vulnerabilities of everything that the environment of the tests has installed; asks pypi.org, so not in CI.
audit: $(VENV)/.test $(VENV)-audit/.ready
	$(VENV)-audit/bin/pip-audit --skip-editable --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

$(VENV)-audit/.ready: | $(UV)
	$(call fresh,$(VENV)-audit)
	$(call install,$(VENV)-audit) 'pip-audit>=2.7'
	touch $@

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-audit $(VENV)-oldest $(VENV)-package $(VENV)-space $(VENV)-engines $(VENV)-harnesses $(VENV)-scale runs site .cache dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'uv>=0.9'

# The stamps make the second run quick; a change of the dependencies sets the environment up again.
$(VENV)/.demo: pyproject.toml constraints.txt | $(UV)
	$(call install,$(VENV)) --constraint constraints.txt --editable '.[models]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(UV)
	$(call install,$(VENV)) --constraint constraints.txt --editable '.[models,dicom,review,dev]'
	touch $@ $(VENV)/.demo

$(VENV)/.docs: $(VENV)/.test
	$(call install,$(VENV)) --constraint constraints.txt --editable '.[models,dicom,review,dev,docs]'
	touch $@

$(VENV)/.browser: $(VENV)/.test
	$(call install,$(VENV)) --constraint constraints.txt --editable '.[models,dicom,review,dev,browser]'
	touch $@
