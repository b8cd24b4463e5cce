"""Twelve distributions, each broken in its own way: (name, module source, entry points, step, reason)."""

HEAD = "from camforge.api import Extractor, Fuser, hookimpl\n"
COMPLETE = HEAD + "class Fine(Extractor):\n    name = '{name}'\n    def extract(self, capture):\n        return []\n"
HOOK = "@hookimpl\ndef camforge_extractors({argument}):\n    return {value}\n"

Broken = tuple[str, str | None, str | bytes | None, str, str]

BROKEN: list[Broken] = [
    ("import_error", "import a_module_that_is_not_there\n", None, "import", "No module named 'a_module"),
    ("syntax_error", "def broken(:\n", None, "import", "SyntaxError: invalid syntax"),
    ("missing_target", None, None, "import", "ModuleNotFoundError: No module named 'missing_target'"),
    ("exits", "import sys\nsys.exit(3)\n", None, "import", "SystemExit: 3"),
    (
        "wrong_argument", COMPLETE.format(name="a") + HOOK.format(argument="extra", value="[Fine]"), None,
        "hooks", "hook 'camforge_extractors'",
    ),
    (
        "misspelt_hook", COMPLETE.format(name="a") + "@hookimpl\ndef camforge_extractor():\n    return [Fine]\n", None,
        "hooks", "unknown hook 'camforge_extractor'",
    ),
    ("hook_raises", HEAD + HOOK.format(argument="", value="1 / 0"), None, "hooks", "division by zero"),
    ("wrong_return", HEAD + HOOK.format(argument="", value="7"), None, "hooks", "must return a list of classes"),
    (
        "incomplete",
        HEAD + "class Half(Extractor):\n    name = 'half'\n" + HOOK.format(argument="", value="[Half]"),
        None,
        "interface", "Half leaves extract of Extractor open",
    ),
    (
        "name_of_a_built_in", COMPLETE.format(name="gradcam") + HOOK.format(argument="", value="[Fine]"), None,
        "name", "extractor 'gradcam' of Fine is taken by camforge",
    ),
    ("corrupt", "", b"[camforge]\nthis is no entry point\n", "entry_points.txt", "no lines 'name = module'"),
    ("hangs", "import time\ntime.sleep(600)\n", None, "import", "took more than"),
]  # fmt: skip
