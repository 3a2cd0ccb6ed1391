#!/usr/bin/env bash
# Makes hold.onnx: bash recipes/hold/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

bash "$RECIPES/touch/run.sh" "$DATA" "$OUT"  # its finder of hands is the start

step sets/hold "$PYTHON" -m recipes.hold.build_set --data "$DATA" --dest sets/hold
step sets/hold_wide "$PYTHON" -m recipes.hold.build_set --data "$DATA" --source photographs --source found \
    --source generated --source webcam --webcam 5 --dest sets/hold_wide

step runs/hold "$PYTHON" -m handlens train hold --net hold-net --data sets/hold --start runs/facehand3/last.ckpt --epochs 14 \
    --rate 0.0007 --set even=true --set epoch=2500 --set augment.erase=0.1 --out runs/hold
step runs/hold_wide "$PYTHON" -m handlens train hold --net hold-net --data sets/hold_wide --start runs/facehand3/last.ckpt \
    --epochs 16 --rate 0.0007 --set even=true --set epoch=2500 --set augment.erase=0.1 --out runs/hold_wide

# The mean of both.
step models/hold.onnx "$PYTHON" -m recipes.ship runs/hold runs/hold_wide --name hold --data sets/hold --out models \
    --source "1,077 crops of hands from photographs, labelled by eye" \
    --source "184 hands found in other photographs, labelled by eye (recipes/hold/labels.csv)" \
    --source "380 hands of people who sign at webcams, and 453 generated pictures" \
    --source "the body of facehand"
