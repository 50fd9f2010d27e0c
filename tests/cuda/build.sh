#!/usr/bin/env bash
# Builds the simulated driver: libcuda.so.1 with the kernels of all .cu files under src/kernels.
#
#   tests/cuda/build.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$(mkdir -p "$1" && cd "$1" && pwd)
flags=(-std=c++17 -O2 -march=native -ffp-contract=off -fno-math-errno -fPIC -fvisibility=hidden -Wall -Wextra
    -Wno-unknown-pragmas -Wno-unused-parameter -Wno-unused-function -Wno-unused-variable)
work=$(mktemp -d "$to/objects.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Compiles one file in the background.
jobs=()
compile() {
    "${CXX:-g++}" "${flags[@]}" -I "$here" -c "$1" -o "$work/$(basename "$1").o" &
    jobs+=($!)
}
compile "$here/fibers.cpp"
compile "$here/driver.cpp"
while IFS= read -r source; do
    wrapper=$work/$(echo "${source#"$here/../../src/kernels/"}" | tr '/.' '__').cpp
    {
        echo '#include "shim.h"'
        # Names of one source do not meet those of another.
        echo "namespace {"
        echo "#include \"$source\""
        grep -oE '^extern "C" __global__ void (__launch_bounds__\([0-9]+\) )?[a-z0-9_]+' "$source" |
            sed -E 's/.* ([a-z0-9_]+)$/SIM_KERNEL(\1);/'
        echo "}"
    } >"$wrapper"
    compile "$wrapper"
done < <(find "$here/../../src/kernels" -name '*.cu' | sort)
for job in "${jobs[@]}"; do wait "$job"; done
"${CXX:-g++}" -shared -Wl,-soname,libcuda.so.1 -Wl,--no-undefined -o "$work/libcuda.so.1" "$work"/*.o -pthread
mv "$work/libcuda.so.1" "$to/libcuda.so.1"
