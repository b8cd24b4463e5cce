// Pure functions: packed bytes to maps, maps to masks and boxes, and their agreement with the truth.
const STEPS = 100; // thresholds 0.00, 0.01 … 1.00

async function inflate(text) {
  const letters = atob(text), packed = new Uint8Array(letters.length);
  for (let i = 0; i < packed.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undo the second differences of one plane of `width` x `height` bytes that starts at `start`.
function integrate(bytes, start, width, height) {
  const plane = new Uint8Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const left = x ? plane[at - 1] : 0, up = y ? plane[at - width] : 0, corner = x && y ? plane[at - width - 1] : 0;
      plane[at] = bytes[start + at] + left + up - corner;
    }
  }
  return plane;
}

// Where each of `size` output pixels reads among `length` input pixels, bilinear with align_corners=False.
function taps(length, size) {
  const low = new Int32Array(size), high = new Int32Array(size), share = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const place = Math.max(0, (i + 0.5) * length / size - 0.5);
    low[i] = Math.min(Math.floor(place), length - 1);
    high[i] = Math.min(low[i] + 1, length - 1);
    share[i] = place - low[i];
  }
  return { low, high, share };
}

function resize(plane, width, height, newWidth, newHeight) {
  const out = new Float64Array(newWidth * newHeight), rows = taps(height, newHeight), columns = taps(width, newWidth);
  for (let y = 0, at = 0; y < newHeight; y++) {
    const up = rows.low[y] * width, down = rows.high[y] * width, v = rows.share[y];
    for (let x = 0; x < newWidth; x++, at++) {
      const left = columns.low[x], right = columns.high[x], u = columns.share[x];
      const top = plane[up + left] * (1 - u) + plane[up + right] * u;
      const bottom = plane[down + left] * (1 - u) + plane[down + right] * u;
      out[at] = top * (1 - v) + bottom * v;
    }
  }
  return out;
}

function peakOf(values) {
  let peak = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > peak) peak = values[i];
  return peak;
}

// Per pixel the number of thresholds k/100 that its max-normalised value reaches; 0 for values of 0.
function levelsOf(values) {
  const peak = peakOf(values), levels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (values[i] <= 0) continue;
    const share = values[i] / peak;
    let k = Math.floor(share * STEPS); // off by one where the product was rounded
    if (k < STEPS && share >= (k + 1) / STEPS) k++;
    if (k > 0 && share < k / STEPS) k--;
    levels[i] = k + 1;
  }
  return levels;
}

function heatOf(values) {
  const peak = peakOf(values) || 1, heat = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) heat[i] = Math.round(values[i] / peak * 255);
  return heat;
}

// Pixel counts at every threshold: `seed` of the mask, `hit` of it inside the truth; `truth` altogether. 255 is ignored.
function countsOf(levels, mask, value) {
  const seed = new Float64Array(STEPS + 2), hit = new Float64Array(STEPS + 2);
  let truth = 0;
  for (let i = 0; i < levels.length; i++) {
    if (mask[i] === 255) continue;
    seed[levels[i]]++;
    if (mask[i] === value) { truth++; hit[levels[i]]++; }
  }
  for (let k = STEPS; k > 0; k--) { seed[k] += seed[k + 1]; hit[k] += hit[k + 1]; }
  return { seed: seed.subarray(1), hit: hit.subarray(1), truth };
}

const ratio = (part, whole) => whole > 0 ? part / whole : null;
const iouAt = (counts, k) => ratio(counts.hit[k], counts.seed[k] + counts.truth - counts.hit[k]);

// Tight box [x0, y0, x1, y1) of the largest 8-connected part of the mask at threshold k; null for an empty mask.
function boxOf(levels, width, height, k) {
  const open = levels.map(level => level > k ? 1 : 0), stack = new Int32Array(levels.length);
  let best = null, most = 0;
  for (let start = 0; start < open.length; start++) {
    if (!open[start]) continue;
    let filled = 0, count = 0, x0 = width, y0 = height, x1 = 0, y1 = 0;
    stack[filled++] = start;
    open[start] = 0;
    while (filled) {
      const at = stack[--filled], x = at % width, y = (at - x) / width;
      count++;
      x0 = Math.min(x0, x); x1 = Math.max(x1, x + 1); y0 = Math.min(y0, y); y1 = Math.max(y1, y + 1);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (open[next]) { open[next] = 0; stack[filled++] = next; }
        }
      }
    }
    if (count > most) { most = count; best = [x0, y0, x1, y1]; }
  }
  return best;
}

function boxIou(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const common = Math.max(0, w) * Math.max(0, h);
  const area = box => (box[2] - box[0]) * (box[3] - box[1]);
  return ratio(common, area(a) + area(b) - common) ?? 0;
}
