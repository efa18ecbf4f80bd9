#!/usr/bin/env python3
"""Install into a folder of its own, and use what is there as a stranger's build would: from C by pkg-config, shared and static,
from C++ and from the examples by find_package. Every program is run on a small checkpoint.

    run.py --ptio COMMAND       PTIO_BUILD_DIR in the environment names the build
"""
import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
CHECKPOINT = SOURCE / "examples/digits/digits.pth"
BUILD = pathlib.Path(os.environ["PTIO_BUILD_DIR"])
EXPECTED = "model_state_dict.fc1.weight: 32 x 64 of float32\n"


def run(*command, env=None):
    """The output of a command, which must succeed."""
    done = subprocess.run([str(word) for word in command], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(f"{shlex.join(map(str, command))} gave {done.returncode}:\n{done.stdout}")
    return done.stdout


class Installed:
    """What `cmake --install` made, in a prefix with a space in its name."""

    def __init__(self, folder):
        self.folder = folder
        self.prefix = folder / "a prefix"
        run("cmake", "--install", BUILD, "--prefix", self.prefix)
        self.libraries = next(self.prefix.glob("**/libptio.so")).parent
        self.env = dict(os.environ, LD_LIBRARY_PATH=str(self.libraries), PKG_CONFIG_PATH=str(self.libraries / "pkgconfig"))

    def pkg_config(self, *options):
        return shlex.split(run("pkg-config", *options, "ptio", env=self.env))

    def compile_c(self, name, *options):
        program = self.folder / name
        run(os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Werror", HERE / "use.c", "-o", program, *options)
        return run(program, CHECKPOINT, env=self.env)

    def cmake(self, source):
        build = self.folder / f"build-{source.name}"
        run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        return build


def test_files(installed):
    for name in ("bin/ptio", "include/ptio.h", "share/man/man1/ptio.1"):
        assert (installed.prefix / name).exists(), name
    for name in ("libptio.so", "libptio.so.0", "libptio.a", "pkgconfig/ptio.pc", "cmake/ptio/ptioConfig.cmake"):
        assert (installed.libraries / name).exists(), name


def test_version(installed):
    version = run("pkg-config", "--modversion", "ptio", env=installed.env).strip()
    assert run(installed.prefix / "bin/ptio", "--version").split() == ["ptio", version], version


def test_shared_from_c(installed):
    assert installed.compile_c("shared", *installed.pkg_config("--cflags", "--libs")) == EXPECTED


def test_static_from_c(installed):
    options = installed.pkg_config("--cflags", "--libs", "--static")
    assert installed.compile_c("static", *(word.replace("-lptio", "-l:libptio.a") for word in options)) == EXPECTED
    assert "libptio" not in run("readelf", "-d", installed.folder / "static")


def test_cxx_by_cmake(installed):
    build = installed.cmake(HERE)
    for program in ("use_shared", "use_static"):
        assert run(build / program, CHECKPOINT, env=installed.env) == EXPECTED
    assert "libptio" not in run("readelf", "-d", build / "use_static")


def test_examples_by_cmake(installed):
    copy = installed.folder / "examples"
    shutil.copytree(SOURCE / "examples", copy)
    build = installed.cmake(copy)
    assert "fc1.weight  float32  [32, 64]" in run(build / "bin/list", CHECKPOINT, env=installed.env)


def test_prefix_of_the_build_is_nowhere(installed):
    """The package can be moved: no file names the folder it was built in."""
    for path in installed.prefix.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix not in (".a", ".so") and "bin" not in path.parts:
            assert str(BUILD).encode() not in path.read_bytes(), path


def main():
    argparse.ArgumentParser().parse_known_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="ptio-install-") as folder:
        installed = Installed(pathlib.Path(folder))
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                try:
                    test(installed)
                    passed += 1
                except AssertionError as error:
                    failed += 1
                    print(f"{name}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
