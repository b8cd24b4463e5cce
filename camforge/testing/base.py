"""What is expected of a plugin of any kind."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError

from camforge.host.errors import mistakes
from camforge.host.registry import api_fits, registry
from camforge.interfaces import KINDS, Plugin

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


Check = Callable[["PluginContract", Plugin], None]


def for_all_cases(check: Check) -> Callable[[PluginContract], None]:
    """One test that goes through all cases; a failure names the case."""

    def test(self: PluginContract) -> None:
        for plugin in self.cases:
            try:
                check(self, plugin)
            except BaseException as error:  # pytest's own failures are not subclasses of Exception
                error.add_note(f"case: {_label(plugin)}")
                raise

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


class PluginContract:
    """Give ``cases``: instances of the plugin with the options that matter.

    What a plugin computes is one test per case; names and options are one test for all cases.
    """

    cases: ClassVar[Sequence[Plugin]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if not self.cases:
            raise pytest.UsageError(f"{type(self).__name__} needs cases = (MyPlugin(), …)")
        if "plugin" in metafunc.fixturenames:
            metafunc.parametrize("plugin", self.cases, ids=[_label(case) for case in self.cases])
        if "device" in metafunc.fixturenames:
            metafunc.parametrize("device", DEVICES)

    @pytest.fixture(autouse=True)
    def _seeded(self) -> None:
        torch.manual_seed(0)

    @for_all_cases
    def test_it_is_of_its_kind(self, plugin: Plugin) -> None:
        assert isinstance(plugin, KINDS[plugin.kind])
        assert re.fullmatch(r"[A-Za-z]\w*", plugin.name), f"{plugin.name!r} cannot be a name in configs"
        assert api_fits(plugin.api), f"it needs version {plugin.api} of camforge.api"

    @for_all_cases
    def test_it_says_what_it_is(self, plugin: Plugin) -> None:
        assert vars(type(plugin)).get("__doc__"), "give it a docstring of its own"
        assert plugin.summary().endswith("."), "the first line of the docstring is a sentence"

    @for_all_cases
    def test_options_round_trip_through_json(self, plugin: Plugin) -> None:
        spec = json.loads(json.dumps(plugin.spec(), allow_nan=False))
        assert spec["name"] == plugin.name
        again = type(plugin).model_validate(spec, context=registry().context)
        assert again == plugin
        assert again.spec() == spec

    @for_all_cases
    def test_options_have_a_json_schema(self, plugin: Plugin) -> None:
        schema = type(plugin).model_json_schema()
        assert schema["additionalProperties"] is False
        assert set(schema.get("properties", {})) == set(type(plugin).model_fields)

    @for_all_cases
    def test_it_is_frozen(self, plugin: Plugin) -> None:
        for option in type(plugin).model_fields:
            with pytest.raises(ValidationError):
                setattr(plugin, option, getattr(plugin, option))

    @for_all_cases
    def test_it_can_go_to_another_process(self, plugin: Plugin) -> None:
        assert pickle.loads(pickle.dumps(plugin)) == plugin  # noqa: S301 - its own bytes

    @for_all_cases
    def test_an_unknown_option_is_refused_with_the_list(self, plugin: Plugin) -> None:
        error = self.complaint(plugin, no_such_option=1)
        assert "no_such_option: unknown option; " in error
        assert all(option in error for option in type(plugin).model_fields)

    @for_all_cases
    def test_an_option_of_a_wrong_type_is_named(self, plugin: Plugin) -> None:
        for option in type(plugin).model_fields:
            error = self.complaint(plugin, **{option: object()})
            assert option in error
            assert "given: " in error

    def complaint(self, plugin: Plugin, **changes: Any) -> str:
        """What is said about the case's options with these changes."""
        given = plugin.spec() | changes
        with pytest.raises(ValidationError) as caught:
            type(plugin).model_validate(given, context=registry().context)
        return "; ".join(map(str, mistakes(caught.value, given)))


def _label(plugin: Plugin) -> str:
    """The case's name with the options that differ from the defaults."""
    fields = type(plugin).model_fields
    changed = {
        name: value for name, value in plugin.spec().items() if name in fields and name in plugin.model_fields_set
    }
    options = ",".join(f"{name}={value}" for name, value in changed.items())
    return f"{plugin.name}({options})" if len(options) < 60 else f"{plugin.name}({options[:57]}…)"
