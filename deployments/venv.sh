#!/bin/sh
# Keep .venv equal to requirements.lock. `make` runs this before every target that needs the project.
#
#   deployments/venv.sh install              make .venv if it is missing or broken, fill it if it is stale
#   deployments/venv.sh lock [--upgrade]     write requirements.lock and the locks beside it anew from pyproject.toml
#   deployments/venv.sh add FILE             put into .venv what a lock beside requirements.lock names
#
# PYTHON=… names the interpreter. A mirror set for pip, by variable or by file, is used for everything.
set -eu
cd "$(dirname "$0")/.."

root=$(pwd -P)
python_in_venv=$root/.venv/bin/python
stamp=.venv/.complete
wanted="Python 3.11, 3.12 or 3.13"
python='' ensurepip='' seen=''

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

install() {
    is_fresh && return
    wait_for_other_installs
    is_fresh && return                # another one was at work, and has finished
    rm -f "$stamp"                    # written last, so that an interrupted install is never taken for a whole one
    is_usable || make_venv
    fill
    fingerprint > "$stamp"
}

lock() {
    wait_for_other_installs
    is_usable || make_venv
    add_uv || fail "there is no uv for this machine, and only uv writes a lock for every platform"
    use_mirror_of_pip
    echo uv | compile - -o deployments/installer.lock "$@"
    compile --extra local --extra dev --extra msk pyproject.toml -o requirements.lock "$@"
    of_extra fuzz | compile - -o tests/fuzz/requirements.lock "$@"
    of_extra screenshots | compile - --constraints requirements.lock -o deployments/local/screenshots.lock "$@"
    # shellcheck disable=SC2046     # one word a place
    of_extra images | compile - -c requirements.lock $(but_what_is_locked) -o tests/images/requirements.lock "$@"
    compile --extra msk pyproject.toml -c requirements.lock -o deployments/docker/requirements.lock "$@"
    echo setuptools | compile - -c requirements.lock -o deployments/docker/build.lock "$@"
}

# No file but a wheel: what is only an aid is not worth a compiler.
add() { pip install --quiet --only-binary :all: --no-deps --require-hashes -r "$1"; }

but_what_is_locked() { sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock; }

of_extra() {
    "$python_in_venv" -c '
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' "$1"
}

# The lowest Python is named, for a lock made on 3.13 would otherwise hold for 3.13 alone.
compile() {
    "$python_in_venv" -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@" >/dev/null
}

# --- what is there ---

# By content and not by date: a checkout sets dates as it likes.
fingerprint() {
    printf '%s\n' "$root"
    cksum requirements.lock pyproject.toml deployments/installer.lock deployments/venv.sh
    "$python_in_venv" -V 2>&1
}

is_fresh() { [ -f "$stamp" ] && is_the_python_asked_for && [ "$(fingerprint)" = "$(cat "$stamp")" ]; }

is_usable() {
    is_in_range "$python_in_venv" && is_the_python_asked_for && "$python_in_venv" -c 'import pip' 2>/dev/null &&
        grep -qF "$root/.venv" .venv/bin/activate     # in a checkout that was moved, its scripts point nowhere
}

is_the_python_asked_for() {
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -V 2>&1)" = "$("$python_in_venv" -V 2>&1)" ]
}

is_in_range() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1
}

# The lock belongs to the open file, so it ends with this script however that ends. (macOS has no flock command.)
wait_for_other_installs() {
    find_python
    exec 9> .venv.lock
    "$python" -c '
import fcntl, sys
try:
    fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.stderr.write("waiting for another install into this .venv\n")
    fcntl.flock(0, fcntl.LOCK_EX)' <&9
}

# --- the interpreter and the virtualenv ---

# Set $python, and $ensurepip to "yes" if it can make a whole virtualenv by itself, which is what is looked for first.
find_python() {
    [ -z "$python" ] || return 0
    PATH=$(printf ':%s:' "$PATH" | sed "s|:$root/.venv/bin:|:|g; s/^://; s/:\$//")   # never itself
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is no command, and Sluice needs $wanted."
        is_in_range "$PYTHON" || fail "PYTHON=$PYTHON is $(version_of "$PYTHON"), and Sluice needs $wanted."
        consider "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python "$(python_of_uv)"; do
        [ -z "$candidate" ] || [ "$ensurepip" = yes ] || consider "$candidate"
    done
    [ -n "$python" ] || fail "Sluice needs $wanted, and PATH has ${seen:-no Python at all}." \
        "Install one, or name it: make PYTHON=/path/to/python3.12"
}

