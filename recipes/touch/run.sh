#!/usr/bin/env bash
# Makes touch.onnx and facehand.onnx: bash recipes/touch/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

# The small detector of version 0.1, from random weights: hold and segment begin with its body.
step runs/facehand2 "$PYTHON" -m recipes.touch.train_detector --data "$DATA" --out runs/facehand2 --minutes 45
step runs/facehand3 "$PYTHON" -m recipes.touch.train_detector --data "$DATA" --out runs/facehand3 --minutes 46 --rendered \
    --start runs/facehand2 --seed 2 --rate 1.2e-3

# The detector of faces and hands, version 0.2. Where no table has a face, the installed facehand is asked.
step sets/face_hand "$PYTHON" -m recipes.touch.face_hand_cache --data "$DATA" --cache sets/face_hand --composites 3000
step runs/face_hand1 "$PYTHON" -m recipes.touch.face_hand_train --cache sets/face_hand --out runs/face_hand1 --minutes 67
step models/facehand.onnx "$PYTHON" -m recipes.touch.face_hand_ship --cache sets/face_hand \
    --weights runs/face_hand1/mean.pt --out runs/detector-shipped --ship models

# The face net of versions 0.2 to 0.5, which computes in 8 bits. It sees faces as the installed facehand finds them.
step sets/faces "$PYTHON" -m recipes.touch.cache --data "$DATA" --cache sets/faces --composites 12000
step runs/face1 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face1 --minutes 85 --sizes 112 144
step runs/face2 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face2 --start runs/face1/mean-01500.pt \
    --rates 3e-4 1.5e-3 --grow 0.55 --minutes 34 --seed 1
# The sides of version 0.3: a branch beside the rest, which stays as it is. (The branch that ships had begun to learn in
# a longer training that was not kept, and then learned 6 minutes in this way.)
step runs/face3 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face3 --start runs/face2/mean.pt --sides \
    --made 0.9 --sizes 144 144 --rates 1e-4 1.5e-3 --minutes 20 --seed 4
step models/touch.onnx "$PYTHON" -m recipes.touch.ship --data "$DATA" --cache sets/faces --weights runs/face3/mean.pt \
    --out runs/face-shipped --ship models
