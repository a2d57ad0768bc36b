#!/bin/sh
# Makes the README's figures of what lies between adapters: assets/landscape-builtin.svg, and assets/landscape-stories260k.svg
# where ../shared/data is there. `scripts/landscape-figures.sh [thalweg] [folder for the runs]`; some minutes on two cores.
#
# Each figure: Seq's minima after its first and its second task, joined by the line, with I-LoRA's slow learner of the same seed
# beside it; and Seq's minima after both tasks from two seeds, joined by the line and by a Bezier curve with one trained bend.
set -eu
thalweg=${1:-thalweg}
work=${2:-$(mktemp -d)}

# figure NAME TITLE MODEL FIRST SECOND [flags of run]
figure() {
    name=$1 title=$2 model=$3 first=$4 second=$5
    shift 5
    runs=$work/$name
    for seed in 1 3; do
        "$thalweg" run --quiet --device cpu --model "$model" --task "$first" --task "$second" --method seq,i_lora \
            --seed $seed --output "$runs" --set i_lora.half_life_steps=20 "$@" >/dev/null
    done
    after() { # RUN NUMBER LEARNER: the adapter after a task
        for folder in "$runs/$1/adapters/0$2"-*; do echo "$folder/$3"; done
    }
    one=$(after seq-seed1 1 model) two=$(after seq-seed1 2 model) other=$(after seq-seed3 2 model)
    slow=$(after i_lora-seed1 2 long_term)
    "$thalweg" path --quiet "$one" "$two" --also "$slow" --points 21 --examples 100 --title "$title" --output "$runs/successive"
    "$thalweg" path --quiet "$two" "$other" --kind line,bezier --steps 300 --points 21 --examples 100 \
        --with "$runs/successive/path.json" --title "$title" --output "$runs/together"
    "$thalweg" similarity --quiet "$one" "$two" "$slow" "$other" --examples 250 --output "$runs/similarity"
    cp "$runs/together/path.svg" "assets/$name.svg"
}

figure landscape-builtin "Between adapters of the embedded model" builtin builtin:stance builtin:finance \
    --steps 120 --batch-size 8 --learning-rate 0.004

data=../shared/data
if [ -d "$data/models/stories260K" ]; then
    figure landscape-stories260k "Between adapters of stories260K" "$data/models/stories260K" \
        "$data/tasks/sms_spam" "$data/tasks/snips" --steps 100 --batch-size 8 --learning-rate 0.004 --max-length 128 \
        --set 'lora.target_modules=["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"]'
fi
