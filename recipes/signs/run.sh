#!/usr/bin/env bash
# Makes digits.onnx, gestures.onnx and signs.onnx: bash recipes/signs/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

bash "$RECIPES/segment/run.sh" "$DATA" "$OUT"  # digits learns from masks as segment makes them
rendered_hands

# Silhouettes. The trial keeps whole sources for val.
silhouettes="recipes.signs.build_silhouette_set"
step sets/digits_dev.npz "$PYTHON" -m $silhouettes digits --data "$DATA" --pool sets/pool.npz --hold-out --out sets/digits_dev.npz
step sets/digits.npz "$PYTHON" -m $silhouettes digits --data "$DATA" --pool sets/pool.npz --render sets/render_digits.npz \
    --out sets/digits.npz
step sets/digits_masks.npz "$PYTHON" -m $silhouettes digits --data "$DATA" --pool sets/pool.npz \
    --render sets/render_digits.npz --masks runs/segment2/four.onnx --masks runs/segment3/four.onnx --out sets/digits_masks.npz
step sets/gestures.npz "$PYTHON" -m $silhouettes gestures --data "$DATA" --pool sets/pool.npz --render sets/render_hands.npz \
    --out sets/gestures.npz

step runs/digits_dev "$PYTHON" -m handlens train gesture --net silhouette-net --data sets/digits_dev.npz --start none --epochs 24 \
    --set even=true --out runs/digits_dev
step runs/digits "$PYTHON" -m handlens train gesture --net silhouette-net --data sets/digits.npz --start runs/digits_dev --epochs 15 \
    --set even=true --set epoch=9000 --out runs/digits
step runs/digits3 "$PYTHON" -m handlens train gesture --net silhouette-net --data sets/digits_masks.npz --start runs/digits --epochs 10 \
    --minutes 8 --set even=true --set epoch=9000 --rate 1.2e-3 --out runs/digits3
step runs/gestures "$PYTHON" -m handlens train gesture --net silhouette-net --data sets/gestures.npz --start none --epochs 14 \
    --set even=true --set epoch=8000 --set turning=up,left,down,right --out runs/gestures
step runs/gestures2 "$PYTHON" -m handlens train gesture --net silhouette-net --data sets/gestures.npz --start runs/gestures --epochs 18 \
    --minutes 30 --set even=true --set epoch=8000 --set turning=up,left,down,right --out runs/gestures2

# These steps make digits 0.2. Version 0.3 went on from it (--start digits --epochs 4 --set epoch=1500 --set even=true --set average=0.97
# --rate 5e-4) with fewer frames of the videos, cut-outs of sign_digits and asl_photos by Otsu's threshold alone, and
# recipes.signs.render --count 4800 --size 96 --seed 401; the script that put that set together was not kept.
step models/digits.onnx "$PYTHON" -m recipes.ship runs/digits3 --name digits --version 0.2 --data sets/digits.npz --out models \
    --source "silhouettes of one hand in three videos (finger digits, 17 gestures, 44 signs)" \
    --source "hands cut out of photographs: sign_digits (218 people), asl_photos, massey_black, epsrc_composites" \
    --source "12,000 rendered hands (recipes.signs.render)" \
    --source "masks that the model segment made of the same photographs and of fingers_cluttered"
step models/gestures.onnx "$PYTHON" -m recipes.ship runs/gestures2 --name gestures --data sets/gestures.npz --out models \
    --source "silhouettes of one hand in two videos (17 gestures, 44 signs)" \
    --source "hands cut out of photographs: sign_digits (218 people), asl_photos, massey_black, epsrc_composites" \
    --source "3,000 rendered hands (recipes.signs.render)"

# Photographs as they are, and their hands on other grounds.
colours="recipes.signs.build_colour_set"
step sets/signs_dev "$PYTHON" -m $colours --data "$DATA" --pool sets/pool.npz --hold-out asl_photos --hold-out fingers_cluttered \
    --composites 16000 --out sets/signs_dev
step sets/signs_dev2 "$PYTHON" -m $colours --data "$DATA" --pool sets/pool.npz --hold-out asl_photos --hold-out fingers_cluttered \
    --composites 20000 --out sets/signs_dev2
step sets/signs "$PYTHON" -m $colours --data "$DATA" --pool sets/pool.npz --render sets/render_hands.npz --composites 24000 \
    --out sets/signs

step runs/signs_dev "$PYTHON" -m handlens train gesture --net hand-net --data sets/signs_dev --start none --epochs 8 --out runs/signs_dev
step runs/signs_dev2 "$PYTHON" -m handlens train gesture --net hand-net --data sets/signs_dev2 --start runs/signs_dev --epochs 7 \
    --set even=true --set augment.erase=0.1 --out runs/signs_dev2
step runs/signs "$PYTHON" -m handlens train gesture --net hand-net --data sets/signs --start runs/signs_dev2 --epochs 20 --minutes 52 \
    --set even=true --set augment.erase=0.1 --out runs/signs

step models/signs.onnx "$PYTHON" -m recipes.ship runs/signs --name signs --data sets/signs --out models \
    --source "photographs of hands: sign_digits (218 people), fingers_cluttered, asl_photos, massey_black, epsrc_composites" \
    --source "their hands on other grounds, 24,000 composites, with 2,250 rendered hands (recipes.signs.build_colour_set)"
