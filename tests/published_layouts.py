"""The data sets of the papers in their published layouts: a few tiny pictures per class, nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from camforge_plugins.datasets.voc import CLASSES

SIDE = 24
BOX = (4, 6, 18, 20)  # x0, y0, x1, y1 of every object
TRAIN, VAL = 6, 1  # images of each class


def voc(root: Path) -> None:
    """VOCdevkit/VOC2012 with SBD's list and masks."""
    folder = root / "VOCdevkit" / "VOC2012"
    photograph, mask = picture(folder / "JPEGImages" / "photograph.jpg"), np.zeros((SIDE, SIDE), np.uint8)
    for split, count in {"train": 1, "train_aug": TRAIN, "val": VAL}.items():
        ids = [f"{split}_{name}_{i}" for name in CLASSES for i in range(count)]
        lists = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        lists.parent.mkdir(parents=True, exist_ok=True)
        lists.write_text("\n".join(ids))
        for image in ids:
            name = image.removeprefix(f"{split}_").rpartition("_")[0]
            copied(photograph, folder / "JPEGImages" / f"{image}.jpg")
            mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1 + CLASSES.index(name)
            for masks in ("SegmentationClass", "SegmentationClassAug"):
                if not (masks == "SegmentationClass" and split == "train_aug"):
                    saved(mask, folder / masks / f"{image}.png")
            annotation = folder / "Annotations" / f"{image}.xml"
            annotation.parent.mkdir(exist_ok=True)
            corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True))
            annotation.write_text(
                f"<annotation><size><width>{SIDE}</width><height>{SIDE}</height></size>"
                f"<object><name>{name}</name><bndbox>{corners}</bndbox></object></annotation>"
            )


def coco(root: Path) -> None:
    """coco/train2017, val2017 and annotations, 80 classes."""
    folder = root / "coco"
    categories = [{"id": 1 + c, "name": f"class {c}", "supercategory": f"family {c % 12}"} for c in range(80)]
    x0, y0, x1, y1 = BOX
    for split, count in {"train": TRAIN, "val": VAL}.items():
        photograph = picture(folder / f"{split}2017" / "0.jpg")
        images, annotations = [], []
        for place in range(80 * count):
            name = f"{place + 1000 * (split == 'val'):012d}.jpg"
            copied(photograph, folder / f"{split}2017" / name)
            images.append({"id": place, "file_name": name, "width": SIDE, "height": SIDE})
            outline = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            about = {"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": outline, "area": 196, "iscrowd": 0}
            annotations.append({"id": 1 + place, "image_id": place, "category_id": 1 + place % 80, **about})
        path = folder / "annotations" / f"instances_{split}2017.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def cub(root: Path) -> None:
    """CUB_200_2011, 200 classes, one training and one test image each."""
    folder = root / "CUB_200_2011"
    names = [f"{1 + c:03d}.Bird_{c}" for c in range(200)]
    files = [f"{name}/{name}_{i}.jpg" for name in names for i in range(2)]
    photograph = picture(folder / "images" / "photograph.jpg")
    for file in files:
        copied(photograph, folder / "images" / file)
    rows = {
        "classes": names,
        "images": files,
        "image_class_labels": [str(1 + i // 2) for i in range(400)],
        "bounding_boxes": ["4.0 6.0 14.0 14.0"] * 400,
        "train_test_split": [str(i % 2) for i in range(400)],
    }
    for name, values in rows.items():
        (folder / f"{name}.txt").write_text("\n".join(f"{1 + i} {value}" for i, value in enumerate(values)))


def ilsvrc(root: Path) -> None:
    """ILSVRC with wsolevaluation's lists, 1000 classes, one training and one validation image each."""
    photograph = picture(root / "ILSVRC" / "photograph.jpg")
    for split in ("train", "val"):
        lists = root / "metadata" / "ILSVRC" / split
        lists.mkdir(parents=True)
        ids = [f"{split}/{c}.jpg" for c in range(1000)]
        for image in ids:
            copied(photograph, root / "ILSVRC" / image)
        (lists / "image_ids.txt").write_text("\n".join(ids))
        (lists / "class_labels.txt").write_text("\n".join(f"{image},{c}" for c, image in enumerate(ids)))
        (lists / "image_sizes.txt").write_text("\n".join(f"{image},{SIDE},{SIDE}" for image in ids))
        if split == "val":
            (lists / "localization.txt").write_text("\n".join(f"{i},{','.join(map(str, BOX))}" for i in ids))


def ksdd2(root: Path) -> None:
    """KolektorSDD2: train and test, sound and defective surfaces."""
    for split, first in (("train", 10000), ("test", 20000)):
        for i in range(4):
            image = root / "KolektorSDD2" / split / f"{first + i}.png"
            picture(image, 23, 63)
            mask = np.zeros((63, 23), np.uint8)
            mask[20:30, 5:15] = 255 * (i % 2)
            saved(mask, image.with_name(f"{image.stem}_GT.png"))


def image_folder(root: Path) -> None:
    """A folder per class, masks in folders of the same names, boxes in one list."""
    folder, mask = root / "images", np.zeros((SIDE, SIDE), np.uint8)
    mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    rows = ["image,x0,y0,x1,y1"]
    for split in ("train", "val"):
        for label in ("cat", "dog"):
            for i in range(3):
                name = f"{split}/{label}/{i}.jpg"
                picture(folder / name)
                saved(mask, (root / "masks" / name).with_suffix(".png"))
                rows.append(f"{name},{','.join(map(str, BOX))}")
    (root / "boxes.csv").write_text("\n".join(rows))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "voc": voc, "coco": coco, "cub": cub, "wsol": ilsvrc, "ksdd2": ksdd2,
    "image_folder": image_folder,
}  # fmt: skip


def picture(path: Path, width: int = SIDE, height: int = SIDE) -> Path:
    seed = crc32("/".join(path.parts[-3:]).encode())  # two files of one name in two folders differ
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return saved(pixels, path)


def saved(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def copied(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
