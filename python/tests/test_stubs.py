"""What is callable how: the functions as PyTorch's, and the .pyi files as what is there."""
import ast
import inspect
import pathlib
import pydoc

import pytest
import torch

import ptio
import ptio.serialization

FOLDER = pathlib.Path(ptio.__file__).parent
OBJECT = set(dir(object))


def parameters(function):
    """Names and kinds, and which have a default."""
    return [(p.name, p.kind, p.default is not p.empty) for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]


def parameters_of_stub(node):
    """The same, of a definition."""
    a, found = node.args, []
    positional = a.posonlyargs + a.args
    for i, argument in enumerate(positional):
        kind = inspect.Parameter.POSITIONAL_ONLY if i < len(a.posonlyargs) else inspect.Parameter.POSITIONAL_OR_KEYWORD
        found.append((argument.arg, kind, i >= len(positional) - len(a.defaults)))
    if a.vararg:
        found.append((a.vararg.arg, inspect.Parameter.VAR_POSITIONAL, False))
    found += [(argument.arg, inspect.Parameter.KEYWORD_ONLY, default is not None) for argument, default in zip(a.kwonlyargs, a.kw_defaults)]
    if a.kwarg:
        found.append((a.kwarg.arg, inspect.Parameter.VAR_KEYWORD, False))
    return [p for p in found if p[0] not in ("self", "cls")]


def definitions(name):
    return {node.name: node for node in ast.parse((FOLDER / name).read_text()).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


MODULES = {"__init__.pyi": ptio, "serialization.pyi": ptio.serialization}


@pytest.mark.parametrize("name", ["load", "save"])
def test_as_torchs(name):
    ours, theirs = getattr(ptio, name), getattr(torch, name)
    assert parameters(ours) == parameters(theirs)
    for p, q in zip(inspect.signature(ours).parameters.values(), inspect.signature(theirs).parameters.values()):
        assert p.default == q.default or p.name == "pickle_module", p.name


@pytest.mark.parametrize("name", ["add_safe_globals", "get_safe_globals", "clear_safe_globals", "get_unsafe_globals_in_checkpoint"])
def test_serialization_as_torchs(name):
    assert parameters(getattr(ptio.serialization, name)) == parameters(getattr(torch.serialization, name))


@pytest.mark.parametrize("name", sorted(ptio.serialization._OF_TORCH))
def test_own_settings_as_torchs(name):
    """Those that are there without PyTorch."""
    from ptio import _settings
    ours, theirs = getattr(_settings, name), getattr(torch.serialization, name)
    assert isinstance(ours, type) == isinstance(theirs, type)
    if name != "SourceChangeWarning":
        assert parameters(ours) == parameters(theirs)


@pytest.mark.parametrize("file", MODULES)
def test_stubs_have_every_name(file):
    names = {n for n in MODULES[file].__all__ if not inspect.ismodule(getattr(MODULES[file], n))}
    assert names - {"load", "save"} == set(definitions(file)) - {"load", "save"}


@pytest.mark.parametrize("file, name", [(file, name) for file in MODULES for name, node in definitions(file).items() if isinstance(node, ast.FunctionDef)])
def test_stub_of_function(file, name):
    from ptio import _settings
    owner = _settings if name in ptio.serialization._OF_TORCH else MODULES[file]
    assert parameters_of_stub(definitions(file)[name]) == parameters(getattr(owner, name))


@pytest.mark.parametrize("name", ["dtype", "Tensor", "File", "Slice"])
def test_stub_of_class(name):
    cls, members = getattr(ptio, name), {node.name: node for node in definitions("__init__.pyi")[name].body}
    there = {n for n in vars(cls) if n not in OBJECT or n in ("__reduce_ex__", "__reduce__", "__new__")} - {"__module__"}
    assert there - set(members) - {"__hash__", "__release_buffer__"} == set()
    # Python 3.12 and later show what the buffer protocol is for earlier ones.
    assert set(members) - there <= {"__buffer__", "__iter__", "__new__"}
    for n in there & set(members):
        if inspect.isgetsetdescriptor(vars(cls)[n]):
            assert [d.id for d in members[n].decorator_list] == ["property"], n
        elif getattr(vars(cls)[n], "__text_signature__", None) and not n.startswith("__"):
            stub, found = parameters_of_stub(members[n]), parameters(getattr(cls, n))
            assert [(p[0], p[2]) for p in stub] == [(p[0], p[2]) for p in found], n


def test_help():
    for thing in (ptio.load, ptio.save, ptio.open, ptio.Tensor, ptio.File, ptio.serialization.add_safe_globals, ptio.serialization.get_unsafe_globals_in_checkpoint):
        text = pydoc.plain(pydoc.render_doc(thing))
        assert len(text.splitlines()) > 3, text
    assert "weights_only" in ptio.load.__doc__
