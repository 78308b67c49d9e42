// Starts the console on fresh demo data, asks it without a browser, and looks at its pages in one.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const SHOTS = join(ROOT, 'target/browser');
export const BINARY = process.env.OORT_BINARY ?? join(ROOT, 'target/debug/oort');
const AXE = readFileSync(new URL('axe.min.js', import.meta.resolve('axe-core')), 'utf8');
const topic = basename(process.argv[1], '.test.mjs');
mkdirSync(SHOTS, { recursive: true });

export const run = promisify(execFile);
export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// What the program does without a server.
export const oort = (data, ...words) =>
  run(BINARY, ['--root', ROOT, '--data', data, ...words], { maxBuffer: 1 << 26 });

// A folder with fresh demo data.
export async function demo() {
  const data = mkdtempSync(join(tmpdir(), 'oort-'));
  await oort(data, 'demo');
  return join(data, 'demo');
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

// Hooks that are set within a hook run too early, so that what must end is kept here.
export const atEnd = [];
after(async () => {
  for (const end of atEnd.reverse()) await end();
});

let consoles = 0;

// A console that answers. When the tests of a file are over, it must end by itself and must not have panicked.
export async function startConsole(data, ...words) {
  const origin = `http://127.0.0.1:${await freePort()}`;
  const listen = ['--environment', 'local', '--listen', new URL(origin).host];
  const child = spawn(BINARY, ['--root', ROOT, '--data', data, 'console', ...listen, ...words]);
  running.add(child);
  const ended = new Promise((done) => child.once('exit', (code) => done(code)));
  const file = createWriteStream(join(SHOTS, `${topic}-console-${(consoles += 1)}.log`));
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  child.stderr.pipe(file);
  await new Promise((ready, failed) => {
    child.stdout.on('data', (text) => String(text).includes(origin) && ready());
    ended.then((code) => failed(new Error(`the console ended with ${code}: ${log}`)));
  });
  const stop = async () => {
    if (!running.delete(child)) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    assert.equal(await ended, 0, 'the console ends when it is asked to');
    clearTimeout(late);
    assert.doesNotMatch(log, /panicked/);
  };
  atEnd.push(stop);
  return { origin, stop, log: () => log };
}

// A request of which everything can be chosen, Host too. No redirect is followed.
export function ask(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((done, failed) => {
    const request = http.request(url, { method, headers, agent: false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', failed);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        done({ url, status: answer.statusCode, headers: answer.headers, text });
      });
    });
    request.on('error', failed);
    request.end(body);
  });
}

// One who asks without a browser, and keeps cookies. The provider and the console share them, as they do in a browser: cookies
// know no ports.
export class Reader {
  constructor(origin) {
    this.origin = origin;
    this.cookies = new Map();
  }

  async ask(path, { headers = {}, ...options } = {}) {
    const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await ask(new URL(path, this.origin), { headers: { cookie, ...headers }, ...options });
    for (const text of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(text);
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(text)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  async json(path) {
    const answer = await this.ask(path);
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  }

  post(path, body = '', headers = {}) {
    const type = 'application/x-www-form-urlencoded';
    return this.ask(path, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
  }

  async token() {
    return /<meta name="csrf" content="([^"]+)"/.exec((await this.ask('/')).text)[1];
  }
}

// Lets events happen in acme's Okta org, which its log stream loses. Their UUIDs.
export async function happen(data, person) {
  const { stdout } = await oort(data, 'sample', '--events', '5', '--seed', '7');
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line));
  events.forEach((event, place) => {
    event.uuid = randomUUID();
    event.published = new Date(Date.now() - (60 - place) * 1000).toISOString();
    Object.assign(event.actor, { id: person.id, type: 'User', alternateId: person.login });
  });
  const file = join(data, '..', `${randomUUID()}.jsonl`);
  writeFileSync(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  await oort(data, 'local', 'org', 'record', '--tenant', 'acme', '--lost', file);
  return events.map((event) => event.uuid);
}

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ARGUMENTS });
  atEnd.push(() => browser.close());
  return browser;
}

// A page of which every complaint is kept in `page.complaints`: script errors, console errors, breaches of the policy, requests
// to another host, answers that are failures of the server.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.complaints = [];
  const complain = (text) => page.complaints.push(`${page.url()}: ${text}`);
  page.on('pageerror', (error) => complain(error.message));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complain(message.text()));
  page.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1:|data:)/.test(request.url())) complain(`asks ${request.url()}`);
  });
  page.on('response', (answer) => answer.status() >= 500 && complain(`${answer.status()} of ${answer.url()}`));
  await page.exposeFunction('complain', complain);
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      window.complain(`the policy forbids ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return page;
}

// Nothing is broken on the page as it stands: neither for the eye nor for a screen reader.
async function check(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what}: scrolls sideways by ${wide} pixels`);
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => {
    const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
    return window.axe.run(document, { runOnly, resultTypes: ['violations'] });
  });
  const told = violations.map((one) => `${one.id}: ${one.nodes[0].html}\n${one.nodes[0].failureSummary}`);
  assert.ok(told.length === 0, `${what}: ${told.join('\n')}`);
}

// Looks at an address wide and narrow, light and dark, as it comes and with everything opened.
export async function look(page, name, address, isReady = '#main') {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 860 });
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(address, { waitUntil: 'networkidle' });
    await page.waitForSelector(isReady);
    await page.screenshot({ path: join(SHOTS, `${name}-${width}.png`), fullPage: true });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await check(page, `${name} ${width} ${colorScheme}`);
    }
    await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
    const row = page.locator('[data-event]').first();
    if (await row.count()) await row.press('Enter').then(() => page.waitForSelector('.raw .event'));
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await check(page, `${name} ${width} ${colorScheme}, opened`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
}

export function assertQuiet(page, allowed = /^$/) {
  assert.deepEqual(page.complaints.splice(0).filter((text) => !allowed.test(text)), []);
}
