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

# The face net. Versions 0.3 to 0.5 have the weights of runs/face3. It sees faces as the installed facehand finds them.
step sets/faces "$PYTHON" -m recipes.touch.cache --data "$DATA" --cache sets/faces --composites 12000
step runs/face1 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face1 --minutes 85 --sizes 112 144
step runs/face2 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face2 --start runs/face1/mean-01500.pt \
    --rates 3e-4 1.5e-3 --grow 0.55 --minutes 34 --seed 1
# The sides of version 0.3: a branch beside the rest, which stays as it is. (The branch that ships had begun to learn in
# a longer training that was not kept, and then learned 6 minutes in this way.)
step runs/face3 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face3 --start runs/face2/mean.pt --sides \
    --made 0.9 --sizes 144 144 --rates 1e-4 1.5e-3 --minutes 20 --seed 4
# Version 0.6 learns from that net and from two longer trainings. Rendered people come last, with labels that no teacher
# is heard on. What ships is the mean of the result and of runs/face3.
step runs/face4 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face4 --start runs/face2/mean.pt \
    --rates 3e-4 1.5e-3 --grow 0.55 --minutes 66 --seed 3
step runs/face5 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face5 --start runs/face3/mean.pt \
    --rates 4e-4 1.5e-3 --grow 0.5 --drop 0.12 --minutes 92
step runs/face6 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face6 --start runs/face3/mean.pt \
    --teachers runs/face3/mean.pt runs/face5/mean.pt runs/face4/mean.pt --shares 2 1 1 --sizes 128 144 --grow 0.5 \
    --rates 2.5e-4 1.2e-3 --minutes 69 --seed 6
step sets/faces/made-97.npz "$PYTHON" -m recipes.touch.rendered --data "$DATA" --cache sets/faces --first 97 --parts 6
step runs/face7 "$PYTHON" -m recipes.touch.train --cache sets/faces --out runs/face7 --start runs/face6/mean.pt \
    --teachers runs/face3/mean.pt runs/face5/mean.pt runs/face4/mean.pt --shares 2 1 1 --sizes 144 144 \
    --rendered 0.09 --rates 8e-5 4e-4 --minutes 36 --seed 7
step models/touch.onnx "$PYTHON" -m recipes.touch.ship --data "$DATA" --cache sets/faces \
    --weights runs/face7/mean.pt runs/face3/mean.pt --out runs/face-shipped --ship models
