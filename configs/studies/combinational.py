"""When does CCAM help? A rectified, max-normalised map has lost the background that CCAM subtracts.

Eight birds with the network of ``../papers/004/table6_small.py``. Run it once for each way to cut a map, they share it:
``camforge run configs/studies/combinational.py --set metrics.0.normalise=minmax --set metrics.0.threshold=0.12``.
"""

_base_ = "../papers/004/table6_small.py"

name = "combinational"
about = "CAM and its combinations on birds, ranked by the network's scores or with the asked class first."
cost = "5 minutes on 2 cores"

_functions = {
    "top-1 & bottom-1": dict(combine="top_bottom", top=1, bottom=1),
    "top-1 & bottom-4": dict(combine="top_bottom", top=1, bottom=4),
    "linear": dict(eta=1.0),
    "quadratic": dict(eta=2.0),
}

arms = {
    "_delete_": True,
    "CAM": dict(extractor=dict(name="cam")),
    **{
        f"{function}, {anchor}": dict(extractor=dict(name="ccam", anchor=anchor, **options))
        for function, options in _functions.items()
        for anchor in ("ranking", "target_first")
    },
}
metrics = [dict(name="localization", threshold=0.2, normalise="max"), dict(name="maxboxacc")]
paper = dict(_delete_=True)
