#!/usr/bin/env bash
# Build .venv from requirements.lock, and only when that has changed: `make` runs this before anything that needs Python.
#
# In order: uv from PATH; a uv of the version that the lock pins, installed by pip into .venv-tools; plain venv and pip.
# Whichever installs, every file is checked against its hash and byte-compiled (TensorFlow then imports 3 times faster).
#
#   BASE_PYTHON=/path/to/python3.12 tools/environment.sh    choose the Python yourself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LOCK=requirements.lock ENVIRONMENT=.venv TOOLS=.venv-tools
readonly STAMP=$ENVIRONMENT/built-from PROJECT_STAMP=$ENVIRONMENT/project-built-from
PATH=${PATH//"$PWD/$ENVIRONMENT/bin:"/} # never build an environment with itself
export PATH UV_PYTHON_DOWNLOADS=never # an absent Python is an error to read, not a download
quiet=--quiet # a log wants the outcome, a person at a terminal the progress
[ ! -t 2 ] || quiet=

say() { printf 'environment: %s\n' "$*" >&2; }

# What a finished environment was made from. A virtual environment cannot be moved, so the place counts as well.
wanted() { pwd && cat "$LOCK"; }

up_to_date() { [ -x "$ENVIRONMENT/bin/python" ] && "$ENVIRONMENT/bin/python" -c '' 2>/dev/null && wanted | cmp -s - "$STAMP"; }

# requires-python = ">=3.LOW,<3.HIGH", read from its one home.
range() { sed -n 's/^requires-python = ">=3\.\([0-9]*\),<3\.\([0-9]*\)"$/\1 \2/p' pyproject.toml; }

# The first usable Python: the one chosen, the active one, then the newest by name.
find_python() {
    local low high minor candidate
    read -r low high < <(range)
    local candidates=(python3 python)
    for ((minor = high - 1; minor >= low; minor--)); do candidates+=("python3.$minor"); done
    [ -z "${BASE_PYTHON:-}" ] || candidates=("$BASE_PYTHON")
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import sys; sys.exit(not (3, $low) <= sys.version_info[:2] < (3, $high))" 2>/dev/null; then
            # Not a version manager's shim, nor the python of a virtual environment, which may go away.
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
    say "no Python from 3.$low to 3.$((high - 1)) among: ${candidates[*]}"
    say "fix: install one, or name it: make env BASE_PYTHON=/path/to/python3.$((high - 1))"
    return 1
}

# The lock's own entry for uv, hashes and all: one pin for the tool and for the environment.
uv_requirement() { sed -n '/^uv==/,/[^\\]$/p' "$LOCK"; }

find_uv() { # prints the path of a uv, or fails
    if command -v uv; then return; fi
    if ! uv_requirement | cmp -s - "$TOOLS/uv.txt"; then
        say "no uv on PATH: installing the pinned one into $TOOLS"
        rm -rf "$TOOLS"
        "$PYTHON" -m venv "$TOOLS" >&2 || return 1
        uv_requirement >"$TOOLS/requirement.txt"
        "$TOOLS/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --requirement "$TOOLS/requirement.txt" >&2 || return 1
        mv "$TOOLS/requirement.txt" "$TOOLS/uv.txt"
    fi
    printf '%s\n' "$TOOLS/bin/uv"
}

with_uv() {
    local uv
    uv=$(find_uv) || return 1
    "$uv" venv --quiet --python "$PYTHON" "$ENVIRONMENT" &&
        VIRTUAL_ENV=$PWD/$ENVIRONMENT "$uv" pip sync ${quiet:+"$quiet"} --require-hashes --compile-bytecode "$LOCK"
}

with_pip() {
    "$PYTHON" -m venv "$ENVIRONMENT" || {
        say "fix: give $PYTHON its venv module (Debian: apt-get install python3-venv), or put uv on PATH"
        return 1
    }
    "$ENVIRONMENT/bin/python" -m pip install ${quiet:+"$quiet"} --disable-pip-version-check \
        --require-hashes --requirement "$LOCK"
}

# The project itself, editable, with nothing resolved and nothing fetched (uv is in the lock, so it is there by now).
install_project() {
    rm -f "$PROJECT_STAMP"
    VIRTUAL_ENV=$PWD/$ENVIRONMENT "$ENVIRONMENT/bin/uv" pip install --quiet --offline --no-deps --no-build-isolation --editable .
    cp pyproject.toml "$PROJECT_STAMP"
}

if ! up_to_date; then
    PYTHON=$(find_python)
    say "building $ENVIRONMENT with $("$PYTHON" --version) from $LOCK"
    rm -rf "$ENVIRONMENT"
    if ! with_uv; then
        say "uv could not do it: trying venv and pip (slower)"
        rm -rf "$ENVIRONMENT"
        with_pip
    fi
    install_project
    wanted >"$STAMP" # the last step: a build that failed or was interrupted leaves no stamp
    say "ready in $SECONDS s"
elif ! cmp -s pyproject.toml "$PROJECT_STAMP"; then
    install_project
fi
