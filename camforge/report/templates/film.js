// The film: every (image, class) pair as a small picture with its score, in the order that was asked for.
function frameOf(item) {
  const button = document.createElement('button'), picture = document.createElement('img');
  button.type = 'button';
  button.tabIndex = -1; // the film as a whole takes the focus; arrow keys walk it
  button.setAttribute('role', 'option');
  button.title = picture.alt = index.classes[item.label];
  button.append(picture, document.createElement('small'));
  button.addEventListener('click', () => choose(item));
  return button;
}

function buildFilm() {
  const places = new Map(items.map(item => [item.frame = frameOf(item), item.number]));
  const lazy = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      lazy.unobserve(target);
      target.querySelector('img').src = parse(`image-${places.get(target)}`).picture;
    }
  }, { root: element('film'), rootMargin: '0px 400px' });
  for (const frame of places.keys()) lazy.observe(frame);
  showFilm();
}

function showFilm() {
  const asked = element('sort').value === 'apart' ? 'apart' : 'score';
  element('film').replaceChildren(...state.order.map(item => item.frame));
  for (const item of state.order) {
    item.frame.querySelector('small').textContent = item[asked] === null ? '' : number(item[asked]).replace(/^0/, '');
  }
  markFilm();
}

function markFilm() {
  for (const item of items) item.frame.setAttribute('aria-selected', item === state.item);
  const film = element('film'), chosen = state.item.frame;
  film.scrollLeft = chosen.offsetLeft - (film.clientWidth - chosen.clientWidth) / 2;
}

function choose(item) {
  state.item = item;
  markFilm();
  return draw();
}

function step(by) {
  const { order, item } = state;
  if (order.length) choose(order[(order.indexOf(item) + by + order.length) % order.length]);
}

const ORDERS = {
  given: item => -item.place,
  most: item => item.score,
  least: item => item.score === null ? null : -item.score,
  apart: item => item.apart,
};

// Measure every image of the film with A and B, then put the film in order. A later call overtakes an earlier one.
async function rank() {
  const run = ++state.run, wanted = element('filter').value, value = ORDERS[element('sort').value];
  const film = items.filter(item => wanted === '' || item.label === Number(wanted));
  let since = performance.now();
  for (const [done, item] of film.entries()) {
    item.score = await score(item.number, item.label, state.a, state.k);
    item.apart = state.b < 0 ? null : await apart(item.number, item.label, state.a, state.b, state.k);
    if (run !== state.run) return;
    if (performance.now() - since < 40) continue;
    element('progress').textContent = `measuring ${done + 1} of ${film.length}`;
    await pause(); // the page stays responsive
    since = performance.now();
  }
  if (run !== state.run) return;
  element('progress').textContent = `${film.length} of ${items.length} image and class pairs`;
  state.order = [...film].sort((x, y) => compare(value(x), value(y)) || x.place - y.place);
  showFilm();
  if (state.first && state.order.length) await choose(state.order[0]);
  state.first = false;
}

// Kept as a wish, not as a step of this call: a later call that overtakes it still shows the first picture.
async function rankAndShowFirst() {
  state.first = true;
  await rank();
}

let waiting = 0;
function rankSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(rank, 200);
}
