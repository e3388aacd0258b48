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
	"$$uv" sync --quiet --frozen --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch .venv/.installed

demo: install
	@rm -rf demo
	$(RUN)/backbone demo demo

# Two halves that take about as long as each other, side by side.
HALF = tests/analysis src/backbone/analysis tests/pipelines tests/operations
test: lint
	@log=$$(mktemp); \
	$(RUN)/python -m pytest $(HALF) > $$log 2>&1 & half=$$!; \
	$(RUN)/python -m pytest $(HALF:%=--ignore=%); rest=$$?; \
	wait $$half; halved=$$?; cat $$log; rm -f $$log; \
	exit $$((rest | halved))

lint: install
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

format: install
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

bench: install
	@uv=$$(command -v uv || echo .uv/bin/uv); "$$uv" sync --quiet --frozen --group bench
	$(RUN)/python -m benchmarks.run

clean:
	rm -rf .venv .uv demo .mypy_cache .ruff_cache .pytest_cache
