// A reader's way through the console on this machine, where nobody signs in.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { Reader, assertQuiet, demo, happen, look, openPage, startBrowser, startConsole } from './help.mjs';

let data, origin, reader, page, person, user, integration, refreshed, closed;

before(async () => {
  data = await demo();
  ({ origin } = await startConsole(data));
  reader = new Reader(origin);
  page = await openPage(await startBrowser(), { acceptDownloads: true });
  const { users } = await reader.json('/api/v1/tenants/acme/users');
  person = users.find((one) => one.name && one.login) ?? users.find((one) => one.login);
  user = `${origin}/tenants/acme/users/${person.id}`;
  integration = await integrationOf('acme');
});

async function integrationOf(tenant) {
  const tenants = await reader.json('/api/v1/tenants');
  return `/integrations/${tenants.find((one) => one.tenant === tenant).integration}`;
}

const shown = (selector) => page.locator(selector).first().textContent();

// Rows of a CSV file as RFC 4180 has them.
function readCsv(text) {
  const rows = [[]];
  assert.ok(text.endsWith('\r\n'));
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ',') rows.push([]);
  }
  return rows.slice(0, -1);
}

async function download(link) {
  const [file] = await Promise.all([page.waitForEvent('download'), link.press('Enter')]);
  const text = await readFile(await file.path(), 'utf8');
  const { headers } = await reader.ask(file.url());
  return { name: file.suggestedFilename(), type: headers['content-type'], text };
}

// The table in both forms: as many rows, and of each row as many cells as there are names.
async function downloadBoth(menu) {
  const found = [];
  for (const what of ['CSV', 'JSON Lines']) {
    await page.locator(`${menu} summary`).press('Enter');
    found.push(await download(page.getByRole('link', { name: what })));
    await page.keyboard.press('Escape');
  }
  const [csv, lines] = found;
  assert.match(csv.name, /\.csv$/);
  assert.match(csv.type, /^text\/csv/);
  assert.match(lines.name, /\.jsonl$/);
  assert.equal(lines.type, 'application/x-ndjson');
  const [names, ...rows] = readCsv(csv.text);
  const objects = lines.text.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(objects.length > 0);
  assert.equal(rows.length, objects.length);
  for (const row of rows) assert.equal(row.length, names.length);
  return objects;
}

test('from the overview to a user, by typing', async () => {
  await page.goto(origin);
  await page.getByRole('row', { name: /acme/ }).getByRole('link', { name: 'acme', exact: true }).click();
  await page.getByRole('link', { name: 'Users' }).click();
  await page.locator('#q').pressSequentially((person.name || person.login).slice(0, 5), { delay: 40 });
  await page.waitForURL(/q=/);
  await page.locator('#people tbody tr', { hasText: person.login }).getByRole('link').click();
  await page.waitForURL(user);
  assert.equal((await shown('h1')).trim(), person.name || person.login);
  await page.waitForSelector('#account [data-say]');
  assertQuiet(page);
});

test('Refresh User Data by keyboard marks what is new', async () => {
  const uuids = await happen(data, person);
  await page.goto(user, { waitUntil: 'networkidle' });
  await page.locator('#actions summary').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), 'Refresh User Data');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#refresh:not([data-state=running])', { timeout: 30_000 });
  assert.match(await shown('#refresh .stage'), /done.*new rows/s, await shown('#refresh'));
  await page.waitForSelector('#activity tr.new');
  for (const uuid of uuids) {
    const row = page.locator('#activity tr.new', { has: page.locator(`a[data-event][href$="${uuid}"]`) });
    assert.match(await row.textContent(), /new/);
  }
  await page.waitForFunction(() => /Refresh is done/.test(document.querySelector('#live').textContent));
  refreshed = page.url();
  assert.match(refreshed, /new=/);
  const counts = (await shown('#refresh .counts')).match(/\d+/g).map(Number);
  assert.ok(counts[2] >= uuids.length, `${counts}`);
  await page.reload({ waitUntil: 'networkidle' });
  assert.ok((await page.locator('#activity tr.new').count()) >= uuids.length, 'they stay marked');
  assertQuiet(page);
});

