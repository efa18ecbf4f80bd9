"""What `ptio ls --json --hash` must print, derived from the tree that tells the truth about a file (see zoo.py, Describer).

Every tensor of the tree is one line, in the order of the tree. Its path are the keys from the root: strings, numbers for list
indexes and int keys, the text of other keys, the names of attributes and parts. The tensors of a whole module go by their names in
its state_dict. A container that was met before is not walked again; a tensor that was met before is listed again.
"""

ANY = object()  # a key that this module does not spell: members of sets have no order

PARTS = ("indices", "crow", "ccol", "col", "row", "values", "scales", "zero_points")
LEFT_OUT = ("storage_nbytes", "cls", "coalesced", "conj", "neg", "attrs", "slots", "nested", "qscheme", "scale", "zero_point", "axis", "id", "t") + PARTS


def text_of_key(node):
    """How a key that is no str or int is spelled: as Python's repr() does."""
    kind = node["t"]
    if kind == "none":
        return "None"
    if kind in ("bool", "int"):
        return str(node["v"])
    if kind == "float":
        return node["v"]
    if kind == "str" and "v" in node:
        return repr(node["v"])
    if kind == "bytes" and "hex" in node:
        return repr(bytes.fromhex(node["hex"]))
    if kind in ("dtype", "device", "layout", "global"):
        return node["v"]
    if kind in ("tuple", "frozenset"):
        parts = [text_of_key(x) for x in node["v"]]
        if ANY in parts or kind == "frozenset" and len(parts) != 1:
            return ANY
        if kind == "frozenset":
            return "frozenset({%s})" % parts[0]
        return "(%s%s)" % (", ".join(parts), "," if len(parts) == 1 else "")
    return ANY


def key_of(node):
    if node["t"] == "str" and "v" in node:
        return node["v"]
    if node["t"] == "py2str" and "hex" in node:
        try:
            return bytes.fromhex(node["hex"]).decode("utf-8")
        except UnicodeDecodeError:
            return ANY
    if node["t"] == "int" and -2 ** 63 <= int(node["v"]) < 2 ** 63:
        return int(node["v"])
    return text_of_key(node)


def line(path, tensor):
    found = {key: value for key, value in tensor.items() if key not in LEFT_OUT}
    found["path"] = list(path)
    for key in ("stride", "offset", "storage", "sha256"):
        found.setdefault(key, None)
    return found


class Lister(object):
    def __init__(self):
        self.lines, self.tensors = [], {}

    def tensor(self, node, path):
        self.lines.append(line(path, node))
        for part in PARTS:
            if part in node:
                self.node(node[part], path + (part,))
        for i, component in enumerate(node.get("nested", ())):
            self.node(component, path + (str(i),))
        if "attrs" in node:
            self.node(node["attrs"], path)

    def node(self, node, path):
        kind = node["t"]
        if "id" in node and kind == "tensor":
            self.tensors[node["id"]] = node
        if kind == "ref" and node["id"] in self.tensors:
            node = dict(self.tensors[node["id"]])
            node.pop("attrs", None)  # containers that were met before
            node.pop("slots", None)
            kind = "tensor"
        if kind == "tensor":
            self.tensor(node, path)
        elif kind in ("list", "tuple"):
            for i, item in enumerate(node["v"]):
                self.node(item, path + (i,))
        elif kind in ("set", "frozenset"):
            for item in node["v"]:
                self.node(item, path + (ANY,))
        elif kind == "dict":
            for key, value in node["v"]:
                if key["t"] == "tensor":
                    self.tensors[key["id"]] = key  # not listed, but it may be met again
                self.node(value, path + (key_of(key),))
        elif kind == "generator":
            self.node(node["state"], path + ("state",))
        elif "state_dict" in node:
            for key, value in node["state_dict"]["v"]:
                if value["t"] in ("tensor", "ref"):
                    self.node(value, path + (key_of(key),))
            return
        for i, item in enumerate(node.get("items", ())):
            self.node(item, path + (i,))
        if kind != "tensor" and "attrs" in node:
            self.node(node["attrs"], path)
        if "state" in node and kind != "generator":
            self.node(node["state"], path)
        for name, value in node.get("slots", {}).items():
            self.node(value, path + (name,))


def expected(tree):
    lister = Lister()
    lister.node(tree, ())
    return lister.lines


def same_path(truth, found):
    return len(truth) == len(found) and all(a is ANY or (a == b and type(a) is type(b)) for a, b in zip(truth, found))


def without_order(line):
    """Sorts lines of the truth and lines that were found alike: by what both spell."""
    ends = [str(key) for key in (line["path"][:1] + line["path"][-1:]) if key is not ANY]
    return len(line["path"]), ends, str(line["shape"]), line["sha256"] or ""


def joined(path):
    return ".".join(str(x) for x in path)


def difference(tree, found, any_order=False, unlisted=()):
    """None, or how the lines that `ptio ls` printed differ from the tree, as text. Names in `unlisted` must be missing."""
    lines = expected(tree)
    idle = set(unlisted) - {joined(line["path"]) for line in lines} | set(unlisted) & {line["name"] for line in found}
    if idle:
        return "%s is listed: take the row out of exceptions.json" % sorted(idle)[0]
    lines = [line for line in lines if joined(line["path"]) not in unlisted]
    if any_order:
        lines, found = sorted(lines, key=without_order), sorted(found, key=without_order)
    if len(lines) != len(found):
        missing = [joined(x["path"]) for x in lines if not any(same_path(x["path"], y["path"]) for y in found)]
        beyond = [joined(y["path"]) for y in found if not any(same_path(x["path"], y["path"]) for x in lines)]
        return "ls: %d tensors, found %d; missing %s, too many %s" % (len(lines), len(found), missing[:5], beyond[:5])
    numbers = {}
    for truth, other in zip(lines, found):
        where = "ls: " + joined(other["path"])
        if not same_path(truth["path"], other["path"]):
            return "%s: path %s, the tree has %s" % (where, other["path"], truth["path"])
        if other["name"] != joined(other["path"]):
            return "%s: its name is %r" % (where, other["name"])
        for key in truth:
            if key not in other:
                return "%s: %r is missing" % (where, key)
            if key == "storage" and truth[key] is not None and other[key] is not None:
                if numbers.setdefault(("truth", truth[key]), other[key]) != other[key] or \
                        numbers.setdefault(("found", other[key]), truth[key]) != truth[key]:
                    return "%s: shares storage %s, in the tree %s" % (where, other[key], truth[key])
            elif key != "path" and truth[key] != other[key]:
                return "%s: %s %s, in the tree %s" % (where, key, other[key], truth[key])
    return None
