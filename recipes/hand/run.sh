#!/usr/bin/env bash
# Makes hands.onnx, signs.onnx, hold.onnx and hand.safetensors: bash recipes/hand/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

step sets/hands "$PYTHON" -m recipes.hand.cache --data "$DATA" --cache sets/hands
# All of the net for as long as there is time, then its heads alone on what the body sees.
step runs/hand1 "$PYTHON" -m recipes.hand.train --cache sets/hands --out runs/hand1 --batch 32 --sizes 64 96 --grow 0.5 --mirrored 0.2 --minutes 40
step sets/hand-views "$PYTHON" -m recipes.hand.views --cache sets/hands --out sets/hand-views --count 44000 --mirrored 0.2
step sets/hand-views/level8.f16 "$PYTHON" -m recipes.hand.views --cache sets/hands --out sets/hand-views \
    --weights runs/hand1/mean.pt
step runs/hand2 "$PYTHON" -m recipes.hand.heads --cache sets/hands --views sets/hand-views --weights runs/hand1/mean.pt \
    --out runs/hand2 --minutes 30
# Then the whole net again, larger and with half of the hands mirrored: the sources nearly all show one side.
step runs/hand3 "$PYTHON" -m recipes.hand.train --cache sets/hands --out runs/hand3 --start runs/hand2/mean.pt --sizes 96 128 --grow 0.6 \
    --rates 6e-4 2e-3 --share 0.9 --minutes 85 --seed 5
# The shipped weights took two such runs, of 2,600 and 10,604 steps: the side got its own form in between.
step models/hands.onnx "$PYTHON" -m recipes.hand.ship --cache sets/hands --weights runs/hand3/mean.pt --only hands signs \
    --out runs/hand-shipped --ship models
step models/hold.onnx "$PYTHON" -m recipes.hand.hold --cache sets/hands --weights runs/hand3/mean.pt --out runs/hand-hold \
    --ship models
