"""Lines of code, without blanks, comments and docstrings: `python benchmarks/code_lines.py [FOLDER ...]`.

A line each for the folders given (or `src/polyprobe` and every folder in it), its files and its lines.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(source: str) -> int:
    """Return how many lines of a module hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        # A docstring, or a string below an attribute that says what it is.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main() -> None:
    """Print the table."""
    root = Path("src/polyprobe")
    folders = [Path(name) for name in sys.argv[1:]] or [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    for folder in folders:
        files = sorted(folder.rglob("*.py"))
        print(f"{sum(code_lines(file.read_text(encoding='utf-8')) for file in files):7,}  {len(files):4}  {folder}")


if __name__ == "__main__":
    main()
