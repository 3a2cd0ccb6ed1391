#!/usr/bin/env bash
# Makes hands.onnx and hold.onnx: bash recipes/hand/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

step sets/hands "$PYTHON" -m recipes.hand.cache --data "$DATA" --cache sets/hands
# All of the net for as long as there is time, then its heads alone on what the body sees.
step runs/hand1 "$PYTHON" -m recipes.hand.train --cache sets/hands --out runs/hand1 --batch 32 --sizes 64 96 --grow 0.5 --minutes 40
step sets/hand-views "$PYTHON" -m recipes.hand.views --cache sets/hands --out sets/hand-views --count 44000
step sets/hand-views/level8.f16 "$PYTHON" -m recipes.hand.views --cache sets/hands --out sets/hand-views \
    --weights runs/hand1/mean.pt
step runs/hand2 "$PYTHON" -m recipes.hand.heads --cache sets/hands --views sets/hand-views --weights runs/hand1/mean.pt \
    --out runs/hand2 --minutes 30
step models/hands.onnx "$PYTHON" -m recipes.hand.ship --cache sets/hands --weights runs/hand2/mean.pt --out runs/hand-shipped --float \
    --ship models
step models/hold.onnx "$PYTHON" -m recipes.hand.hold --cache sets/hands --weights runs/hand1/mean.pt --out runs/hand-hold \
    --ship models
