"""``plugins show`` explains options, wherever their class says what they are."""

from camforge.host.describe import options_of
from camforge.host.registry import registry
from camforge.interfaces import Fuser


def about(kind: str, name: str) -> dict[str, str]:
    return {option.name: option.about for option in options_of(registry().plugins[kind][name].cls)}


def test_every_option_of_every_plugin_is_explained() -> None:
    silent = [
        f"{kind} {name}: {option}"
        for kind, offers in registry().plugins.items()
        for name in offers
        for option, text in about(kind, name).items()
        if not text
    ]
    assert silent == []


def test_aligned_lines_of_a_docstring_are_explanations() -> None:
    class Odd(Fuser):
        """Odd.

        first, second  what both are,
                       in two lines;  third  another
        """

        name = "odd"
        first: int = 1
        second: int = 2
        third: int = 3
        fourth: int = 4
        """In the field's own words."""

        def fuse(self, values, maps):
            del maps
            return values

    found = {option.name: option.about for option in options_of(Odd)}
    assert found["first"] == found["second"] == "what both are, in two lines"
    assert found["third"] == "another"
    assert found["fourth"] == "In the field's own words."
    assert found["axis"].startswith("The axis of the stack that is reduced")  # of the class that it builds on


def test_trainers_say_what_they_share() -> None:
    found = about("trainer", "single")
    assert found["epochs"] == "Passes over the training images."
    assert about("dataset", "image_folder")["masks"].startswith("a folder with <split>/<class>/<stem>.png")
