// Signing in at an OpenID provider, in a browser.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Reader, assertQuiet, ask, demo, look, openPage, startBrowser, startConsole, wait } from './help.mjs';
import { goThere, nameOf, signIn, signInAt, startProvider } from './provider.mjs';

let data, provider, browser, origin;

before(async () => {
  [data, provider, browser] = await Promise.all([demo(), startProvider(), startBrowser()]);
  origin = await startWithSignIn();
});

async function startWithSignIn(...words) {
  const { origin } = await startConsole(data, ...signInAt(provider), ...words);
  provider.serve(origin);
  return origin;
}

// Signs in as somebody who wants to see a page.
async function enter(origin, account, wanted = '/') {
  const page = await openPage(browser);
  await page.goto(origin + wanted);
  await page.waitForURL(/\/signin\?to=/);
  await page.getByRole('link', { name: /^Sign in with/ }).click();
  await page.getByRole('button', { name: account, exact: true }).click();
  await page.waitForURL(`${origin}/**`);
  return page;
}

const cookieOf = async (page) => (await page.context().cookies()).find((one) => one.name === 'oort-session');

function holding(origin, value) {
  const reader = new Reader(origin);
  reader.cookies.set('oort-session', value);
  return reader;
}

test('the sign-in page is whole', async () => {
  const page = await openPage(browser);
  await look(page, 'signin', `${origin}/signin`);
  await look(page, 'signin-nothing', `${origin}/signin?why=nothing`);
  assertQuiet(page);
});

test('somebody signs in, sees the page that they wanted, and signs out for good', async () => {
  const page = await enter(origin, 'analyst', '/tenants/acme/findings?minimum_severity=high');
  assert.equal(page.url(), `${origin}/tenants/acme/findings?minimum_severity=high`);
  assert.match(await page.locator('form.who').textContent(), new RegExp(`${nameOf('analyst')}.*analyst`, 's'));
  const cookie = await cookieOf(page);
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Lax', '/']);
  assert.equal((await holding(origin, cookie.value).ask('/')).status, 200);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/\/signin\?why=out/);
  assert.match(await page.locator('.notice').textContent(), /signed out/);
  assert.equal(await cookieOf(page), undefined);
  assert.equal((await holding(origin, cookie.value).ask('/')).status, 303, 'the old cookie is worth nothing');
  assert.equal((await holding(origin, cookie.value).ask('/api/v1/tenants')).status, 401);
  await page.goto(origin);
  assert.match(page.url(), /\/signin/);
  assertQuiet(page);
});

test('whoever decides is named by the provider', async () => {
  const page = await enter(origin, 'analyst', '/tenants/acme/findings');
  await page.locator('#findings th a').first().click();
  await page.locator('summary', { hasText: 'Mute' }).click();
  await page.locator('form[action$="/mute"] [name=reason]').fill('seen');
  await page.getByRole('button', { name: 'Mute finding' }).click();
  await page.waitForURL(/done=/);
  assert.match(await page.locator('.history').textContent(), new RegExp(`muted.*by.*${nameOf('analyst')}`, 's'));
  assertQuiet(page);
});

test('a viewer sees one tenant, and nothing to press', async () => {
  const page = await enter(origin, 'viewer');
  assert.deepEqual(await page.locator('#rows th[scope=row]').allTextContents(), ['acme']);
  assert.doesNotMatch(await page.content(), /globex/);
  await page.goto(`${origin}/tenants/acme/findings`);
  await page.locator('#findings th a').first().click();
  await page.waitForURL(/findings\/\w/);
  assert.equal(await page.locator('details[name=act]').count(), 0);
  const { users } = await holding(origin, (await cookieOf(page)).value).json('/api/v1/tenants/acme/users');
  await page.goto(`${origin}/tenants/acme/users/${users[0].id}`);
  assert.equal(await page.locator('[data-refresh]').count(), 0);
  assertQuiet(page);
  await page.goto(`${origin}/tenants/globex/users`);
  assert.match(await page.locator('#problem').textContent(), /404/);
});

test('an admin of all sees every tenant', async () => {
  const page = await enter(origin, 'admin');
  assert.deepEqual((await page.locator('#rows th[scope=row]').allTextContents()).sort(), ['acme', 'globex']);
  await look(page, 'signed-in', `${origin}/tenants/acme/users`);
  assertQuiet(page);
});

test('an account without a role is told so', async () => {
  const page = await enter(origin, 'nobody');
  assert.match(page.url(), /why=nothing/);
  assert.match(await page.locator('.notice').textContent(), /no group gives you a role/);
  assert.equal(await cookieOf(page), undefined);
  assertQuiet(page);
});

test('who comes back must be who went, once, and with the code of this sign-in', async () => {
  const isRefused = (answer) => {
    assert.equal(answer.headers.location, '/signin?why=failed');
    assert.doesNotMatch(String(answer.headers['set-cookie']), /oort-session=\w/);
  };
  const first = await goThere(origin, 'admin');
  const other = await goThere(origin, 'admin');
  isRefused(await first.reader.ask(other.back));
  const back = new URL(other.back);
  const state = back.searchParams.get('state');
  isRefused(await ask(other.back));
  isRefused(await ask(other.back, { headers: { cookie: `oort-signin=${state}` } }));

  const mixed = await goThere(origin, 'admin');
  const url = new URL(mixed.back);
  url.searchParams.set('code', back.searchParams.get('code'));
  isRefused(await mixed.reader.ask(url.href));

  const whole = await goThere(origin, 'admin');
  const cookies = new Map(whole.reader.cookies);
  assert.equal((await whole.reader.ask(whole.back)).headers.location, '/');
  whole.reader.cookies = cookies;
  isRefused(await whole.reader.ask(whole.back));
  const error = await goThere(origin, 'admin');
  const denied = new URL(error.back);
  denied.searchParams.delete('code');
  denied.searchParams.set('error', 'access_denied');
  isRefused(await error.reader.ask(denied.href));
});

test('nobody is sent to another site', async () => {
  for (const to of ['https://evil.example/', '//evil.example', '/\\evil.example', '/\t/evil.example']) {
    const { came } = await signIn(origin, 'viewer', to);
    assert.equal(new URL(came.headers.location, origin).origin, origin, to);
  }
});

test('a session ends by itself', { timeout: 120_000 }, async () => {
  const short = await startWithSignIn('--session-minutes', '1');
  const page = await enter(short, 'analyst', '/tenants/acme/users');
  const { value } = await cookieOf(page);
  const person = page.locator('#people th a').first();
  await page.goto(new URL(await person.getAttribute('href'), short).href, { waitUntil: 'networkidle' });
  await wait(62_000);
  assert.equal((await holding(short, value).ask('/')).status, 303);
  assert.equal((await holding(short, value).ask('/api/v1/tenants')).status, 401);
  await page.locator('#actions summary').click();
  await page.getByRole('button', { name: 'Refresh User Data' }).click();
  await page.waitForURL(/\/signin/);
  assertQuiet(page, /status of 401|status of 403/);
});
