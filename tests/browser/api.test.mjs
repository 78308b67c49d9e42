// The API against its own description: schemathesis makes requests of it, fitting ones and others.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ROOT, Reader, demo, run, startConsole } from './help.mjs';

let data;

before(async () => {
  data = await demo();
});

// What exists, so that requests reach something.
async function existing(reader) {
  const [person] = (await reader.json('/api/v1/tenants/acme/users')).users;
  const [finding] = (await reader.json('/api/v1/tenants/acme/findings')).findings;
  const user = `/api/v1/tenants/acme/users/${person.id}`;
  const [row] = (await reader.json(`${user}/activity`)).rows;
  const [rule] = await reader.json('/api/v1/tenants/acme/rules');
  const job = JSON.parse((await reader.post(`${user}/refresh`, '', { 'x-csrf-token': await reader.token() })).text);
  const at = new Date(row.published).getTime() * 1000;
  const ofUser = { user: person.id, at, uuid: row.event_uuid, refresh: job.id };
  return { tenant: 'acme', finding: finding.id, rule: rule.id, ...ofUser };
}

// Each time with a console of its own, for the console takes some actions at once and then one every two seconds.
async function explore(name, doExist, ...words) {
  const { origin, stop } = await startConsole(data);
  const reader = new Reader(origin);
  const values = Object.entries(doExist ? await existing(reader) : {});
  const config = join(data, '..', `${name}.toml`);
  writeFileSync(config, `[parameters]\n${values.map(([key, value]) => `"path.${key}" = "${value}"\n`).join('')}`);
  const checks = 'not_a_server_error,response_schema_conformance,content_type_conformance';
  const { code = 0, stdout, stderr } = await run(join(ROOT, 'target/schemathesis/bin/schemathesis'), [
    '--config-file', config, 'run', `${origin}/api/openapi.json`, '--checks', checks, '--phases', 'coverage,fuzzing',
    '--max-examples', '15', '--seed', '7', '--no-color', '--header', `X-CSRF-Token: ${await reader.token()}`, ...words,
  ], { cwd: join(data, '..'), maxBuffer: 1 << 26 }).catch((error) => error);
  await stop();
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.match(stdout, /Test cases:\s+\d+ generated/);
}

test('whatever is asked, the answer fits', () => explore('any', false));
test('whatever is asked of what exists, the answer fits', () => explore('known', true, '--include-method', 'GET'));
for (const name of ['refreshUser', 'muteFinding', 'closeFinding', 'reopenFinding']) {
  test(`${name} answers what it says`, () => explore(name, true, '--include-operation-id', name));
}
