# What every recipe shares. A recipe sources this file; it sets DATA and OUT and works in OUT.
#
#   step OUTPUT COMMAND...   runs the command, unless OUTPUT was finished before
#   stopped_after M COMMAND  sends Ctrl-C after M minutes, as was done by hand; the last finished epoch stays
#
# DRY_RUN=1 prints the steps and runs nothing. PYTHON is the interpreter with handlens[train] (python3).

RECIPES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python3}
export PYTHON PYTHONPATH="$(dirname "$RECIPES")/src:$(dirname "$RECIPES")${PYTHONPATH:+:$PYTHONPATH}"

start_in() {  # the folder of all results; the recipes share it, so that none makes what another made
    OUT=$1
    [ -n "${DRY_RUN:-}" ] && return
    mkdir -p "$OUT" && cd "$OUT" && OUT=$PWD && mkdir -p sets runs models
}

with_data() {  # DATA [OUT]
    if [ $# -lt 1 ] || [ $# -gt 2 ]; then
        echo "usage: bash ${0} DATA [OUT]" >&2
        exit 2
    fi
    DATA=$1
    if [ -z "${DRY_RUN:-}" ]; then
        DATA=$(cd "$1" && pwd)
    fi
    start_in "${2:-recipes-out}"
}

step() {
    local output=$1
    shift
    if [ -n "${DRY_RUN:-}" ]; then
        printf '%s\t' "$output"
        printf '%q ' "$@"
        echo
        return
    fi
    if [ -e "$output" ] && [ -e "$output.done" ]; then
        echo "done before: $output"
        return
    fi
    case $output in
        runs/*) ;;                # a training that was broken off goes on
        *) rm -rf "./$output" ;;  # anything else is made again
    esac
    echo "+ $*"
    "$@"
    if [ ! -e "$output" ]; then
        echo "the step wrote no $output" >&2
        exit 1
    fi
    touch "$output.done"
}

stopped_after() {
    local minutes=$1 code=0
    shift
    timeout --signal=INT "${minutes}m" "$@" || code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 124 ]
}

rendered_hands() {  # hands that are rendered, for signs and segment
    step sets/render_digits.npz "$PYTHON" -m recipes.signs.render --out sets/render_digits.npz --count 12000
    step sets/render_hands.npz "$PYTHON" -m recipes.signs.render --kind colour --names all --out sets/render_hands.npz --count 3000
}
