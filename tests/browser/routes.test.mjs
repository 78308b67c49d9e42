// Who is let in where. The addresses are those of the program's own table, so that a new one is tried here by itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ROOT, Reader, ask, demo, startConsole } from './help.mjs';
import { nameOf, signIn, signInAt, startProvider } from './provider.mjs';

const table = readFileSync(join(ROOT, 'src/console/route.rs'), 'utf8');
const ROUTES = [...table.matchAll(/\b(get|post)\(\s*"([^"]+)",\s*(\w+),/g)].map(([, method, path, needs]) => ({
  method: method.toUpperCase(), path, needs, isApi: path.startsWith('/api/'), name: `${method} ${path}`,
}));
const TENANT = ROUTES.filter(({ needs }) => ['VIEW', 'ACT'].includes(needs));
const LOCKED = ROUTES.filter(({ needs }) => needs !== 'Nobody');
const ACTIONS = ROUTES.filter(({ method }) => method === 'POST');
// Addresses that the table does not have.
const UNKNOWN = [['GET', '/no-such-page'], ['GET', '/api/v1/no-such'], ['DELETE', '/']].map(([method, path]) => ({
  method, path, name: `${method} ${path}`,
}));

let origin, viewer, analyst, admin, tokens, ids;

before(async () => {
  const [data, provider] = await Promise.all([demo(), startProvider()]);
  ({ origin } = await startConsole(data, ...signInAt(provider)));
  provider.serve(origin);
  [viewer, analyst, admin] = await Promise.all(['viewer', 'analyst', 'admin'].map((one) => signIn(origin, one)));
  tokens = { viewer: await viewer.token(), analyst: await analyst.token(), admin: await admin.token() };

  const { users } = await admin.json('/api/v1/tenants/acme/users');
  const { findings } = await admin.json('/api/v1/tenants/acme/findings');
  const { rows } = await admin.json(`/api/v1/tenants/acme/users/${users[0].id}/activity`);
  const [rule] = await admin.json('/api/v1/tenants/acme/rules');
  const job = await admin.post(`/api/v1/tenants/acme/users/${users[0].id}/refresh`, '', { 'x-csrf-token': tokens.admin });
  ids = {
    file: 'console.css', user: rows[0].user_id, finding: findings[0].id, rule: rule.id, uuid: rows[0].event_uuid,
    at: new Date(rows[0].published).getTime() * 1000, refresh: JSON.parse(job.text).id,
  };
  const integrations = (await admin.json('/api/v1/tenants')).map((one) => [one.tenant, one.integration]);
  ids.integrations = Object.fromEntries(integrations);
});

// The address of a route for a tenant; all else in it exists in acme.
function address({ path }, tenant) {
  const own = { ...ids, tenant, integration: ids.integrations[tenant] ?? 'no-such' };
  return path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(own[name] ?? assert.fail(`what is ${name}?`)));
}

// What a route is asked with for it to do its work, as far as the caller may.
const call = (reader, route, tenant, headers = {}) =>
  reader.ask(address(route, tenant), {
    method: route.method,
    headers: { 'content-type': 'application/json', ...headers },
    body: route.method === 'POST' ? '{}' : undefined,
  });

// The ID of a problem is another each time.
const content = ({ status, headers, text }) => {
  const { date, etag, ...rest } = headers;
  return { status, rest, text: text.replaceAll(/(?<=<code[^>]*>)[\w-]{6,}(?=<)/g, 'ID') };
};

async function each(routes, work) {
  const wrong = [];
  for (const route of routes) {
    await work(route).catch((error) => wrong.push(`${route.name}: ${error.message}`));
  }
  assert.ok(wrong.length === 0, wrong.join('\n'));
}

test('the table and the API\'s description name the same addresses', async () => {
  assert.ok(ROUTES.length > 40 && ACTIONS.length > 8, 'the table is read');
  const { paths } = await new Reader(origin).json('/api/openapi.json');
  const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((one) => `${one} ${path}`));
  const own = ROUTES.filter(({ path }) => path.startsWith('/api/v1/')).map(({ name }) => name);
  assert.deepEqual(own.sort(), described.sort());
  const doors = ROUTES.filter(({ needs }) => needs === 'Nobody').map(({ path }) => path);
  assert.deepEqual(doors, [
    '/healthz', '/assets/{file}', '/signin', '/signin/go', '/signin/callback', '/api/openapi.json',
  ]);
});

test('without a session nothing is shown', async () => {
  await each(LOCKED, async (route) => {
    for (const tenant of ['acme', 'no-such']) {
      const answer = await call(new Reader(origin), route, tenant);
      assert.equal(answer.status, route.isApi ? 401 : 303);
      if (!route.isApi) assert.match(answer.headers.location, /^\/signin\?to=/);
      assert.doesNotMatch(answer.text, /globex|@example\.com/);
    }
  });
});

test('everything that a viewer of acme may see is there', async () => {
  const isSeen = ({ method, needs }) => method === 'GET' && needs !== 'Nobody';
  await each(ROUTES.filter(isSeen), async (route) => {
    const answer = await call(viewer, route, 'acme');
    assert.equal(answer.status, 200, answer.text);
    assert.doesNotMatch(answer.text, /globex/);
  });
});

