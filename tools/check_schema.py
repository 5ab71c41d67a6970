#!/usr/bin/env python3
"""Do the editor's schema and the loader agree?

    check_schema.py NEARFAR [SEED]

`nearfar schema --json-schema` is written from the tables that the loader reads, by code of its own. Held against each other here:
- the schema is a valid draft-07 schema, and so are its examples and defaults under it;
- every shipped scenario passes, as it stands and as `check --effective` prints it, with every default filled in;
- every file of scenarios/bad whose mistake is one of structure (unknown or missing key, wrong type, wrong word) is refused;
- shipped scenarios with one value changed at random: what the loader takes, the schema takes.
The schema knows no combinations of keys (mean with cv, latency or rtt), no references and no ranges of values with units.
Exit status 0: they agree; 1: they do not; 77: jsonschema or yaml is missing."""

import copy
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-jsonschema python3-yaml)")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEAST_SHIPPED, LEAST_BAD, LEAST_TEXTS, MUTANTS = 20, 25, 150, 500

# Messages of the table loader alone, which the schema has to repeat.
STRUCTURE = re.compile(r'unknown key "|key "[^"]*" is missing  \[|does not go with|expected (a map|a list|at least one entry|'
                       r'a whole number|[a-z-]+(, [a-z-]+)* or [a-z-]+, found)|a name is made of')
BEYOND = {"version-text": "to a JSON schema 1.0 is a whole number"}

# What a mutation puts in the place of a value.
VALUES = [0, 1, -1, 2.5, "2", "0.5", "1e3", "10ms", "10 ms", "5/s", "3req/h", "10MB", "70%", "0.7", "yes", "none", "auto",
          "2 USD/h", "7B", "unlimited", "", "1Gbit/s", "5\u00b5s", True, None, [], {}, [1, 2], {"a": 1}]

failures = 0


def fail(*text):
    global failures
    failures += 1
    print("FAILED:", *text)


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read it: `yes` and `no` are words, and nothing is a date."""

    yaml_implicit_resolvers = {}

    def text_keys(self, node, deep=False):
        return {str(self.construct_scalar(key)): self.construct_object(value, deep=True) for key, value in node.value}


for kind, pattern, first in [
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("int", r"[-+]?[0-9]+", "-+0123456789"),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789")]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + kind, re.compile(f"^(?:{pattern})$"), list(first))
Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
Loader.add_constructor("tag:yaml.org,2002:float",
                       lambda _, node: float(re.sub(r"\.(?=[a-z])", "", node.value.lower())))
Loader.add_constructor("tag:yaml.org,2002:map", Loader.text_keys)


def load(text):
    return yaml.load(text, Loader)


def nearfar(*arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "NEARFAR_DATA": ROOT})


def mistakes(document, schema):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message[:120]}"
            for e in jsonschema.Draft7Validator(schema).iter_errors(document)]


def check_texts(node, path, schema):
    """Examples and defaults stand in the schema as YAML text; each under the key that it belongs to."""
    count = 0
    if isinstance(node, dict):
        texts = [node.get("default"), *node.get("examples", [])] if "description" in node else []
        for text in (t for t in texts if isinstance(t, str)):
            count += 1
            for mistake in mistakes(load(text), {**node, "definitions": schema["definitions"]}):
                fail(f"{path}: {text}: {mistake}")
        node = list(node.items())
    elif isinstance(node, list):
        node = list(enumerate(node))
    else:
        node = []
    return count + sum(check_texts(child, f"{path}/{key}", schema) for key, child in node)


def check_shipped(schema):
    documents = []
    for folder in ["examples", "article", "validation"]:
        for path in sorted(glob.glob(f"{ROOT}/scenarios/{folder}/*.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if not re.search(r"^nearfar:", text, re.MULTILINE):
                continue  # a plan or a sweep, which names scenarios
            effective = nearfar("check", "--effective", path)
            if effective.returncode != 0:
                fail(path, effective.stderr)
                continue
            for what, document in [("as it stands", load(text)), ("effective", load(effective.stdout))]:
                documents.append(document)
                for mistake in mistakes(document, schema):
                    fail(f"{os.path.relpath(path, ROOT)}, {what}: {mistake}")
    if len(documents) < 2 * LEAST_SHIPPED:
        fail(f"only {len(documents) // 2} scenarios found")
    return documents


def check_bad(schema):
    count = 0
    for path in sorted(glob.glob(f"{ROOT}/scenarios/bad/*.yaml")):
        name = os.path.basename(path)[:-len(".yaml")]
        with open(path[:-len("yaml")] + "diag", encoding="utf-8") as file:
            own = [line for line in file if line.startswith(f"{name}.yaml:")]  # not those of a profile that it names
        told = STRUCTURE.search("".join(own))
        if told is None or name in BEYOND:
            continue
        try:
            with open(path, "rb") as file:
                document = load(file.read())
        except (yaml.YAMLError, TypeError, UnicodeError):
            continue  # an editor does not come as far as the schema
        count += 1
        if not mistakes(document, schema):
            fail(f"bad/{name}.yaml passes the schema; the loader says: {told.group(0)}")
    if count < LEAST_BAD:
        fail(f"only {count} files of scenarios/bad are wrong in structure")
    return count


def places(node, path=()):
    """The path of every value in a document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    for key, child in children:
        yield path + (key,)
        yield from places(child, path + (key,))


def check_mutants(schema, documents, seed, folder):
    """One change each: the loader may refuse for reasons that the schema does not know, never the other way round."""
    rng = random.Random(seed)
    taken = 0
    path = os.path.join(folder, "mutant.yaml")
    for _ in range(MUTANTS):
        document = copy.deepcopy(rng.choice(documents))
        place = rng.choice(list(places(document)))
        parent = document
        for key in place[:-1]:
            parent = parent[key]
        if rng.random() < 0.15:
            change = "removed"
            del parent[place[-1]]
        else:
            change = parent[place[-1]] = rng.choice(VALUES)
        text = yaml.safe_dump(document, allow_unicode=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if nearfar("check", path).returncode != 0:
            continue
        taken += 1
        for mistake in mistakes(load(text), schema):
            fail(f"seed {seed}: {document['name']}: {'.'.join(map(str, place))} = {change!r} is taken by the loader;"
                 f" the schema: {mistake}")
    return taken


def main():
    schema = json.loads(nearfar("schema", "--json-schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    texts = check_texts(schema, "", schema)
    if texts < LEAST_TEXTS:
        fail(f"only {texts} examples and defaults found")
    documents = check_shipped(schema)
    bad = check_bad(schema)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261125
    with tempfile.TemporaryDirectory() as folder:
        taken = check_mutants(schema, documents, seed, folder)
    print(f"{texts} examples and defaults, {len(documents) // 2} scenarios twice, {bad} bad files,"
          f" {taken} of {MUTANTS} mutants that the loader takes (seed {seed}): {failures} failures")
    return 1 if failures else 0


if len(sys.argv) < 2:
    sys.exit("usage: check_schema.py NEARFAR [SEED]")
program = sys.argv[1]
sys.exit(main())
