const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The region is emptied first, so that the same words are read out again.
async function say(text) {
  $('#live').textContent = '';
  await wait(60);
  $('#live').textContent = text;
}

async function ask(href, part, options) {
  const url = new URL(href, location);
  if (part) url.searchParams.set('part', '1');
  const answer = await fetch(url, { mode: 'same-origin', ...options }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Error('The console does not answer.');
  });
  if (answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === '/signin')) {
    location.assign('/signin');
    await new Promise(() => {});
  }
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  if (answer.ok) return page;
  throw new Error(`The console answered ${answer.status}. ${$('[data-detail]', page)?.textContent ?? ''}`);
}

function need(page, selector) {
  const found = $(selector, page);
  if (!found) throw new Error('The console answered something else.');
  return dress(document.adoptNode(found));
}

// Does the work; when it fails, `place` says why and offers another try.
async function attempt(place, work) {
  $(':scope > [role=alert]', place)?.remove();
  place.ariaBusy = 'true';
  try {
    await work();
  } catch (error) {
    if (error.name !== 'AbortError') {
      const box = $('#failed').content.firstElementChild.cloneNode(true);
      $('span', box).textContent = error.message;
      $('button', box).onclick = () => attempt(place, work);
      place.prepend(box);
    }
  }
  place.ariaBusy = 'false';
}

// Times are told in the reader's own zone; their tooltips stay in UTC.
const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });

function ago(time) {
  const seconds = Math.max(0, (Date.now() - new Date(time.dateTime)) / 1000);
  const [size, unit] = [[86400, 'd'], [3600, 'h'], [60, 'min'], [0, 's']].find(([size]) => seconds >= size);
  return `${Math.floor(seconds / (size || 1))} ${unit} ago`;
}

setInterval(() => {
  for (const time of $$('time')) if (time.textContent.endsWith(' ago')) time.textContent = ago(time);
}, 30000);

const roles = { TABLE: 'table', THEAD: 'rowgroup', TBODY: 'rowgroup', TR: 'row', TH: 'columnheader', TD: 'cell' };

function dress(root) {
  for (const time of $$('time', root)) {
    if (time.textContent.endsWith(' UTC')) time.textContent = clock.format(new Date(time.dateTime));
  }
  // Some browsers forget that a table is one when it is laid out as cards.
  for (const part of $$('.cards, .cards *', root)) {
    if (part.tagName in roles) part.role = part.scope === 'row' ? 'rowheader' : roles[part.tagName];
  }
  for (const link of $$('[data-event]', root)) link.ariaExpanded = 'false';
  for (const link of $$('#activity [data-more]', root)) sight.observe(link);
  for (const place of $$('[data-load]', root)) load(place);
  return root;
}

function load(place) {
  attempt(place, async () => {
    const had = place.contains(document.activeElement);
    const part = need(await ask(place.dataset.load), '[data-say]');
    place.replaceChildren(part);
    say(part.dataset.say);
    if (had) $('button', place)?.focus();
  });
}

const sight = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) more(target);
}, { rootMargin: '600px' });

function more(link) {
  const place = link.parentElement;
  const list = place.parentElement;
  sight.unobserve(link);
  if (place.ariaBusy === 'true') return;
  attempt(place, async () => {
    const part = need(await ask(link.href, true), `#${list.id}`);
    const rows = $$('tbody > tr', part);
    const had = place.contains(document.activeElement);
    $('tbody', list)?.append(...rows);
    place.replaceWith(...$$('.more', part));
    if (had) $('a', rows[0] ?? list)?.focus();
    say(`${rows.length} more rows`);
  });
}

function toggle(link) {
  const row = link.closest('tr');
  const open = link.ariaExpanded === 'true';
  link.ariaExpanded = !open;
  if (open) return row.nextElementSibling.remove();
  const below = document.createElement('tr');
  const cell = below.insertCell();
  below.className = 'raw';
  cell.colSpan = row.cells.length;
  row.after(below);
  attempt(cell, async () => {
    cell.replaceChildren(need(await ask(link.href, true), '.event'));
    say('The raw event is below its row.');
  });
}

function close(menu) {
  menu.open = false;
  $('summary', menu).focus();
}

