// The bench: one image and class, arm A against arm B, and what the threshold makes of them.
// `item` is the (image, class) pair shown; `a` and `b` are places in index.sources, -1 for nothing; `k` hundredths.
const state = { item: null, a: -1, b: -1, k: 0, order: [], turn: 0, run: 0 };
let index = null, palette = null, items = [], fused = [];

const keyOf = source => `${state.item.number}/${state.item.label}/${source}`;
const number = value => value === null || value === undefined ? '–' : value.toFixed(3);
const bright = part => getComputedStyle(part).getPropertyValue('--bright');
const sides = () => [['a', state.a], ['b', state.b]];

function title(source) {
  const { arm, step, fused: whole } = index.sources[source];
  return whole ? arm : `${arm} · ${step}`;
}

const photograph = recent(24, async place => {
  const picture = new Image();
  picture.src = (await openImage(place)).picture;
  await picture.decode();
  return picture;
});

function paint(canvas, image, picture, map, scale, colour, shown) {
  const context = sizeCanvas(canvas, image.width, image.height, scale), size = [image.width, image.height];
  context.drawImage(picture, 0, 0, ...size);
  if (map && shown.heat) context.drawImage(heatLayer(map.heat, ...size, palette), 0, 0, ...size);
  if (shown.truth && image.truth) {
    trace(context, outline(at => image.truth[at] === state.item.label + 1, ...size), '#fff');
  }
  if (map && shown.seed) trace(context, outline(at => map.levels[at] > state.k, ...size), colour);
  if (!shown.boxes) return;
  for (const [i, box] of image.boxes.entries()) {
    if (image.boxClasses[i] === state.item.label) trace(context, frame(box), '#fff', [5, 4]);
  }
  const box = map && boxOf(map.levels, ...size, state.k);
  if (box) trace(context, frame(box), colour);
}

// Fill one side of the table of scores; returns the mask IoU at every threshold, or null.
function report(side, image, map) {
  const counts = map?.counts, k = state.k;
  const all = counts ? Array.from({ length: STEPS + 1 }, (_, i) => iouAt(counts, i) ?? 0) : null;
  const best = all ? all.indexOf(Math.max(...all)) : null;
  const values = {
    iou: counts ? iouAt(counts, k) : null,
    precision: counts ? ratio(counts.hit[k], counts.seed[k]) : null,
    recall: counts ? ratio(counts.hit[k], counts.truth) : null,
    box: map ? boxScore(image, map, state.item.label, k) : null,
    top: all ? all[best] : null,
  };
  for (const [name, value] of Object.entries(values)) {
    element(`${name}-${side}`).textContent = number(value);
    element(`${name}-${side}`).dataset.value = value ?? '';
  }
  if (all) element(`top-${side}`).textContent += ` at ${(best / STEPS).toFixed(2)}`;
  return all;
}

const PLOT = { left: 24, width: 268, base: 104, height: 96 };

function plot(curves) {
  const { left, width, base, height } = PLOT, now = left + state.k / STEPS * width;
  const point = (value, k) => `${(left + k / STEPS * width).toFixed(1)},${(base - value * height).toFixed(1)}`;
  const line = side => curves[side] ?
    `<polyline class="line ${element(`pill-${side}`).dataset.hue}" points="${curves[side].map(point).join(' ')}"/>` : '';
  const grid = [0, 0.5, 1].map(value => base - value * height).map((y, i) =>
    `<line class="grid" x1="${left}" x2="${left + width}" y1="${y}" y2="${y}"/>` +
    `<text class="tick" x="${left - 5}" y="${y + 3.5}" text-anchor="end">${i / 2}</text>`);
  element('curve').innerHTML = grid.join('') + line('b') + line('a') +
    `<line class="now" x1="${now}" x2="${now}" y1="4" y2="${base + 4}"/>`;
  element('curve').classList.toggle('empty', !curves.a && !curves.b);
}

async function draw() {
  const turn = ++state.turn;
  const image = await openImage(state.item.number), picture = await photograph(state.item.number);
  const maps = { a: await openMap(keyOf(state.a)), b: state.b < 0 ? null : await openMap(keyOf(state.b)) };
  if (turn !== state.turn) return; // a later draw has overtaken this one
  const scale = Math.max(1, Math.min(4, Math.round(900 / Math.max(image.width, image.height))));
  const shown = Object.fromEntries(['heat', 'seed', 'truth', 'boxes'].map(part => [part, element(`show-${part}`).checked]));
  const curves = {};
  for (const [side, source] of sides()) {
    const pill = element(`pill-${side}`);
    pill.textContent = source < 0 ? '' : title(source);
    paint(element(`canvas-${side}`), image, picture, maps[side], scale, bright(pill), shown);
    curves[side] = report(side, image, maps[side]);
  }
  plot(curves);
  nameImage(image);
  element('canvases').classList.toggle('alone', state.b < 0);
  element('canvases').style.setProperty('--aspect', image.width / image.height);
  element('threshold-value').textContent = (state.k / STEPS).toFixed(2);
  await drawEvery(image, picture, turn);
}

function nameImage(image) {
  element('name').textContent = image.id;
  const here = items.filter(item => item.number === state.item.number);
  element('chips').replaceChildren(...here.map((item, i) => {
    const chip = document.createElement('button');
    chip.type = 'button';
    chip.textContent = index.classes[item.label];
    chip.title = `key ${i + 1}`;
    chip.setAttribute('aria-pressed', item === state.item);
    chip.addEventListener('click', () => choose(item));
    return chip;
  }));
}

// The small pictures below the bench: the same image and class in every arm, and before arm A is fused.
async function drawEvery(image, picture, turn) {
  for (const tile of [...element('every').children, ...element('steps').children]) {
    const source = Number(tile.dataset.source), map = await openMap(keyOf(source));
    if (turn !== state.turn) return;
    paint(tile.querySelector('canvas'), image, picture, map, 2, bright(tile), { heat: true, seed: true, truth: true });
    const counts = map?.counts;
    const value = counts ? iouAt(counts, state.k) : map && boxScore(image, map, state.item.label, state.k);
    tile.querySelector('small').textContent = number(value);
    tile.setAttribute('aria-pressed', source === state.a);
  }
}
