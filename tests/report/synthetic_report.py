"""A small story, hostile names included."""

import torch

from camforge.report.data import ArmReport, GalleryImage, ReportData, TrainingCurve, ViewReport

CLASSES = ("cat", "</script><script>alert(1)</script>", "a \"quoted\" & 'odd' one")
HOSTILE_ID = "../../<img src=x onerror=alert(2)>.jpg"
ARMS = ("plain", "<b>both</b>", "centred Gaussian")


def blob(size: int, x: float, y: float, radius: float) -> torch.Tensor:
    """(size, size): a bump that falls off with the squared distance, negative far away."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2)) - 0.05


def picture(name: str, size: int = 48, map_size: int = 48) -> GalleryImage:
    """Two objects, a mask with ignored borders, boxes, and a map of every arm for both classes."""
    mask = torch.zeros(size, size, dtype=torch.uint8)
    mask[5:25, 6:30] = 1
    mask[30:44, 20:40] = 2
    mask[25:27, 6:30] = 255
    scale = map_size / size
    maps = {
        arm: {
            c: blob(map_size, (x + torch.rand(1) * 6) * scale, y * scale, radius * scale)
            + 0.05 * torch.rand(map_size, map_size)
            for c, x, y in ((0, 15, 15), (1, 28, 36))
        }
        for arm, radius in zip(ARMS, (7.0, 10.0, 14.0), strict=True)
    }
    if map_size == 24:  # a rectified map smaller than its image
        maps = {arm: {c: values.relu() for c, values in of_arm.items()} for arm, of_arm in maps.items()}
    return GalleryImage(
        id=name,
        image=torch.randint(0, 255, (3, size, size), dtype=torch.uint8),
        labels=torch.tensor([True, True, False]),
        maps=maps,
        mask=mask,
        boxes=torch.tensor([[6.0, 5.0, 30.0, 25.0], [20.0, 30.0, 40.0, 44.0]]),
        box_classes=torch.tensor([0, 1]),
        before_fusion={ARMS[1]: {"level 1": {0: blob(12, 4, 4, 3)}}},
    )


def arms() -> tuple[ArmReport, ...]:
    """Two arms and a control that leads in recall."""
    levels = (
        ViewReport("classes", tuple((name,) for name in CLASSES)),
        ViewReport("level 1", ((CLASSES[0], CLASSES[2]), (CLASSES[1],)), 1),
        ViewReport("level 2", (CLASSES,), 2),
    )
    cam, gradcam = {"extractor": {"name": "cam"}}, {"extractor": {"name": "gradcam"}}
    similarity = [[1.0, 0.1, 0.7], [0.1, 1.0, 0.2], [0.7, 0.2, 1.0]]
    curve = TrainingCurve("classes", tuple({"epoch": e, "lr": 1e-4, "loss": 0.9 / (e + 1)} for e in range(4)))
    lower = frozenset({"mlev"})
    plain = {"miou": 0.4375, "mlev": 0.6251, "recall": 0.5, f"miou/{CLASSES[0]}": 0.5123, f"miou/{CLASSES[1]}": 0.3627}
    both = {"miou": 0.4871, "mlev": 0.7012, "recall": 0.6, f"miou/{CLASSES[0]}": 0.6, f"miou/{CLASSES[1]}": 0.3}
    return (
        ArmReport(ARMS[2], {"miou": 0.25, "mlev": float("nan"), "recall": 0.9}, lower, control=True),
        ArmReport(ARMS[0], plain, lower, "one <network>", cam, levels[:1], curves=(curve,)),
        ArmReport(ARMS[1], both, lower, "", gradcam, levels, {"similarity": similarity, "status": "<converged>"}),
    )


def synthetic_report() -> ReportData:
    """Four images of 48 pixels, three classes, two arms and a control."""
    names = (HOSTILE_ID, "two", "three", "four")
    gallery = tuple(picture(name, map_size=size) for name, size in zip(names, (48, 12, 48, 24), strict=True))
    recipe = {"seed": 17, "versions": {"torch": "2.99 <&>"}}
    return ReportData("Cats & <others>", CLASSES, arms(), "about </p>", recipe, gallery, ("bad<x>.jpg: cut short",))
