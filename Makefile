# Two commands on a fresh machine: `make demo` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format lock clean servers fixtures bench fire fire-power fire-bugs fire-faults fire-office fire-soak fire-start

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("imbot needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/demo.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/bench.txt
	touch $@

demo: $(VENV)/.demo
	@$(BIN)/imbot demo

servers:
	@sh tests/install-servers.sh

test: $(VENV)/.dev servers
	$(BIN)/python -m pytest -n 4 --cov --cov-report=term:skip-covered
	$(BIN)/coverage report --fail-under=100 --include='imbot/domain/*,imbot/dialog/*,imbot/store/outbox.py,imbot/store/claims.py,imbot/store/lanes.py'

fixtures: $(VENV)/.dev
	@$(BIN)/python -m tests.mails_table

# make bench [J=J4a,J4c] [ARGS="--rounds 3 --json figures.json --gate"]
bench: $(VENV)/.bench servers
	$(BIN)/python -m benchmarks $(J) $(ARGS)

# make fire [KILLS=2000] [ARGS="--seed 7 --worlds 1"]: people and an ITSM at work while imbot is killed, and what witnesses saw;
# Ctrl-C, once, ends it early and judges what there is
fire: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire kills --kills $(or $(KILLS),120) $(ARGS)

# the same, each death a power failure that takes along what was not synced
fire-power: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire kills --power --kills $(or $(KILLS),40) $(ARGS)

# the faults of normal life, each alone; or so many pairs by chance: make fire-faults [ARGS="--pairs 100 --seed 7"]
fire-faults: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire faults $(ARGS)

# the test of the rig: mistakes put on copies of the code, all of which it must catch. make fire-bugs [BUGS="name name"]
fire-bugs: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire bugs $(BUGS) $(ARGS)

# a thousand people file a request each within ten minutes. make fire-office [ARGS="--persons 250 --minutes 2.5"] [ARGS=--unlimited]
fire-office: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire office $(ARGS)

# two hours of steady work; ARGS="--folder DIR" of one that was broken off plays its rest
fire-soak: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire soak $(ARGS)

# a start with a hundred thousand parcels that wait
fire-start: $(VENV)/.dev servers
	$(BIN)/python -m tests.fire start $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --extra demo --group build pyproject.toml -o requirements/demo.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --extra demo --group build --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --extra demo --extra bench --group build --group dev pyproject.toml -o requirements/bench.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
