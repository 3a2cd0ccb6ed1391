#!/usr/bin/env bash
# Makes demo.mp4 and demo.json, which need no data: bash recipes/demo/run.sh [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
start_in "${1:-recipes-out}"

step media/demo.json "$PYTHON" -m recipes.demo.clip --out media