function refresh(event) {
  event.preventDefault();
  const form = event.target;
  const place = $('#job');
  close($('#actions'));
  if (place.ariaBusy === 'true') return say('A refresh is running.');
  attempt(place, async () => {
    const page = await ask(form.action, false, {
      method: 'POST',
      headers: { 'X-CSRF-Token': $('meta[name=csrf]').content },
      body: new URLSearchParams(new FormData(form)),
    });
    place.replaceChildren(need(page, '#refresh'));
    follow(place);
  });
}

function follow(place) {
  let job = $('#refresh', place);
  let told;
  attempt(place, async () => {
    while (job.dataset.state === 'running') {
      if (told !== job.dataset.say) say(told = job.dataset.say);
      await wait(500);
      const next = need(await ask(job.dataset.poll, true), '#refresh');
      job.replaceWith(next);
      job = next;
    }
    if (job.dataset.state === 'done' && $('#activity')) await renew(job.dataset.back);
    say(job.dataset.say);
  });
}

// The focus moves to the new rows only when the reader has waited for them.
async function renew(href) {
  const page = await ask(href);
  const waited = document.activeElement.matches('body, #actions *, #activity *');
  for (const id of ['#filters', '#activity']) $(id).replaceWith(need(page, id));
  history.replaceState(null, '', href);
  if (waited) $('#h-activity').focus();
}

let typing, asked;

function search(form) {
  const id = `#${form.dataset.search}`;
  const url = `?${new URLSearchParams(new FormData(form))}`;
  asked?.abort();
  asked = new AbortController();
  attempt($(id), async () => {
    const part = need(await ask(url, 'part' in form.dataset, { signal: asked.signal }), id);
    $(id).replaceWith(part);
    history.replaceState(null, '', url);
    say(part.dataset.say);
  });
}

function filter(input) {
  const text = input.value.trim().toLowerCase();
  const items = [...$(`#${input.dataset.filter}`).children];
  for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(text);
  say(`${items.filter((item) => !item.hidden).length} shown`);
}

async function copy(button) {
  const text = $('code', button.closest('.copyable'));
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = 'Copied';
    say('Copied.');
  } catch {
    getSelection().selectAllChildren(text);
    button.textContent = 'Selected';
    say('The text is selected. Copy it with the keyboard.');
  }
  await wait(2000);
  button.textContent = 'Copy';
}

addEventListener('click', (event) => {
  const { target } = event;
  for (const menu of $$('.menu[open]')) if (!menu.contains(target)) menu.open = false;
  const thing = target.closest('a, button');
  const does = thing?.dataset ?? {};
  if ('copy' in does) copy(thing);
  if ('again' in does) load(thing.closest('[data-load]'));
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = !thing && getSelection().isCollapsed && target.closest('tr');
  const link = row ? $('[data-event]', row) : 'event' in does && thing;
  if (link || 'more' in does) event.preventDefault();
  if ('more' in does) more(thing);
  if (link) toggle(link);
});

addEventListener('keydown', ({ key, target }) => {
  if (key !== 'Escape') return;
  const menu = target.closest('.menu[open]');
  const row = target.closest('.raw')?.previousElementSibling;
  if (menu) close(menu);
  if (!row) return;
  const link = $('[data-event]', row);
  toggle(link);
  link.focus();
});

addEventListener('focusout', ({ target, relatedTarget }) => {
  const menu = target.closest('.menu[open]');
  if (relatedTarget && menu && !menu.contains(relatedTarget)) menu.open = false;
});

addEventListener('toggle', ({ target }) => target.open && $('[data-filter]', target)?.focus(), true);

addEventListener('input', ({ target }) => {
  if (target.matches('[data-filter]')) filter(target);
  if (!target.form?.matches('[data-search]')) return;
  clearTimeout(typing);
  typing = setTimeout(search, 200, target.form);
});

addEventListener('submit', (event) => {
  if (event.target.matches('[data-refresh]')) refresh(event);
});

document.documentElement.classList.add('js');
$('[data-zone]').textContent = clock.resolvedOptions().timeZone;
dress(document);
if ($('#refresh')) follow($('#job'));
