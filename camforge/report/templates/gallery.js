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
    showSource(side, source);
    for (const part of document.querySelectorAll(`#gallery .side-${side}`)) setHue(part, source, alike);
  }
  fillSteps();
  rankSoon();
  return draw();
}

const sourcesOf = arm => index.sources.map((_, i) => i).filter(i => index.sources[i].arm === arm);

// The arm of a source, and beside it every map that the page holds of that arm.
function showSource(side, source) {
  const arm = index.sources[source]?.arm ?? '', steps = element(`step-${side}`), found = sourcesOf(arm);
  element(`arm-${side}`).value = arm;
  steps.replaceChildren(...found.map(i => new Option(index.sources[i].fused ? 'fused' : index.sources[i].step, i)));
  steps.value = source;
  steps.disabled = found.length < 2;
}

// The same level and branch of another arm where it has them, else its fused map; -1 for nothing.
function pickArm(side, arm) {
  const found = sourcesOf(arm), step = index.sources[state[side]]?.step;
  const source = found.find(i => index.sources[i].step === step) ?? found.find(i => index.sources[i].fused) ?? -1;
  return setSources(side === 'a' ? source : state.a, side === 'b' ? source : state.b);
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
  for (const side of ['a', 'b']) {
    const groups = new Map(); // one per extractor
    for (const { arm, kind } of fused.map(i => index.sources[i])) {
      if (!groups.has(kind)) groups.set(kind, Object.assign(document.createElement('optgroup'), { label: kind }));
      groups.get(kind).append(new Option(arm, arm));
    }
    element(`arm-${side}`).append(...groups.values());
    element(`step-${side}`).closest('label').hidden = fused.length === index.sources.length;
  }
  element('arm-b').append(new Option('nothing', ''));
}

function tileOf(source, text, press) {
  const tile = document.createElement('button'), caption = document.createElement('span');
  tile.type = 'button';
  tile.dataset.source = source;
  caption.textContent = text;
  tile.append(document.createElement('canvas'), caption, document.createElement('small'));
  tile.addEventListener('click', press);
  setHue(tile, source, false);
  return tile;
}

function fillEvery() {
  const press = source => () => setSources(source, source === state.b ? state.a : state.b);
  element('every').append(...fused.map(source => tileOf(source, title(source), press(source))));
}

const stepsOf = source => source < 0 ? [] : sourcesOf(index.sources[source].arm).filter(i => !index.sources[i].fused);

// The maps of every level, branch and stage of arm A, or of B where A has no more than one.
function fillSteps() {
  const whose = stepsOf(state.a).length ? state.a : state.b, steps = stepsOf(whose);
  element('before').hidden = !steps.length;
  const arm = steps.length ? index.sources[whose].arm : '';
  if (element('before-arm').textContent === arm) return;
  element('before-arm').textContent = arm;
  const press = source => () => setSources(source, state.b);
  element('steps').replaceChildren(...steps.map(source => tileOf(source, index.sources[source].step, press(source))));
}

function listen() {
  const on = (id, what, act) => element(id).addEventListener(what, act);
  on('filter', 'change', rankAndShowFirst);
  on('sort', 'change', rankAndShowFirst);
  for (const side of ['a', 'b']) {
    on(`arm-${side}`, 'change', event => pickArm(side, event.target.value));
    on(`step-${side}`, 'change', event => setSources(...sides().map(([s, was]) => s === side ? Number(event.target.value) : was)));
  }
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
