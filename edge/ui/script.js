// Puts what the node sends into the page that the node wrote. Only textContent, classes from a closed set and path data
// are set: nothing that comes from outside becomes markup.
'use strict';
const at = (id) => document.getElementById(id);
const make = (kind, text, name) => {
  const out = document.createElement(kind);
  out.textContent = text;
  if (name) out.className = name;
  return out;
};
const STATES = ['closed', 'half-open', 'open'];
const VERDICTS = ['ok', 'degraded', 'impaired', 'draining'];

function show(model) {
  document.title = `${model.verdict} · ${model.name} · Holdfast`;
  at('name').textContent = model.name;
  at('verdict').textContent = model.verdict;
  at('verdict').className = VERDICTS.includes(model.verdict) ? model.verdict : '';
  at('summary').textContent = model.summary;
  at('tiles').replaceChildren(...model.tiles.map((tile) => {
    const out = make('div', '', 'tile ' + (STATES.includes(tile.state) ? tile.state : ''));
    out.append(make('h3', tile.title), make('p', tile.state, 'state'), ...tile.lines.map((line) => make('p', line)));
    return out;
  }));
  for (const chart of model.charts) {
    const figure = at('chart-' + chart.id);
    figure.querySelector('.top').textContent = chart.top;
    chart.paths.forEach((path, i) => {
      figure.querySelectorAll('path')[i].setAttribute('d', path.d);
      figure.querySelectorAll('li b')[i].textContent = path.value;
    });
  }
  for (const fact of model.facts) at('fact-' + fact.id).textContent = fact.value;
  for (const table of model.tables) {
    const body = at('table-' + table.id).tBodies[0];
    const rows = table.rows.map((row) => {
      const out = document.createElement('tr');
      out.append(...row.map((cell) => make('td', cell)));
      return out;
    });
    if (!rows.length) {
      const none = make('td', body.dataset.empty);
      none.colSpan = 99;
      rows.push(document.createElement('tr'));
      rows[0].append(none);
    }
    body.replaceChildren(...rows);
  }
}

const link = at('link');
const events = new EventSource('/ui/events');
events.onmessage = (message) => {
  show(JSON.parse(message.data));
  link.textContent = 'updating';
};
events.onerror = () => { link.textContent = 'no connection to the node; trying again'; };
