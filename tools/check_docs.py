#!/usr/bin/env python3
"""check_docs.py --bin BUILD/bin [README...]: what the documentation says is true.

Every README.md of the tree, in a copy of the tracked files with the programs of BUILD/bin under build/bin:
  - each ```sh block is run by bash (errors end it) and has to succeed; blocks of one file run in order, in one copy,
    with the python3 that runs this check;
    "```sh no-test" is not run (installation, commands that need a GPU or another machine);
    "```sh fails=N" has to end with status N; "```sh needs=h5py" is run when that Python module is there;
  - a ```text block that follows directly is the standard output that the block has to print. Numbers on lines that
    speak of wall time or of a speed (".../s", "per second") may differ, and "..." stands for anything, on a line of
    its own for any number of lines; everything else has to be equal but for white space at the ends of lines;
    `--update` writes the present output into the file instead, unless the block has a "..." in it; look at the
    difference before committing it;
  - each ```yaml block that starts a scenario (key nearfar:) has to pass `nearfar check`;
  - each relative link has to lead to a file of the tree.
Exit status 0: all true; 1: something is not, with file and line; 2: bad usage.
"""
import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BLOCK_SECONDS = 300
TIMING = re.compile(r"wall|events in |requests/s|events/s|per second|ns per|peak memory", re.I)
NUMBER = r"[0-9][0-9.,]*"


def tracked_files():
    try:
        out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"],
                             check=True, capture_output=True).stdout
        names = [n for n in out.decode().split("\0") if n]
        if names:
            return [n for n in names if os.path.isfile(os.path.join(ROOT, n))]
    except (OSError, subprocess.CalledProcessError):
        pass
    names = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith("build") and f != ".git"]
        names += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    return names


class Block:
    def __init__(self, info, line):
        self.info, self.line, self.lines = info, line, []
        self.follows = None  # the block that ended just above this one

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks_of(path):
    """Fenced blocks in order; `follows` is set when only blank lines stand between two of them."""
    blocks, current, previous = [], None, None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            fence = re.match(r"^```(.*)$", line)
            if fence and current is None:
                current = Block(fence.group(1).strip(), number)
                current.follows = previous
            elif fence:
                blocks.append(current)
                previous, current = current, None
            elif current is not None:
                current.lines.append(line)
            elif line.strip():
                previous = None
    if current is not None:
        raise ValueError(f"{path}:{current.line}: block is not closed")
    return blocks


def line_pattern(line):
    line = line.rstrip()
    pieces = []
    for piece in line.split("..."):
        if TIMING.search(line):  # numbers at odd places of the split; columns shift with their width
            words = re.split("(" + NUMBER + ")", piece)
            pattern = "".join(NUMBER if i % 2 else re.escape(word) for i, word in enumerate(words))
            pieces.append(re.sub(r"(\\ )+", lambda _: r"\s+", pattern))
        else:
            pieces.append(re.escape(piece))
    return ".*".join(pieces)


def output_matches(expected, actual):
    """Match line lists; an expected line of "..." alone stands for any number of lines."""
    patterns = [None if e.strip() == "..." else re.compile(line_pattern(e) + r"\s*$") for e in expected]
    actual = [a.rstrip() for a in actual]

    def match(i, j):
        while i < len(patterns):
            if patterns[i] is None:
                return any(match(i + 1, k) for k in range(j, len(actual) + 1))
            if j == len(actual) or not patterns[i].match(actual[j]):
                return False
            i, j = i + 1, j + 1
        return j == len(actual)

    return match(0, 0)


def trimmed(lines):
    lines = list(lines)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


class Context:
    """A copy of the tree in a temporary folder, with the programs."""

    def __init__(self, files, programs):
        self.folder = tempfile.mkdtemp(prefix="nearfar-docs-")
        for name in files:
            target = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), target)
        os.makedirs(os.path.join(self.folder, "build"), exist_ok=True)
        os.makedirs(os.path.join(self.folder, "results"), exist_ok=True)
        os.symlink(programs, os.path.join(self.folder, "build", "bin"))

    def run(self, command):
        environment = dict(os.environ, PATH=os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", ""))
        return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", command], cwd=self.folder,
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=BLOCK_SECONDS, check=False)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def check_links(name, problems):
    folder = os.path.dirname(os.path.join(ROOT, name))
    fenced = False
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("```"):
                fenced = not fenced
            if fenced:
                continue
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if not re.match(r"^[a-z]+:", target) and not os.path.exists(os.path.join(folder, target)):
                    problems.append(f"{name}:{number}: link leads nowhere: {target}")


