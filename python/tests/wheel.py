#!/usr/bin/env python3
"""Build the source distribution, from it the wheel, install that into a clean virtual environment, and use it there.

    wheel.py [--folder FOLDER] [--quick]

Run by a Python that has scikit-build-core; nothing is downloaded. FOLDER (default: build/wheel) keeps both files. --quick compiles without
optimisation. Closes with "N passed, N failed".
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = SOURCE / "python" / "ptio"
FILE = SOURCE / "tests" / "data" / "corpus" / "2.13.0" / "dtype_float32.pt"
QUICK = ["--config-settings=cmake.define.PTIO_LTO=OFF", "--config-settings=cmake.define.CMAKE_C_FLAGS_RELEASE=-O0"]
SYSTEM = r"linux-vdso|ld-linux|lib(c|m|pthread|dl|rt)\.so"


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, "%s: exit code %d\n%s\n%s" % (command, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def version():
    header = (SOURCE / "include" / "ptio.h").read_text()
    return ".".join(re.search(r"#define PTIO_VERSION_%s (\d+)" % part, header).group(1) for part in ("MAJOR", "MINOR", "PATCH"))


class Distribution:
    """The tests run in the order in which they stand: each needs what those before it made."""

    def __init__(self, folder, quick, scratch):
        self.folder, self.quick, self.scratch = folder, quick, scratch
        self.sdist = folder / ("ptio-%s.tar.gz" % version())
        self.python = scratch / "env" / "bin" / "python"
        self.environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}

    def run(self, *command, **options):
        return run(*command, env=self.environment, **options)

    def test_sdist(self):
        self.run(sys.executable, "-c", "import sys, scikit_build_core.build as b; b.build_sdist(sys.argv[1])", self.folder, cwd=SOURCE)
        with tarfile.open(self.sdist) as file:
            names = {name.split("/", 1)[1] for name in file.getnames()}
        sources = {str(p.relative_to(SOURCE)) for part in ("src", "include", "python/src", "python/ptio", "cmake")
                   for p in (SOURCE / part).rglob("*.*") if "__pycache__" not in p.parts}
        assert sources | {"pyproject.toml", "LICENSE", "CMakeLists.txt", "man/ptio.1"} <= names, sources - names
        assert not [name for name in names if name.startswith(("tests/", "python/tests/", "build/"))]

    def test_wheel(self):
        for old in self.folder.glob("*.whl"):
            old.unlink()
        self.run(sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", self.folder,
                 *(QUICK if self.quick else []), self.sdist, cwd=self.scratch)
        self.wheel, = self.folder.glob("*.whl")
        assert self.wheel.name.startswith("ptio-%s-cp311-abi3-" % version()), self.wheel.name
        with zipfile.ZipFile(self.wheel) as file:
            names = set(file.namelist())
        expected = {"ptio/" + p.name for p in PACKAGE.iterdir() if p.suffix in (".py", ".pyi", ".typed")}
        expected |= {"ptio/_ptio.abi3.so", "ptio/bin/ptio"}
        assert expected == {name for name in names if name.startswith("ptio/")}, names
        for licence in ("/LICENSE", "/THIRD-PARTY.txt", "/LGPL-3.txt", "/GPL-3.txt", "/ptio.1"):
            assert any(name.endswith(licence) for name in names), licence

    def test_install(self):
        self.run(sys.executable, "-m", "venv", self.scratch / "env")
        self.run(self.python, "-m", "pip", "install", "--no-index", self.wheel, cwd=self.scratch)
        assert self.use("import ptio; print(ptio.__version__, ptio.__file__)").split() == [
            version(), str(pathlib.Path(self.use("import sysconfig; print(sysconfig.get_paths()['platlib'])").strip(), "ptio", "__init__.py"))]

    def use(self, program, *arguments):
        return self.run(self.python, "-c", program, *arguments, cwd=self.scratch)

    def test_nothing_else_is_needed(self):
        assert self.use("import sys, ptio; print('torch' in sys.modules, 'numpy' in sys.modules)").split() == ["False", "False"]

    def test_load(self):
        text = self.use("import sys, ptio; t = ptio.load(sys.argv[1]); print(t.dtype, t.shape, type(t))", FILE)
        assert text.startswith("torch.float32 (2, 3)") and "ptio.Tensor" in text, text

    def test_help(self):
        text = self.use("import ptio; help(ptio.load); help(ptio.save)")
        assert "load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args)" in text, text
        assert "save(obj, f" in text

    def test_command(self):
        for command in ([self.scratch / "env" / "bin" / "ptio"], [self.python, "-m", "ptio"]):
            assert self.run(*command, "--version").split()[1] == version()
            assert "float32" in self.run(*command, "ls", FILE)

    def test_libraries(self):
        """Where the archives are there, nothing but the C library is asked for."""
        if not os.path.isabs(run(os.environ.get("CC", "cc"), "-print-file-name=libjansson.a").strip()):
            return
        for name in ("_ptio.abi3.so", "bin/ptio"):
            path = self.use("import ptio, pathlib, sys; print(pathlib.Path(ptio.__file__).parent / sys.argv[1])", name).strip()
            others = [line for line in self.run("ldd", path).splitlines() if not re.search(SYSTEM, line)]
            assert not others, others

    def test_uninstall(self):
        self.run(self.python, "-m", "pip", "uninstall", "--yes", "ptio")
        assert not [p for p in (self.scratch / "env").rglob("ptio*")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=pathlib.Path, default=SOURCE / "build" / "wheel")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp())
    passed = failed = 0
    try:
        distribution = Distribution(options.folder.resolve(), options.quick, scratch)
        for name in [name for name in vars(Distribution) if name.startswith("test_")]:
            try:
                getattr(distribution, name)()
                passed += 1
            except Exception as e:
                failed += 1
                print("%s: %s: %s" % (name, type(e).__name__, e))
    finally:
        shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
