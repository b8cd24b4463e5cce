"""The data sets of the papers in their published layouts: a few tiny pictures per class, nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image
from scipy.io import savemat

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
            annotation.write_text(_annotation(name))


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
    """ILSVRC with wsolevaluation's lists, 1000 classes, one image each of train, val (other photographs) and test."""
    photograph = picture(root / "ILSVRC" / "photograph.jpg")
    for split in ("train", "val", "test"):
        lists = root / "metadata" / "ILSVRC" / split
        lists.mkdir(parents=True)
        ids = [f"{split}/{c}.jpg" for c in range(1000)]
        for image in ids:
            copied(photograph, root / "ILSVRC" / image)
        (lists / "image_ids.txt").write_text("\n".join(ids))
        (lists / "class_labels.txt").write_text("\n".join(f"{image},{c}" for c, image in enumerate(ids)))
        (lists / "image_sizes.txt").write_text("\n".join(f"{image},{SIDE},{SIDE}" for image in ids))
        if split != "train":
            (lists / "localization.txt").write_text("\n".join(f"{i},{','.join(map(str, BOX))}" for i in ids))


def wsol_cub(root: Path) -> None:
    """CUB with wsolevaluation's lists, three classes, train, val (the added photographs) and test."""
    for split in ("train", "val", "test"):
        lists = root / "metadata" / "CUB" / split
        lists.mkdir(parents=True)
        ids = [f"{1 + c:03d}.Bird_{c}/{split}_{i}.jpg" for c in range(3) for i in range(2)]
        for image in ids:
            picture(root / "CUB" / image)
        (lists / "image_ids.txt").write_text("\n".join(ids))
        (lists / "class_labels.txt").write_text("\n".join(f"{image},{int(image[:3]) - 1}" for image in ids))
        (lists / "image_sizes.txt").write_text("\n".join(f"{image},{SIDE},{SIDE}" for image in ids))
        if split != "train":
            (lists / "localization.txt").write_text("\n".join(f"{i},{','.join(map(str, BOX))}" for i in ids))


def openimages(root: Path) -> None:
    """OpenImages with wsolevaluation's lists: masks of objects twice the images' size, and of what is ignored."""
    x0, y0, x1, y1 = (2 * value for value in BOX)
    for split in ("train", "val", "test"):
        lists, rows = root / "metadata" / "OpenImages" / split, []
        lists.mkdir(parents=True)
        ids = [f"{split}/0{c}/{i}.jpg" for c in range(3) for i in range(2)]
        for image in ids:
            picture(root / "OpenImages" / image)
            names = [image.replace(".jpg", f"_{part}.png") for part in ("m1", "m2", "ignore")]
            left, right, outside = (np.zeros((2 * SIDE, 2 * SIDE), np.uint8) for _ in range(3))
            left[y0:y1, x0 : x0 + 8], right[y0:y1, x0 + 8 : x1], outside[: 2 * y1 : 2, :] = 255, 255, 255
            for name, mask in zip(names, (left, right, outside), strict=True):
                saved(mask, root / "OpenImages" / name)
            rows += [f"{image},{names[0]},{names[2]}", f"{image},{names[1]},"]
        (lists / "image_ids.txt").write_text("\n".join(ids))
        (lists / "class_labels.txt").write_text("\n".join(f"{image},{int(image.split('/')[1])}" for image in ids))
        (lists / "image_sizes.txt").write_text("")
        (lists / "localization.txt").write_text("" if split == "train" else "\n".join(rows))


def ksdd2(root: Path) -> None:
    """KolektorSDD2: train and test, sound and defective surfaces."""
    for split, first in (("train", 10000), ("test", 20000)):
        for i in range(4):
            image = root / "KolektorSDD2" / split / f"{first + i}.png"
            picture(image, 23, 63)
            mask = np.zeros((63, 23), np.uint8)
            mask[20:30, 5:15] = 255 * (i % 2)
            saved(mask, image.with_name(f"{image.stem}_GT.png"))


def stl10(root: Path) -> None:
    """stl10_binary: images column by column, labels from 1, three images per class, folds of four rows."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    names = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
    (folder / "class_names.txt").write_text("\n".join(names))
    (folder / "fold_indices.txt").write_text("\n".join(f"{k} {k + 1} {k + 2} {k + 3} " for k in range(10)))
    for seed, split in enumerate(("train", "test")):
        pixels = np.random.default_rng(seed).integers(0, 255, (30, 3, 96, 96), dtype=np.uint8)
        pixels.tofile(folder / f"{split}_X.bin")
        (1 + np.arange(30, dtype=np.uint8) % 10).tofile(folder / f"{split}_y.bin")


def stanford_dogs(root: Path) -> None:
    """Images and Annotation in a folder per breed, and the two lists."""
    folder = root / "stanford_dogs"
    breeds = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02116738-African_hunting_dog")
    for split, first in (("train", 0), ("test", 10)):
        files = [f"{breed}/{breed.partition('-')[0]}_{first + i}.jpg" for breed in breeds for i in range(2)]
        for file in files:
            picture(folder / "Images" / file)
            annotation = (folder / "Annotation" / file).with_suffix("")
            annotation.parent.mkdir(parents=True, exist_ok=True)
            annotation.write_text(_annotation(file.partition("/")[0].partition("-")[2]))
        boxes = [file.removesuffix(".jpg") for file in files]
        lists = {"file_list": files, "annotation_list": boxes}
        cells = {key: np.array(values, dtype=object)[:, None] for key, values in lists.items()}
        savemat(folder / f"{split}_list.mat", cells | {"labels": np.repeat([1, 2, 3], 2)[:, None]})


def _annotation(name: str) -> str:
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True))
    size = f"<size><width>{SIDE}</width><height>{SIDE}</height></size>"
    return f"<annotation>{size}<object><name>{name}</name><bndbox>{corners}</bndbox></object></annotation>"


def stanford_cars(root: Path) -> None:
    """cars_train, cars_test, the devkit and the test labels, pixels counted from 1."""
    folder, corners = root / "stanford_cars", ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
    names = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "BMW M3 Coupe 2012"]
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": np.array(names, dtype=object)[None]})
    for split, path in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        kinds = [*((corner, "O") for corner in corners), ("class", "O"), ("fname", "O")]
        box = (BOX[0] + 1, BOX[1] + 1, BOX[2], BOX[3])
        rows = [(*box, 1 + i % 3, f"{1 + i:05d}.jpg") for i in range(6)]
        savemat(folder / path, {"annotations": np.array(rows, dtype=kinds)[None]})
        for row in rows:
            picture(folder / f"cars_{split}" / str(row[-1]))


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
    "voc": voc, "coco": coco, "cub": cub, "wsol": ilsvrc, "ksdd2": ksdd2, "openimages": openimages,
    "wsol_cub": wsol_cub, "image_folder": image_folder, "stl10": stl10, "stanford_dogs": stanford_dogs,
    "stanford_cars": stanford_cars,
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