def is_run(block):
    words = block.info.split()
    needed = [w[6:] for w in words if w.startswith("needs=")]
    return words[:1] == ["sh"] and "no-test" not in words and all(map(importlib.util.find_spec, needed))


def write_output(name, replacements):
    """replacements: (line of the opening fence, lines that stood there, lines to stand there)."""
    path = os.path.join(ROOT, name)
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for line, old, new in sorted(replacements, key=lambda r: r[0], reverse=True):
        lines[line:line + len(old)] = new
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def check_file(name, files, programs, problems, update=False):
    ran, replacements = 0, []
    check_links(name, problems)
    context, last = None, None
    try:
        for block in blocks_of(os.path.join(ROOT, name)):
            words = block.info.split()
            kind = words[0] if words else ""
            place = f"{name}:{block.line}"
            if kind in ("sh", "yaml") and context is None:
                context = Context(files, programs)
            if is_run(block):
                wanted = next((int(w[6:]) for w in words if w.startswith("fails=")), 0)
                last = context.run(block.text)
                ran += 1
                if last.returncode != wanted:
                    problems.append(f"{place}: status {last.returncode}, expected {wanted}\n"
                                    f"{last.stdout[-2000:]}{last.stderr[-2000:]}")
            elif kind == "text" and block.follows is not None and is_run(block.follows):
                actual = trimmed(line.rstrip() for line in last.stdout.split("\n"))
                if output_matches(trimmed(block.lines), actual):
                    continue
                if update and not any("..." in line for line in block.lines):
                    replacements.append((block.line, block.lines, actual))
                else:
                    problems.append(f"{place}: the output is not what is shown; it was\n" + "\n".join(actual))
            elif kind == "yaml" and any(re.match(r"nearfar:", line) for line in block.lines):
                path = os.path.join(context.folder, "scenarios", "from_readme.yaml")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(block.text)
                result = context.run("build/bin/nearfar check scenarios/from_readme.yaml")
                ran += 1
                if result.returncode != 0:
                    problems.append(f"{place}: not a valid scenario\n{result.stdout}{result.stderr}")
    except (ValueError, subprocess.TimeoutExpired) as error:
        problems.append(f"{name}: {error}")
    finally:
        if context is not None:
            context.close()
    write_output(name, replacements)
    return ran


def self_test():
    """The comparison accepts what it should and nothing else."""
    same = [(["a 1", "b"], ["a 1 ", "b"]), (["12.5 ms wall time"], ["7 ms wall time"]),
            (["a ... c"], ["a b c"]), (["x", "...", "y"], ["x", "1", "2", "y"]),
            (["took   1.5 s wall"], ["took  12.5 s wall"])]
    other = [(["a 1"], ["a 2"]), (["a"], ["a", "b"]), (["a", "b"], ["a"]), (["p99 12.5 ms"], ["p99 12.6 ms"]),
             (["1 ms wall"], ["x ms wall"]), (["a.c"], ["abc"])]
    for expected, actual in same:
        assert output_matches(expected, actual), (expected, actual)
    for expected, actual in other:
        assert not output_matches(expected, actual), (expected, actual)
    print(f"docs: self-test of {len(same) + len(other)} comparisons passed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", help="folder with the program nearfar")
    parser.add_argument("--update", action="store_true", help="write the present output into the files")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("files", nargs="*", help="README files, relative to the tree (default: all)")
    arguments = parser.parse_args()
    if arguments.self_test:
        self_test()
        return 0
    if not arguments.bin or not os.access(os.path.join(arguments.bin, "nearfar"), os.X_OK):
        print(f"check_docs: no program nearfar in {arguments.bin}", file=sys.stderr)
        return 2
    files = tracked_files()
    names = arguments.files or sorted(f for f in files if os.path.basename(f) == "README.md")
    problems, ran = [], 0
    for name in names:
        ran += check_file(name, files, os.path.abspath(arguments.bin), problems, arguments.update)
    for problem in problems:
        print(problem)
    print(f"docs: {len(names)} files, {ran} blocks run, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
