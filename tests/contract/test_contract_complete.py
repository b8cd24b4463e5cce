"""No built-in escapes the contracts, and the contracts catch plugins that break them."""

import pytest
import test_contract_datasets
import test_contract_extractors
import test_contract_fusers_metrics
import test_contract_training

from camforge.host.registry import registry
from camforge.testing import PluginContract

MODULES = (test_contract_datasets, test_contract_extractors, test_contract_fusers_metrics, test_contract_training)


def tried() -> set[tuple[str, str]]:
    contracts = [value for module in MODULES for name, value in vars(module).items() if name.startswith("Test")]
    cases = [case for contract in contracts if issubclass(contract, PluginContract) for case in contract.cases]
    return {(case.kind, case.name) for case in cases}


def test_every_built_in_is_tried() -> None:
    offers = [offer for plugins in registry().plugins.values() for offer in plugins.values()]
    built_in = {(offer.kind, offer.cls.name) for offer in offers if offer.distribution == "camforge"}
    assert built_in - tried() == set()


BROKEN = """
import torch
from camforge.api import Extractor, Fuser, GradientExtractor, Metric, Needs
from camforge.testing import ExtractorContract, FuserContract, MetricContract

class Restless(GradientExtractor):
    name = "restless"
    def cam(self, activations, gradients):
        return torch.rand(activations.shape[0], *activations.shape[2:])

class OneScale(GradientExtractor):
    name = "one_scale"
    def cam(self, activations, gradients):
        maps = (gradients * activations).sum(1)
        return maps / maps.max()

class Doubled(GradientExtractor):
    name = "doubled"
    def cam(self, activations, gradients):
        return 2 * (gradients * activations).sum(1)

class Untidy(Extractor):
    name = "untidy"
    def needs(self, model_layers):
        return Needs(activations=model_layers.resolve("last"))
    def extract(self, capture):
        next(capture.model_layers.model.parameters()).data.add_(1)
        return [capture.activations[layer].sum(1) for layer in capture.resolve("last")]

class CountsAll(Fuser):
    name = "counts_all"
    def fuse(self, values, maps):
        return values.amax(1)

class AcrossImages(Fuser):
    name = "across_images"
    def fuse(self, values, maps):
        return values.sum(1) / values.max()

class MeanOfMeans(Metric):
    name = "mean_of_means"
    def update(self, metric_input):
        return metric_input.maps.double().mean()[None]
    def compute(self, total, classes):
        return {"m": float(total[0])}

class Rounded(Metric):
    name = "rounded"
    def update(self, metric_input):
        return metric_input.maps.sum()[None]
    def compute(self, total, classes):
        return {"m/cat": float(total[0])}

class Forgiving(Metric):
    name = "forgiving"
    def update(self, metric_input):
        return torch.stack([metric_input.maps.nan_to_num().double().sum(), metric_input.maps.numel() * torch.ones(())])
    def compute(self, total, classes):
        return {"m": float(total[0] / total[1])}

class TestRestless(ExtractorContract): cases = (Restless(),)
class TestOneScale(ExtractorContract): cases = (OneScale(),)
class TestDoubled(ExtractorContract):
    cases = (Doubled(layers="stages", merge="sum"),)
    def reference(self, plugin, activations, gradients):
        return (gradients * activations).sum(0)
class TestUntidy(ExtractorContract): cases = (Untidy(),)
class TestCountsAll(FuserContract): cases = (CountsAll(axis="view"),)
class TestAcrossImages(FuserContract): cases = (AcrossImages(axis="layer"),)
class TestMeanOfMeans(MetricContract): cases = (MeanOfMeans(),)
class TestForgiving(MetricContract): cases = (Forgiving(),)
class TestRounded(MetricContract): cases = (Rounded(),)
"""

CAUGHT = {
    "Restless": {"it_repeats_to_the_digit", "a_batch_of_one", "frozen_models_and_no_grad_callers"},
    "OneScale": {"a_batch_of_one"},
    "Doubled": {"it_agrees_with_the_reference"},
    "Untidy": {"the_model_comes_back_untouched", "it_repeats_to_the_digit"},
    "CountsAll": {"views_that_a_class_does_not_have_do_not_count"},
    "AcrossImages": {"a_batch_of_one", "all_zero_maps_stay_finite", "no_pair_at_all"},
    "MeanOfMeans": {"statistics_add"},
    "Forgiving": {"nan_is_not_hidden"},
    "Rounded": {"statistics_are_one_tensor", "numbers"},
}


def test_the_contracts_catch_broken_plugins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(BROKEN)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    reports = result.reprec.getreports("pytest_runtest_logreport")  # type: ignore[attr-defined]
    failed = {tuple(report.nodeid.split("::")[1:3]) for report in reports if report.failed}
    said = [str(report.longrepr.reprcrash.message) for report in reports if report.failed]
    assert not [line for line in said if line.startswith(("AttributeError", "NameError", "TypeError"))], (
        "a slip of ours"
    )
    for name, tests in CAUGHT.items():
        mine = {test.removeprefix("test_").partition("[")[0] for owner, test in failed if owner == f"Test{name}"}
        assert tests <= mine, name
        assert "it_says_what_it_is" in mine, "none of them has a docstring"
        assert "options_round_trip_through_json" not in mine


def test_a_check_of_options_names_the_case(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from camforge.api import Fuser
        from camforge.testing import FuserContract

        class Good(Fuser):
            \'\'\'A sentence.\'\'\'
            name = "good"
            def fuse(self, values, maps):
                return values.mean(1)

        class Mumbling(Good):
            \'\'\'no sentence\'\'\'
            name = "mumbling"

        class TestMine(FuserContract):
            cases = (Good(axis="view"), Mumbling(axis="layer"))
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "says_what_it_is or round_trip")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*case: mumbling(axis=layer)"])


def test_a_contract_without_cases_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from camforge.testing import FuserContract\nclass TestMine(FuserContract):\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    assert "TestMine needs cases = (MyPlugin(), …)" in result.stdout.str() + result.stderr.str()
