#!/usr/bin/env bash
# Makes touch.onnx and facehand.onnx: bash recipes/touch/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

# The finder of faces and hands, then the net that judges contact.
step runs/facehand2 "$PYTHON" -m recipes.touch.train_detector --data "$DATA" --out runs/facehand2 --minutes 45
step runs/facehand3 "$PYTHON" -m recipes.touch.train_detector --data "$DATA" --out runs/facehand3 --minutes 46 --rendered \
    --start runs/facehand2 --seed 2 --rate 1.2e-3
step runs/contact1 "$PYTHON" -m recipes.touch.train_contact --data "$DATA" --out runs/contact1 --minutes 42 --real 0.38
step runs/contact2 "$PYTHON" -m recipes.touch.train_contact --data "$DATA" --out runs/contact2 --minutes 52 --rendered 0.3 \
    --rate 1.6e-3 --start runs/contact1 --seed 1

# Averaged, calibrated, measured and exported.
step models/touch.onnx "$PYTHON" -m recipes.touch.assemble --data "$DATA" --facehand runs/facehand3 \
    --contact runs/contact1 runs/contact2 --mix 0.15 0.85 --out runs/touch --ship models
