#!/bin/sh
# A worker that misbehaves as its job's stage says: for tests of what the engine makes of it.
protocol=3
[ "$OMP_NUM_THREADS" = 9 ] && protocol=99
echo "{\"event\":\"hello\",\"protocol\":$protocol,\"libtorch\":\"2.11.0+cpu\",\"cpu_capability\":\"avx2\",\"cuda\":[]}"
step='{"event":"step","epoch":1,"step":4210,"steps":4680,"loss":0.5,"rows_per_second":10.0}'
while read -r job; do
    stage=$(sed -n 's/.*"stage": "\(.*\)".*/\1/p' "$job")
    case "$stage" in
    good) echo "{\"event\":\"done\",\"values\":{\"pid\":$$,\"threads\":$OMP_NUM_THREADS},\"environment\":{\"isa\":\"${ATEN_CPU_CAPABILITY:-none}\"},\"files\":[]}" ;;
    bad) echo '{"event":"failed","message":"the loss is NaN","hints":["a smaller lr"]}' ;;
    full) echo '{"event":"checkpoint","step":4000}'
        echo '{"event":"failed","message":"cannot write `m`: the disk is full","hints":["free 3.1 MB"]}' ;;
    killed) echo "$step"; echo "last words" >&2; kill -9 $$ ;;
    crash) echo "$step"; kill -SEGV $$ ;;
    leaves) exit 3 ;;
    nonsense) echo "Segmentation fault (but politely)" ;;
    patient) read -r told; echo "{\"event\":\"failed\",\"message\":\"told $told\",\"hints\":[]}" ;;
    stubborn) echo '{"event":"checkpoint","step":4000}'; exec sleep 600 ;;
    esac
done
