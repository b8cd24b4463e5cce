// The images of the page, opened when they are needed, and what is measured on them.
const element = id => document.getElementById(id);
const parse = id => JSON.parse(element(id).textContent);

// A cache of the `size` most recently used values; `make(key)` gives a missing one.
function recent(size, make) {
  const kept = new Map();
  return key => {
    const value = kept.has(key) ? kept.get(key) : make(key);
    kept.delete(key);
    kept.set(key, value);
    if (kept.size > size) kept.delete(kept.keys().next().value);
    return value;
  };
}

const openImage = recent(24, async number => {
  const image = parse(`image-${number}`), bytes = await inflate(image.data);
  let start = 0;
  const take = (width, height) => {
    start += width * height;
    return integrate(bytes, start - width * height, width, height);
  };
  image.truth = image.mask ? take(image.width, image.height) : null;
  image.planes = new Map(image.maps.map(([source, label, width, height]) =>
    [`${source}/${label}`, { width, height, values: take(width, height) }]));
  return image;
});

// {levels, heat, counts} of one source's map for one class, or null where the source has none.
const openMap = recent(48, async key => {
  const [number, label, source] = key.split('/').map(Number), image = await openImage(number);
  const plane = image.planes.get(`${source}/${label}`);
  if (!plane) return null;
  const values = resize(plane.values, plane.width, plane.height, image.width, image.height);
  const levels = levelsOf(values);
  return { levels, heat: heatOf(values), counts: image.truth && countsOf(levels, image.truth, label + 1) };
});

const countsKept = new Map();

// The pixel counts of one map at all thresholds, kept for good: sorting asks for those of every image.
async function openCounts(number, label, source) {
  const key = `${number}/${label}/${source}`;
  if (!countsKept.has(key)) countsKept.set(key, (await openMap(key))?.counts ?? null);
  return countsKept.get(key);
}

function boxScore(image, map, label, k) {
  const truth = image.boxes.filter((_, i) => image.boxClasses[i] === label);
  const box = truth.length ? boxOf(map.levels, image.width, image.height, k) : null;
  return truth.length ? Math.max(0, ...truth.map(other => box ? boxIou(box, other) : 0)) : null;
}

// What a source reaches on one class of one image: mask IoU, or box IoU where there is no mask; null without truth.
async function score(number, label, source, k) {
  const counts = await openCounts(number, label, source);
  if (counts) return iouAt(counts, k);
  const map = await openMap(`${number}/${label}/${source}`);
  return map && boxScore(await openImage(number), map, label, k);
}

// How far two sources are apart: by their scores, without truth by the overlap of their masks.
async function apart(number, label, a, b, k) {
  const scores = [await score(number, label, a, k), await score(number, label, b, k)];
  if (!scores.includes(null)) return Math.abs(scores[0] - scores[1]);
  const maps = await Promise.all([a, b].map(source => openMap(`${number}/${label}/${source}`)));
  if (maps.includes(null)) return null;
  let both = 0, either = 0;
  maps[0].levels.forEach((level, i) => {
    const first = level > k, second = maps[1].levels[i] > k;
    both += first && second;
    either += first || second;
  });
  return either ? 1 - both / either : 0;
}

const pause = () => new Promise(resume => setTimeout(resume));
