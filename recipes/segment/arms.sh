#!/usr/bin/env bash
# A mask net that knows the forearm, on a pre-trained body: bash recipes/segment/arms.sh DATA [OUT]
# It has not been trained yet: expect an hour of a core for each run. Classes: background, hand, face, hand over face, forearm.
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

scenes=("$PYTHON" -m recipes.segment.build_set --data "$DATA" --pool sets/pool.npz --arms
    --leave-out hgr1 --leave-out facesynthetics)
segment_net=("$PYTHON" -m handlens train segment --net lite0-segment --set augment=people --set augment.grey=0.12 --set augment.zoom=0.4)

step sets/arms1 "${scenes[@]}" --count 12000 --out sets/arms1
step sets/arms2 "${scenes[@]}" --count 8000 --rough --out sets/arms2
step runs/arms1 "${segment_net[@]}" --data sets/arms1 --minutes 60 --rate 1e-3 --out runs/arms1
step runs/arms2 "${segment_net[@]}" --data sets/arms2 --start runs/arms1 --minutes 60 --rate 7e-4 --seed 2 --out runs/arms2
step models/segment-arms.onnx "$PYTHON" -m handlens export runs/arms2 --out models/segment-arms.onnx