test('a row opens its raw event, by keyboard and by mouse', async () => {
  const link = page.locator('#activity a[data-event]').first();
  await link.press('Enter');
  const raw = page.locator('#activity tr.raw pre');
  const event = JSON.parse(await raw.textContent());
  assert.ok((await link.getAttribute('href')).endsWith(event.uuid));
  await page.locator('#activity tr.raw pre').press('Escape');
  await raw.waitFor({ state: 'detached' });
  assert.ok(await link.evaluate((one) => one === document.activeElement));
  await page.locator('#activity tbody tr').first().locator('td').first().click();
  await raw.waitFor();
  assertQuiet(page);
});

test('filters narrow the activity', async () => {
  await page.goto(user);
  const type = (await shown('#activity th[scope=row] small')).trim();
  await page.locator('#filters [name=type]').fill(type);
  await page.locator('#filters [name=type]').press('Enter');
  await page.waitForURL(/type=/);
  const types = await page.locator('#activity th[scope=row] small').allTextContents();
  assert.ok(types.length > 0 && types.every((one) => one.startsWith(type)), types.join());
  await page.goto(`${user}?from=2999-01-01`);
  assert.match(await shown('#activity'), /No event is here/);
  assertQuiet(page);
});

test('every table is downloaded', async () => {
  const sections = ['users', 'findings', 'rules', 'runs'].map((section) => `/tenants/acme/${section}`);
  for (const address of ['/', integration, ...sections]) {
    await page.goto(origin + address);
    await downloadBoth('.head .menu');
  }
  assertQuiet(page);
});

test('older activity comes when the end is in sight, up to the oldest', async () => {
  await page.goto(user);
  const all = await downloadBoth('#actions');
  assert.ok(all.every((row) => row.user_id === person.id));
  assert.ok(all.length > 50, 'there is more than a page');
  const rows = page.locator('#activity tbody tr');
  while ((await rows.count()) < all.length) {
    const before = await rows.count();
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForFunction((before) => document.querySelectorAll('#activity tbody tr').length > before, before);
  }
  assert.equal(await rows.count(), all.length);
  assert.match(await shown('#activity .more'), /oldest/);
  assertQuiet(page);
});

async function decide(what, fields) {
  const form = page.locator('details[name=act]', { has: page.getByText(what, { exact: true }) });
  await form.locator('summary').click();
  for (const [name, value] of Object.entries(fields)) {
    const field = form.locator(`[name=${name}]`);
    await (name === 'reason' ? field.fill(value) : field.selectOption(value));
  }
  await form.getByRole('button').click();
  await page.waitForURL(/done=/);
}

test('a finding is muted, opened again, and closed', async () => {
  await page.goto(`${origin}/tenants/acme/findings`);
  const link = page.locator('#findings th a').first();
  const title = await link.textContent();
  await link.click();
  await page.waitForURL(/findings\/\w/);
  closed = page.url();
  assert.equal(await shown('h1'), title);
  assert.ok((await page.locator('section[aria-labelledby=h-evidence] dl.facts dd').count()) > 0);
  assert.equal(JSON.parse(await shown('section[aria-labelledby=h-ids] pre')).eventType.length > 0, true);

  const ends = Date.now() + 7 * 86_400_000;
  await decide('Mute', { reason: 'a test of ours', days: '7' });
  assert.match(await shown('.notice'), /muted/i);
  assert.match(await shown('.kicker'), /muted until/);
  const until = await page.locator('.kicker time').getAttribute('datetime');
  assert.ok(Math.abs(new Date(until) - ends) < 60_000, until);
  assert.match(await shown('.history'), /muted.*this machine.*a test of ours/s);
  await page.goto(`${origin}/tenants/acme/findings?status=muted`);
  assert.equal(await page.locator('#findings tbody tr').count(), 1);

  await page.goto(closed);
  await decide('Reopen', { reason: 'it came back' });
  assert.doesNotMatch(await shown('.kicker'), /muted/);
  await decide('Close', { verdict: 'benign', reason: 'known' });
  assert.match(await shown('.kicker'), /closed/);
  assert.match(await page.locator('.history').textContent(), /closed.*benign: known/s);
  assert.equal(await page.getByText('Mute', { exact: true }).count(), 0);
  assertQuiet(page);
});

test('what a form of a finding lets through, the console takes', async () => {
  await page.goto(`${origin}/tenants/acme/findings?status=notified&status=new`);
  await page.locator('#findings th a').first().click();
  await page.waitForURL(/findings\/\w/);
  const form = page.locator('form[action$="/close"]');
  if (await form.evaluate((one) => one.checkValidity())) await decide('Close', { verdict: 'benign' });
  assertQuiet(page);
});

