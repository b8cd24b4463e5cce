// The gallery's controls, and its start.
function setHue(part, source, plain) {
  const hue = source < 0 || plain ? 'hx' : `h${index.sources[source].hue}`;
  part.classList.remove(part.dataset.hue ?? hue);
  part.classList.add(hue);
  part.dataset.hue = hue;
}

function setSources(a, b) {
  Object.assign(state, { a, b });
  for (const [side, source] of sides()) {
    const alike = side === 'b' && source >= 0 && index.sources[a].hue === index.sources[source].hue;
    element(`source-${side}`).value = source;
    for (const part of document.querySelectorAll(`#gallery .side-${side}`)) setHue(part, source, alike);
  }
  rankSoon();
  return draw();
}

function setThreshold(k) {
  state.k = Math.max(0, Math.min(STEPS, k));
  element('threshold').value = state.k;
  rankSoon();
  return draw();
}

const swap = () => state.b < 0 ? null : setSources(state.b, state.a);
const wipe = () => element('canvases').style.setProperty('--wipe', `${element('wipe').value}%`);

function pressCurve(event) {
  const { left, width } = element('curve').getBoundingClientRect(), whole = element('curve').viewBox.baseVal.width;
  setThreshold(Math.round(((event.clientX - left) / width * whole - PLOT.left) / PLOT.width * STEPS));
}

function pressKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
  const here = items.filter(item => item.number === state.item.number)[Number(event.key) - 1];
  const acts = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), x: swap,
    '[': () => setThreshold(state.k - 1), ']': () => setThreshold(state.k + 1),
  };
  const act = acts[event.key] ?? (here && (() => choose(here)));
  if (!act) return;
  event.preventDefault();
  act();
}

function fillSelects() {
  const shown = new Set(items.map(item => item.label));
  element('filter').append(...index.classes.map((name, label) => new Option(name, label)).filter((_, i) => shown.has(i)));
  for (const side of ['a', 'b']) element(`source-${side}`).append(...index.sources.map((_, i) => new Option(title(i), i)));
  element('source-b').append(new Option('nothing', -1));
}

function fillEvery() {
  element('every').append(...fused.map(source => {
    const tile = document.createElement('button'), caption = document.createElement('span');
    tile.type = 'button';
    caption.textContent = title(source);
    tile.append(document.createElement('canvas'), caption, document.createElement('small'));
    tile.addEventListener('click', () => setSources(source, source === state.b ? state.a : state.b));
    setHue(tile, source, false);
    return tile;
  }));
}

function listen() {
  const on = (id, what, act) => element(id).addEventListener(what, act);
  on('filter', 'change', rankAndShowFirst);
  on('sort', 'change', rankAndShowFirst);
  on('source-a', 'change', event => setSources(Number(event.target.value), state.b));
  on('source-b', 'change', event => setSources(state.a, Number(event.target.value)));
  on('previous', 'click', () => step(-1));
  on('next', 'click', () => step(1));
  on('swap', 'click', swap);
  on('threshold', 'input', event => setThreshold(Number(event.target.value)));
  on('wipe', 'input', wipe);
  on('curve', 'click', pressCurve);
  for (const part of ['heat', 'seed', 'truth', 'boxes']) on(`show-${part}`, 'change', draw);
  document.addEventListener('keydown', pressKey);
}

function startGallery() {
  index = parse('index');
  if (!index.items.length) return;
  palette = Uint8Array.from(atob(index.palette), letter => letter.charCodeAt(0));
  items = index.items.map(([number, label], place) => ({ number, label, place, score: null, apart: null }));
  fused = index.sources.map((_, i) => i).filter(i => index.sources[i].fused);
  Object.assign(state, { item: items[0], order: items, k: index.threshold });
  element('threshold').value = state.k;
  fillSelects();
  fillEvery();
  buildFilm();
  listen();
  wipe();
  setSources(fused[0], fused[1] ?? -1);
}

if (element('index')) startGallery();
