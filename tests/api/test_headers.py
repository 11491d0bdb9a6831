"""The installed headers: a C or C++ program can read what Python wrote."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from oracle import decode

import ringlog

READ = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "ringlog/checksum.h"
#include "ringlog/reader.h"
int main(int argc, char **argv) {
    struct stat st;
    const char *why;
    int fd = open(argv[argc - 1], O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) return 1;
    rl_header *header = (rl_header *)mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (rl_header_check(header, st.st_size, &why) != RL_OK) { puts(why); return 2; }
    size_t size = (size_t)header->capacity;
    uint8_t *data = (uint8_t *)mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(data, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, header->data_start);
    mmap(data + size, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, header->data_start);
    rl_ring ring;
    rl_ring_init(&ring, header, data);
    rl_place tail;
    rl_reader reader;
    rl_entry entry;
    const uint8_t *at;
    if (!rl_tail(&ring, &tail)) return 3;
    rl_reader_place(&reader, tail);
    while (rl_reader_next(&ring, &reader, &entry, &at) == RL_OK) {
        uint8_t *mine = (uint8_t *)malloc(entry.size + 1);
        uint32_t sum = rl_checksum_best(0)->copy(mine, at, entry.size);
        if (rl_reader_check(&ring, &reader) != RL_OK || sum != entry.checksum) return 4;
        printf("%lld %lld ", (long long)reader.sequence, (long long)entry.timestamp);
        printf("%u %08x\n", entry.size, sum);
        rl_reader_advance(&reader, &entry);
        free(mine);
    }
    return 0;
}
"""

ALL = "".join(f'#include "ringlog/{name}"\n' for name in sorted(
    path.name for path in (Path(ringlog.get_include()) / "ringlog").glob("*.h")
    if not path.name.startswith("checksum_")
))  # fmt: skip

COMPILERS = [
    ("gcc", "c", ["-std=c11", "-D_GNU_SOURCE"]),
    ("gcc", "c", ["-std=gnu17", "-O3"]),
    ("g++", "cpp", ["-std=c++17"]),
    ("g++", "cpp", ["-std=c++20", "-O3"]),
]


def compiled(tmp_path: Path, compiler: str, suffix: str, flags: list[str], source: str) -> Path:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    file = tmp_path / f"program.{suffix}"
    file.write_text(source)
    command = [compiler, *flags, "-Wall", "-Wextra", "-Werror", "-I", ringlog.get_include()]
    done = subprocess.run(
        [*command, str(file), "-o", str(tmp_path / "program")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "program"


def test_get_include() -> None:
    include = Path(ringlog.get_include())
    for name in ("layout", "atomics", "checksum", "writer", "reader", "seek"):
        assert (include / "ringlog" / f"{name}.h").is_file()


@pytest.mark.parametrize(("compiler", "suffix", "flags"), COMPILERS)
def test_every_header_compiles(tmp_path: Path, compiler: str, suffix: str, flags: list[str]) -> None:
    compiled(tmp_path, compiler, suffix, flags, ALL + "int main(void) { return 0; }\n")


@pytest.mark.parametrize(("compiler", "suffix", "flags"), COMPILERS[::2])
def test_a_program_reads_what_python_wrote(
    tmp_path: Path, ring_path: str, compiler: str, suffix: str, flags: list[str]
) -> None:
    program = compiled(tmp_path, compiler, suffix, flags, READ)
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        for k in range(500):
            writer.append(b"%d" % k * (k % 200))
    said = subprocess.run([program, ring_path], capture_output=True, text=True, timeout=60, check=True).stdout
    assert [line.split() for line in said.splitlines()] == [
        [str(event.sequence), str(event.timestamp), str(len(event.data)), f"{zlib.crc32(event.data):08x}"]
        for event in decode(ring_path)
    ]
