#!/usr/bin/env bash
# Makes segment.onnx 0.4 and segment.safetensors, a mask net that knows the forearm, on a pre-trained body: bash recipes/segment/arms.sh DATA [OUT]
# Classes: background, hand, face, forearm, hand over face. The last is no class of the shipped file, which tells what is hidden by it.
set -euo pipefail
source "$(dirname "$0")/../steps.sh"
with_data "$@"

scenes=("$PYTHON" -m recipes.segment.build_set --data "$DATA" --pool sets/pool.npz --arms
    --leave-out hgr1 --leave-out facesynthetics)
step sets/scenes "${scenes[@]}" --count 4500 --out sets/scenes
step sets/rough "${scenes[@]}" --count 4500 --rough --out sets/rough
step sets/armed "$PYTHON" -m recipes.segment.add_real --data "$DATA" --pool sets/pool.npz --scenes sets/scenes --scenes sets/rough --arms \
    --outlines 5 --source hands_white --every 10 --out sets/armed
step models/start.safetensors "$PYTHON" -m recipes.segment.start --out models/start.safetensors
taught=("$PYTHON" -m handlens train segment --net lite0-segment --batch 16 --size 256 --set epoch=3200 --set augment=people
    --set augment.grey=0.1 --set augment.zoom=0.4 --set augment.crop=1.0 --set augment.degrees=30 --set augment.hue=0.04
    --set augment.saturation=0.5 --set augment.value=0.2)
step runs/arms "${taught[@]}" --data sets/armed --start models/start.safetensors --minutes 84 --rate 1e-3 --seed 1 --set warmup=0.1 \
    --set average=0.995 --out runs/arms
# Version 0.4: longer on the same set, then also from people that the net marks itself where it, seen from near and mirrored, and the touch net are sure.
step runs/arms-longer stopped_after 77 "${taught[@]}" --data sets/armed --start runs/arms/last.ckpt --minutes 100 --rate 5e-4 --seed 2 --set warmup=0.05 \
    --set average=0.995 --out runs/arms-longer
step models/marker.onnx "$PYTHON" -m handlens export runs/arms-longer/last.ckpt --out models/marker.onnx
step sets/marked "$PYTHON" -m recipes.segment.add_real --data "$DATA" --pool sets/pool.npz --scenes sets/scenes --scenes sets/rough --arms \
    --outlines 5 --source hands_white --every 10 --run models/marker.onnx --copies 2 --out sets/marked
step runs/arms-people "${taught[@]}" --data sets/marked --start runs/arms-longer/last.ckpt --minutes 36 --rate 5e-4 --seed 3 --set warmup=0.05 \
    --set average=0.99 --out runs/arms-people
step sets/val "$PYTHON" -m recipes.segment.build_test_set --data "$DATA" --out sets/val
measured=()
for source in hgr1 hands_white outlined facesynthetics fasseg sfa_skin lfw_hair; do measured+=(--data sets/val/$source); done
step models/segment.onnx "$PYTHON" -m recipes.segment.ship runs/arms-people/last.ckpt --looks sets/marked --size 352 --least 0.75 "${measured[@]}" \
    --out runs/arms-shipped --ship models \
    --source "scenes: hands cut out of photographs (hands_white, Massey, sign_digits), with painted forearms and sleeves, laid over portraits of SFA, LFW and FASSEG, over webcam people, streets (CCP, Pratheepan) and textures" \
    --source "photographs of hands with masks: hands_white, epsrc_composites, sign_digits, asl_photos, massey_black; divided at the wrist by the landmarks of hands 0.3" \
    --source "webcam people and photographs of touch: 631 outlined by eye, and 65 of fingers_cluttered, divided at the wrist in the same way" \
    --source "people of touch and touch4 (training part), marked by the net of the step before where it and the touch net are sure" \
    --source "body: the detector facehand 0.2, on EfficientNet-Lite0 trained on ImageNet (Apache-2.0)"