test('rules are searched and read', async () => {
  await page.goto(`${origin}/tenants/acme/rules`);
  const all = await page.locator('#rules tbody tr').count();
  await page.locator('#q').pressSequentially('travel', { delay: 40 });
  await page.waitForFunction((all) => document.querySelectorAll('#rules tbody tr').length < all, all);
  await page.locator('#rules th a').first().click();
  assert.match(await shown('h1'), /travel/i);
  assert.match(await shown('section[aria-labelledby=h-source] pre'), /title:/);
  await page.locator('details.test summary').first().click();
  JSON.parse(await shown('details.test pre'));
  assertQuiet(page);
});

test('runs are chosen by role', async () => {
  await page.goto(`${origin}/tenants/acme/runs`);
  await page.locator('[name=role]').selectOption('refresh');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.waitForURL(/role=refresh/);
  const roles = await page.locator('#runs th[scope=row]').allTextContents();
  assert.ok(roles.length >= 2 && roles.every((role) => role === 'refresh'), roles.join());
  assertQuiet(page);
});

test('the integration page loads its checks', async () => {
  await page.goto(origin);
  await page.getByRole('link', { name: /Event source of acme/ }).click();
  await page.waitForSelector('#checks .checks li');
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.waitForSelector('#checks[aria-busy=false] .checks li');
  assertQuiet(page);
});

test('without JavaScript everything is there too', async () => {
  const plain = await openPage(page.context().browser(), { javaScriptEnabled: false });
  await happen(data, person);
  await plain.goto(user);
  await plain.locator('#actions summary').click();
  await plain.getByRole('button', { name: 'Refresh User Data' }).click();
  await plain.waitForSelector('#refresh[data-state=done]');
  await plain.getByRole('link', { name: 'Back to the user' }).click();
  await plain.waitForSelector('#activity tr.new');
  await plain.locator('#activity a[data-event]').first().click();
  JSON.parse(await plain.locator('.event pre').textContent());
  await plain.goto(`${origin}/tenants/acme/users`);
  await plain.locator('#q').fill(person.login);
  await plain.locator('#q').press('Enter');
  await plain.waitForSelector(`#people tr:has-text("${person.login}")`);
  assert.deepEqual(plain.complaints, []);
  await plain.context().close();
});

test('every page is whole at each width and in light and dark', async () => {
  const tenant = `${origin}/tenants/acme`;
  const { findings } = await reader.json('/api/v1/tenants/acme/findings?status=notified&status=new');
  const { rows } = await reader.json(`/api/v1/tenants/acme/users/${person.id}/activity?limit=1`);
  const [rule] = await reader.json('/api/v1/tenants/acme/rules');
  const at = new Date(rows[0].published).getTime() * 1000;
  const token = await reader.token();
  const begun = await reader.post(`/tenants/acme/users/${person.id}/refresh`, '', { 'x-csrf-token': token });
  const pages = {
    overview: [origin],
    integration: [origin + integration, '#checks .checks li'],
    users: [`${tenant}/users`],
    'users-none': [`${tenant}/users?q=nobody-is-called-so`],
    user: [user, '#account [data-say]'],
    'user-unknown': [`${tenant}/users/nobody@example.com`, '#account [data-say]'],
    'user-refreshed': [refreshed, '#activity tr.new'],
    findings: [`${tenant}/findings`],
    'finding-closed': [closed],
    finding: [`${tenant}/findings/${findings[0].id}`],
    rules: [`${tenant}/rules`],
    rule: [`${tenant}/rules/${rule.id}`],
    runs: [`${tenant}/runs`],
    refresh: [new URL(begun.headers.location, origin).href, '#refresh:not([data-state=running])'],
    event: [`${user}/events/${at}/${rows[0].event_uuid}`],
    error: [`${tenant}/findings/nothing`, '#problem'],
  };
  // A tenant of which nothing came yet.
  for (const section of ['users', 'findings', 'runs']) pages[`empty-${section}`] = [`${origin}/tenants/globex/${section}`];
  pages['empty-integration'] = [origin + (await integrationOf('globex')), '#checks .checks li'];
  const wrong = [];
  for (const [name, [address, isReady]] of Object.entries(pages)) {
    await look(page, name, address, isReady).catch((error) => wrong.push(error.message));
  }
  assert.ok(wrong.length === 0, wrong.join('\n'));
  assertQuiet(page, /findings\/nothing: .*status of 404/);
});
