#!/bin/bash
# The subjects of a study, some per part: the epochs files of INPUTS into folders in OUTPUT.
set -euo pipefail
export INPUTS=${INPUTS:-data/sub-*/epochs.h5} OUTPUT=${OUTPUT:-./cleaned}
PARTS=${PARTS:-8}
export NISSL=${NISSL:-nissl} PARTS

array=$(sbatch --parsable --array="${ARRAY:-1-$PARTS}" <<'PART'
#!/bin/bash
#SBATCH --job-name=nissl --cpus-per-task=4 --mem=8G --time=01:00:00
#SBATCH --requeue --open-mode=append --signal=B:USR1@120 --output=nissl-%A_%a.log
# The pattern is opened here, in the same order for every part.
"$NISSL" autoreject $INPUTS -o "$OUTPUT" \
    --resume --shard "$SLURM_ARRAY_TASK_ID/$PARTS" &
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null' TERM USR1
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
wait "$pid"
code=$?
if [[ $code -eq 75 ]]; then    # stopped with a checkpoint: goes on later
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    sleep 60                   # SLURM ends this script
fi
exit "$code"
PART
)
merge=$(sbatch --parsable --dependency="afterany:$array" <<'MERGE'
#!/bin/bash
#SBATCH --job-name=nissl-merge --cpus-per-task=4 --mem=8G --time=01:00:00
#SBATCH --open-mode=append --output=nissl-%j.log
exec "$NISSL" merge "$(dirname "$OUTPUT")" -o "$OUTPUT" --resume
MERGE
)
echo "array $array merge $merge"
