"""Unpacks the parts of libtorch's wheels that kilter builds and runs with. Nothing in them is executed.

usage: unpack.py cpu|cuda TARGET WHEEL...

`cpu` takes the headers, libtorch_cpu and what it loads; `cuda` takes the rest of the libraries and lays libtorch_cuda
beside, in TARGET/cuda/lib, where the build does not see it (torch-sys would link every program to it) and the worker
loads it by hand.
"""

import os
import shutil
import sys
import zipfile

CUDA_ONLY = ("libtorch_cuda", "libc10_cuda", "libcaffe2_nvrtc", "libtorch_nvshmem")


def place(name, part):
    """Where a member goes below TARGET, or None."""
    file = os.path.basename(name)
    if name.endswith("/") or ".." in name.split("/") or name.startswith("/"):
        return None
    if name.startswith("torch/lib/") and ".so" in file:
        if file.startswith("libtorch_python"):
            return None
        if file.startswith(CUDA_ONLY):
            return "cuda/lib/" + file if part == "cuda" else None
        return name if part == "cpu" else None
    if name.startswith("torch/include/"):
        return name if part == "cpu" else None
    if name.startswith("nvidia/") and ".so" in file:
        return name
    return None


def main():
    part, target, wheels = sys.argv[1], sys.argv[2], sys.argv[3:]
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members = [(info, place(info.filename, part)) for info in archive.infolist()]
            members = [(info, to) for info, to in members if to]
            total = sum(info.file_size for info, _ in members)
            print(f"  unpacking {os.path.basename(wheel).split('-')[0]}: {len(members)} files, {total / 1e6:,.0f} MB", flush=True)
            for info, to in members:
                path = os.path.join(target, to)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.open(info) as source, open(path, "wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)


main()
