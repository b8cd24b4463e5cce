// What is not the gallery: tables that sort by a press on a heading, and the choice of light or dark.
const cellValue = (row, column) => {
  const cell = row.cells[column], number = Number(cell.dataset.value);
  return 'value' in cell.dataset ? (cell.dataset.value === '' || Number.isNaN(number) ? null : number) : cell.textContent;
};

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === 'number' ? b - a : a.localeCompare(b);
}

for (const button of document.querySelectorAll('.sortable thead button')) {
  button.addEventListener('click', () => {
    const heading = button.parentElement, table = heading.closest('table');
    const turned = heading.getAttribute('aria-sort') === 'descending';
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', turned ? 'ascending' : 'descending');
    for (const body of table.tBodies) {
      const rows = [...body.rows].map(row => [cellValue(row, heading.cellIndex), row]);
      rows.sort(([a], [b]) => a === null || b === null ? compare(a, b) : (turned ? -1 : 1) * compare(a, b));
      body.append(...rows.map(([, row]) => row));
    }
  });
}

// A line above each table or row of pictures that goes on beyond the edge: the reader of a narrow screen sees that
// there is more.
function tellOnward(scroll) {
  const line = document.createElement('p');
  line.className = 'onward';
  scroll.before(line);
  const look = () => {
    const cells = [...scroll.querySelectorAll('thead th')], edge = scroll.getBoundingClientRect().right + 1;
    const beyond = cells.filter(cell => cell.getBoundingClientRect().right > edge).length;
    const columns = `${beyond} more column${beyond === 1 ? '' : 's'} →`;
    const left = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
    line.textContent = cells.length ? columns : 'more →';
    line.hidden = scroll.clientWidth === 0 || left <= 1 || (cells.length > 0 && beyond === 0);
  };
  scroll.addEventListener('scroll', look, { passive: true });
  const sizes = new ResizeObserver(look);
  for (const watched of [scroll, ...scroll.children]) sizes.observe(watched);
}

for (const scroll of document.querySelectorAll('.scroll:has(> .numbers, > img)')) tellOnward(scroll);

document.getElementById('theme').addEventListener('click', () => {
  const root = document.documentElement, system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  root.style.colorScheme = (root.style.colorScheme || system) === 'dark' ? 'light' : 'dark';
});