python_of_uv() { uv python find --system '>=3.11,<3.14' 2>/dev/null || true; }

consider() {
    if is_in_range "$1"; then
        : "${python:=$1}"
        if "$1" -c 'import ensurepip, venv' 2>/dev/null; then python=$1 ensurepip=yes; fi
    elif "$1" -V >/dev/null 2>&1; then
        seen="${seen:+$seen, }$(version_of "$1") ($1)"
    fi
}

version_of() { "$1" -V 2>&1 || true; }

make_venv() {
    find_python
    [ ! -e .venv ] && [ ! -L .venv ] || say "making .venv anew: it is broken, half-made, moved or of another Python"
    rm -rf .venv
    if [ "$ensurepip" = yes ]; then
        "$python" -m venv .venv
    elif command -v uv >/dev/null; then
        uv venv --quiet --seed --python "$python" .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
        "$python" -m pip --python "$python_in_venv" install --quiet pip
    else
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$python has no ensurepip, so it makes no virtualenv." \
            "Install it (Debian, Ubuntu: apt install python$minor-venv), or install uv, or name another: make PYTHON=…"
    fi
    say "made .venv with $(version_of "$python") ($(command -v "$python"))"
}

# --- what goes into it ---

# The lock is whole, so no dependency is looked for (pip would look for one of prefect[…]'s extras outside the lock).
fill() {
    unset PYTHONDONTWRITEBYTECODE     # compiled once here: without it each Prefect process starts 2.5 s later
    say "installing $(grep -c '^[a-z].*==' requirements.lock) locked packages into .venv"
    fill_with_uv || {
        say "uv did not install them; pip does it now, which takes minutes"
        pip install --quiet --compile --require-hashes --no-deps -r requirements.lock
        pip install --quiet --no-deps --no-build-isolation --editable .
    }
}

fill_with_uv() {
    add_uv && use_mirror_of_pip &&
        uv_install --require-hashes --no-deps --compile-bytecode -r requirements.lock &&
        uv_install --no-deps --no-build-isolation --editable .
}

add_uv() { pip install --quiet --only-binary :all: --require-hashes -r deployments/installer.lock; }

uv_install() { "$python_in_venv" -m uv pip install --quiet --python "$python_in_venv" "$@"; }

# A `user = true` in somebody's pip.conf is an error inside a virtualenv.
pip() { PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$python_in_venv" -m pip "$@"; }

# --- a user's mirror: uv does not read what pip is told ---

use_mirror_of_pip() {
    told=$(pip config list 2>/dev/null || true)
    [ -n "${UV_INDEX_URL:-}" ] || pass_on UV_DEFAULT_INDEX "$(pip_option index-url)"
    pass_on UV_INDEX "$(pip_option extra-index-url)"
    pass_on UV_INDEX_STRATEGY unsafe-best-match      # pip's own way; safe here, for each file is named by its hash
    # shellcheck disable=SC2046     # one word a place
    pass_on UV_FIND_LINKS "$(places_that_exist $(pip_option find-links))"
    pass_on UV_INSECURE_HOST "$(pip_option trusted-host)"
    pass_on SSL_CERT_FILE "$(pip_option cert)"
    pass_on UV_HTTP_TIMEOUT "$(pip_option default-timeout)"
    pass_on UV_HTTP_TIMEOUT "$(pip_option timeout)"
    pass_on ALL_PROXY "$(pip_option proxy)"
}

# Set variable $1 to $2, unless it is set already or there is nothing to say.
pass_on() {
    eval "[ -n \"\${$1:-}\" ]" || [ -z "$2" ] || export "$1=$2"
}

# Print what pip goes by for option $1: a variable before [install] before [global].
pip_option() {
    for section in :env: install global; do
        value=$(printf '%s\n' "$told" | sed -n "s/^$section\.$1='\(.*\)'\$/\1/p" | sed 's/\\n/ /g; s/^ *//')
        if [ -n "$value" ]; then
            printf '%s\n' "$value"
            return
        fi
    done
}

# Print addresses and existing folders, with commas: pip passes over a missing folder, uv stops at it.
places_that_exist() {
    places=''
    for place in "$@"; do
        case $place in *://*) ;; *) [ -e "$place" ] || continue ;; esac
        places=${places:+$places,}$place
    done
    printf '%s\n' "$places"
}

verb=${1:-install}
[ $# -eq 0 ] || shift
case $verb in
    install | lock | add) "$verb" "$@" ;;
    *) fail "unknown verb '$verb': install, lock or add" ;;
esac