test('to a viewer of acme, globex is a tenant that does not exist', async () => {
  await each(TENANT, async (route) => {
    for (const [reader, token] of [[viewer, tokens.viewer], [analyst, tokens.analyst]]) {
      const [other, none] = await Promise.all(
        ['globex', 'no-such'].map((tenant) => call(reader, route, tenant, { 'x-csrf-token': token })),
      );
      assert.equal(other.status, 404);
      assert.deepEqual(content(other), content(none));
      assert.doesNotMatch(other.text, /globex/);
    }
  });
});

test('an admin of all sees globex, but nothing of acme in it', async () => {
  await each(TENANT.filter(({ method }) => method === 'GET'), async (route) => {
    const answer = await call(admin, route, 'globex');
    assert.ok([200, 404].includes(answer.status), String(answer.status));
    if (/\{(finding|refresh|uuid)\}/.test(route.path)) assert.equal(answer.status, 404);
    assert.ok(!answer.text.includes(ids.uuid) || answer.status === 404);
  });
});

test('an action needs the token of its own session, and comes from a page of ours', async () => {
  await each(ACTIONS, async (route) => {
    const right = tokens.analyst;
    const wrong = [{}, { 'x-csrf-token': '' }, { 'x-csrf-token': tokens.admin }, { 'x-csrf-token': right.slice(1) }];
    for (const foreign of ['http://evil.example', 'null', origin.replace(/\d+$/, '1'), `${origin}.evil.example`]) {
      wrong.push({ 'x-csrf-token': right, origin: foreign });
    }
    for (const headers of wrong) {
      assert.equal((await call(analyst, route, 'acme', headers)).status, 403, JSON.stringify(headers));
    }
    for (const of of [tokens.admin, '']) {
      assert.equal((await analyst.post(address(route, 'acme'), `csrf=${of}&reason=x`)).status, 403);
    }
  });
  assert.equal((await analyst.ask('/')).status, 200, 'nobody was signed out by that');
});

test('a viewer does not act', async () => {
  await each(ACTIONS.filter(({ needs }) => needs === 'ACT'), async (route) => {
    const answer = await call(viewer, route, 'acme', { 'x-csrf-token': tokens.viewer, origin });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /as viewer; this needs analyst/);
  });
});

test('an analyst acts, with the token in a header or in a form', async () => {
  const finding = `/tenants/acme/findings/${ids.finding}`;
  const muted = await analyst.ask(`/api/v1${finding}/mute`, {
    method: 'POST', body: JSON.stringify({ reason: 'a test of ours', days: 7 }),
    headers: { 'x-csrf-token': tokens.analyst, 'content-type': 'application/json', origin },
  });
  assert.equal(muted.status, 200, muted.text);
  assert.equal(JSON.parse(muted.text).history.at(-1).by, nameOf('analyst'));
  const reopened = await analyst.post(`${finding}/reopen`, `csrf=${tokens.analyst}&reason=again`, { origin });
  assert.equal(reopened.status, 303, reopened.text);
});

test('another Host is refused, but for the health check', async () => {
  await each([...ROUTES.filter(({ path }) => path !== '/healthz'), ...UNKNOWN], async (route) => {
    for (const host of ['evil.example', 'evil.example:80', `${new URL(origin).hostname}:1`]) {
      assert.equal((await call(admin, route, 'acme', { host })).status, 421);
    }
  });
});

test('a cookie that was tampered with names nobody', async () => {
  const real = viewer.cookies.get('oort-session');
  const plain = decodeURIComponent(real);
  const forged = [
    real.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    real.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
    plain.slice(44), encodeURIComponent(plain.slice(0, 44) + 'x'), real.slice(0, -4), '',
    // A signature holds for the name of its cookie only.
    (await ask(`${origin}/signin/go`)).headers['set-cookie'][0].split(/[=;]/)[1],
  ];
  for (const cookie of forged) {
    const answer = await ask(`${origin}/api/v1/tenants`, { headers: { cookie: `oort-session=${cookie}` } });
    assert.equal(answer.status, 401, cookie);
  }
  assert.equal((await viewer.ask('/api/v1/tenants')).status, 200);
});

test('every answer has the headers that protect it', async () => {
  await each([...ROUTES, ...UNKNOWN], async (route) => {
    const { headers, status } = await call(viewer, route, 'acme');
    assert.match(headers['content-security-policy'] ?? '', /default-src 'none'.*frame-ancestors 'none'/, String(status));
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.match(headers['cache-control'], route.path.startsWith('/assets/') ? /public/ : /private/);
  });
});

test('whoever acts too fast is told to wait', async () => {
  const reopen = `/api/v1/tenants/acme/findings/${ids.finding}/reopen`;
  const answers = [];
  for (let turn = 0; turn < 25; turn += 1) {
    answers.push((await analyst.post(reopen, 'reason=again', { 'x-csrf-token': tokens.analyst })).status);
  }
  assert.deepEqual([...new Set(answers)].sort(), [200, 429]);
  assert.equal((await analyst.ask('/')).status, 200, 'who looks is not held up');
});

test('the health check needs nobody, and tells nothing', async () => {
  // Whoever watches the machine asks by its address.
  for (const host of [new URL(origin).host, '10.0.0.7:8477']) {
    const { status, text } = await ask(`${origin}/healthz`, { headers: { host } });
    assert.equal(status, 200);
    assert.doesNotMatch(text, /acme|globex/);
  }
});
