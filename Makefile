# Everything a newcomer needs: `make demo` shows Backbone at work, `make test` holds it to its promises.
# The machine needs Python 3.11 or newer, make and a way to PyPI; all else goes into .venv.
PYTHON ?= python3
RUN = .venv/bin

.PHONY: install demo test lint format bench clean

install: .venv/.installed

.venv/.installed: pyproject.toml uv.lock
	@uv=$$(command -v uv || echo .uv/bin/uv); \
	if [ ! -x "$$uv" ]; then \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv \
	  || { $(PYTHON) -m venv .uv/venv && .uv/venv/bin/pip install --quiet uv && mkdir -p .uv/bin && ln -sf ../venv/bin/uv .uv/bin/uv; }; \
	fi; \
	"$$uv" sync --quiet --frozen --compile-bytecode --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch .venv/.installed

demo: install
	@rm -rf demo
	$(RUN)/backbone demo demo

# A worker for each core, up to four; who has nothing left to do takes tests from another.
# What is run in processes of its own starts twice as fast where the package is compiled already.
test: lint
	$(RUN)/python -m compileall -q src
	$(RUN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: install
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

format: install
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

bench: install
	@uv=$$(command -v uv || echo .uv/bin/uv); "$$uv" sync --quiet --frozen --compile-bytecode --group bench
	$(RUN)/python -m compileall -q src
	$(RUN)/python -m benchmarks.run

clean:
	rm -rf .venv .uv demo .mypy_cache .ruff_cache .pytest_cache
