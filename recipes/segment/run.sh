#!/usr/bin/env bash
# Makes segment.onnx 0.2 and its weights, segment-net.safetensors; arms.sh makes 0.3: bash recipes/segment/run.sh DATA [OUT]
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

bash "$RECIPES/touch/run.sh" "$DATA" "$OUT"  # its finder of hands is the start
rendered_hands

scenes=("$PYTHON" -m recipes.segment.build_set --data "$DATA" --pool sets/pool.npz --render sets/render_hands.npz
    --leave-out hgr1 --leave-out facesynthetics)
real=("$PYTHON" -m recipes.segment.add_real --data "$DATA" --pool sets/pool.npz)
segment_net=("$PYTHON" -m handlens train segment --net segment-net)

# Version 0.1: from made scenes, then real pictures, then real pictures that the second run marked.
step sets/staged "$PYTHON" -m handlens data synth --dest sets/staged --count 800 --size 320
step sets/seg1 "${scenes[@]}" --count 15000 --out sets/seg1
step sets/rough1 "${scenes[@]}" --count 9000 --rough --out sets/rough1
step sets/seg2 "${real[@]}" --scenes sets/seg1 --scenes sets/rough1 --every 5 --out sets/seg2
step runs/segment1 "${segment_net[@]}" --data sets/seg1 --start runs/facehand3/last.ckpt --minutes 31 --set warmup=0.2 --out runs/segment1
step runs/segment2 "${segment_net[@]}" --data sets/seg2 --start runs/segment1 --minutes 38 --set epoch=8000 --rate 1.2e-3 --out runs/segment2
step runs/segment2/four.onnx "$PYTHON" -m handlens export runs/segment2 --out runs/segment2/four.onnx
step sets/seg3 "${real[@]}" --scenes sets/seg1 --scenes sets/rough1 --staged sets/staged --every 4 --source hands_white \
    --run runs/segment2/four.onnx --copies 3 --outlines 8 --out sets/seg3
step runs/segment3 "${segment_net[@]}" --data sets/seg3 --start runs/segment2 --minutes 29 --size 288 --set epoch=3000 --out runs/segment3
step runs/segment3/four.onnx "$PYTHON" -m handlens export runs/segment3 --out runs/segment3/four.onnx

# Version 0.2: pictures outlined by eye. Two runs a round; a round starts with the mean of the round before.
step sets/seg4 "${scenes[@]}" --count 3000 --out sets/seg4
step sets/rough4 "${scenes[@]}" --count 3500 --rough --out sets/rough4
step sets/segA "${real[@]}" --scenes sets/seg4 --scenes sets/rough4 --every 6 --source hands_white --outlines 12 --out sets/segA
step sets/segB1 "${real[@]}" --scenes sets/rough4 --every 6 --source hands_white --outlines 9 --out sets/segB1
step sets/segB2 "${real[@]}" --scenes sets/seg4 --every 5 --source hands_white --outlines 9 --out sets/segB2
step sets/segD "${real[@]}" --scenes sets/seg4 --every 9 --outlines 4 --out sets/segD
step sets/val "$PYTHON" -m recipes.segment.build_test_set --data "$DATA" --out sets/val

calm=(--set augment=people --set augment.hue=0.03 --set augment.saturation=0.3 --set augment.value=0.15)
strong=(--set augment=people --set augment.hue=0.05 --set augment.saturation=0.7 --set augment.value=0.25)
near=(--set augment.grey=0.12 --set augment.zoom=0.4 --set augment.crop=1.0)
for n in 1 2; do
    step runs/A$n "${segment_net[@]}" --data sets/segA --start runs/segment3 --minutes 32 --rate 1e-3 --seed $n "${calm[@]}" \
        --set epoch=1280 --set warmup=0.3 --set average=0.99 --out runs/A$n
done
step models/A.safetensors "$PYTHON" -m recipes.average runs/A1/last.ckpt runs/A2/last.ckpt --out models/A.safetensors
minutes=(0 24 18)
for n in 1 2; do
    step runs/B$n stopped_after ${minutes[$n]} "${segment_net[@]}" --data sets/segB$n --start models/A.safetensors --minutes 60 --rate 7e-4 \
        --seed 1$n "${calm[@]}" "${near[@]}" --set epoch=1600 --set warmup=0.2 --set average=0.995 --out runs/B$n
done
step models/B.safetensors "$PYTHON" -m recipes.average runs/B1/last.ckpt runs/B2/last.ckpt --out models/B.safetensors
for n in 1 2; do
    step runs/C$n "${segment_net[@]}" --data sets/segB$n --start models/B.safetensors --minutes 38 --rate 5e-4 --seed 2$n "${strong[@]}" \
        "${near[@]}" --set epoch=1600 --set warmup=0.1 --set average=0.995 --out runs/C$n
done
step models/C.safetensors "$PYTHON" -m recipes.average runs/C1/last.ckpt runs/C2/last.ckpt --out models/C.safetensors
step runs/D1 "${segment_net[@]}" --data sets/segD --start models/C.safetensors --minutes 12 --rate 2.5e-4 --seed 31 "${strong[@]}" \
    "${near[@]}" --set epoch=800 --set warmup=0.2 --set average=0.99 --out runs/D1

# The mean of C1, C2 and twice D1.
measured=()
for source in hgr1 hands_white outlined facesynthetics fasseg sfa_skin lfw_hair; do measured+=(--data sets/val/$source); done
step models/segment.onnx "$PYTHON" -m recipes.ship runs/C1/last.ckpt runs/C2/last.ckpt runs/D1/last.ckpt runs/D1/last.ckpt \
    --name segment --version 0.2 --size 320 --fit --least 0.75 --weights "${measured[@]}" --out models \
    --source "scenes: hands cut out of photographs (hands_white, Massey, sign_digits, asl_photos, epsrc) and rendered hands, laid over portraits of SFA, LFW and FASSEG, over webcam people, streets (CCP, Pratheepan) and textures" \
    --source "photographs of hands with masks: hands_white, epsrc_composites, sign_digits, asl_photos" \
    --source "webcam people and photographs of touch: 631 outlined by eye; for version 0.1 more of them, marked by two models where both were sure" \
    --source "fingers_cluttered: 65 outlined by eye; for version 0.1 more of them, marked by a model" \
    --source "670 rendered people (handlens data synth), for version 0.1"
