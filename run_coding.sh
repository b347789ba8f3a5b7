#!/usr/bin/env bash
# From a fresh clone to a result.
#
#   ./run_coding.sh                       install, then a small evolution on the benchmark
#   ./run_coding.sh test [pytest args]    install, then the tests
#   ./run_coding.sh evolve|evaluate|h1|h2|h3 [flags of run_main.py]
#
# With a key of OpenAI a run stops at 5 USD, unless --max_cost_usd or --max_tokens says otherwise.
# Needs Python 3.11 or newer and git; never needs root.
set -euo pipefail
# Paths that are given mean what they mean where the user is: only installing and testing go into the checkout.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

fail() { echo "run_coding.sh: $1" >&2; exit "${2:-1}"; }

case "${1:-}" in
  ""|test|evolve|evaluate|h1|h2|h3|-h|--help) ;;
  *) fail "unknown command '$1': use test, evolve, evaluate, h1, h2 or h3 (no command: a small evolution)" 2 ;;
esac
if [[ "${1:-}" == "-h" || "${1:-}" == "--help" ]]; then
  sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 0
fi

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    if [[ -n "$candidate" ]] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"
}

# The environment is complete when the file says so; a broken-off installation is repaired by the next call.
install() {
  cd "$root"
  command -v git >/dev/null || fail "needs git"
  local wanted
  wanted="$(cksum < requirements.txt)"
  [[ -f .venv/installed && "$(cat .venv/installed)" == "$wanted" ]] && return
  local python
  python="$(find_python)"
  echo "Installing into .venv (about a minute, once) ..." >&2
  "$python" -m venv .venv || fail "python -m venv failed (Debian/Ubuntu: apt-get install python3-venv)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt \
    || fail "pip could not install requirements.txt; see its message above"
  echo "$wanted" > .venv/installed
}

# The cap of a run that pays. Not for a server of your own (its prices are not known), nor for what was begun before.
has_key() {
  "$root/.venv/bin/python" -c 'import os, sys
from dotenv import load_dotenv
load_dotenv(os.environ.get("DOTENV_PATH") or sys.argv[1])
sys.exit(not os.environ.get("OPENAI_API_KEY") or bool(os.environ.get("OPENAI_BASE_URL")))' "$root/.env"
}
cap() {
  case " $* " in
    *" --max_cost_usd"*|*" --max_tokens"*|*" --resume"*|*" --replay"*|*" --pack"*|*" --costs"*|*" --report"*) return ;;
  esac
  if has_key; then echo "--max_cost_usd 5"; fi
}

(install)
command="${1:-}"
[[ $# -gt 0 ]] && shift
case "$command" in
  test)
    cd "$root"
    exec .venv/bin/python -m pytest "$@" ;;
  evolve)
    exec "$root/.venv/bin/python" "$root/run_main.py" --status train $(cap "$@") "$@" ;;
  evaluate)
    exec "$root/.venv/bin/python" "$root/run_main.py" --status test $(cap "$@") "$@" ;;
  h1|h2|h3)
    exec "$root/.venv/bin/python" "$root/run_main.py" --experiment "$command" $(cap "$@") "$@" ;;
  "")
    exec "$root/.venv/bin/python" "$root/run_main.py" --status train --train_size 16 --steps 2 --update_size 6 --repeats 1 $(cap) ;;
esac
