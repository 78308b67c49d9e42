// An OpenID provider on this machine, with made-up accounts.

import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { Reader, atEnd, freePort } from './help.mjs';

export const CLIENT = 'oort-console';

// Groups by account.
const ACCOUNTS = {
  viewer: ['Everyone', 'oort:acme:viewer'],
  analyst: ['oort:acme:analyst'],
  admin: ['oort:*:admin'],
  nobody: ['Everyone', 'oort:acme:owner', 'acme:admin'],
};
export const nameOf = (account) => `${account}@example.com`;

// The provider; `serve(origin)` lets a console at that address use it.
export async function startProvider() {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const clients = [];
  let provider;
  const serve = (origin) => {
    clients.push(`${origin}/signin/callback`);
    provider = make(issuer, clients);
  };
  const server = createServer((request, answer) => {
    const uid = /^\/choose\/([\w-]+)/.exec(request.url)?.[1];
    if (uid) choose(provider, request, answer).catch((error) => answer.writeHead(400).end(String(error)));
    else provider.callback()(request, answer);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  atEnd.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { issuer, serve };
}

function make(issuer, redirect_uris) {
  const provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT, token_endpoint_auth_method: 'none', redirect_uris }],
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email'], groups: ['groups'] },
    // Okta puts the groups into the ID token.
    conformIdTokenClaims: false,
    cookies: { keys: ['of these tests'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/choose/${uid}` },
    pkce: { required: () => true },
    findAccount: (_, accountId) => ({
      accountId,
      claims: () => ({
        sub: accountId,
        preferred_username: nameOf(accountId),
        email: nameOf(accountId),
        groups: ACCOUNTS[accountId],
      }),
    }),
    // An organisation does not ask its own people for their consent.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
  });
  return provider;
}

// The sign-in page is a button for each account.
async function choose(provider, request, answer) {
  const account = new URL(request.url, 'http://127.0.0.1').searchParams.get('account');
  if (account in ACCOUNTS) {
    return provider.interactionFinished(request, answer, { login: { accountId: account } });
  }
  const buttons = Object.keys(ACCOUNTS).map((one) => `<button name="account" value="${one}">${one}</button>`);
  answer.setHeader('content-type', 'text/html; charset=utf-8');
  answer.end(`<!doctype html><link rel="icon" href="data:,"><title>Who are you?</title><form>${buttons.join(' ')}</form>`);
}

// The arguments of a console that uses the provider.
export const signInAt = ({ issuer }) => ['--oidc-issuer', issuer, '--oidc-client-id', CLIENT];

// Follows a sign-in up to where the provider sends the reader back to; `back` is not asked yet.
export async function goThere(origin, account, to = '/') {
  const reader = new Reader(origin);
  let answer = await reader.ask(`/signin/go?to=${encodeURIComponent(to)}`);
  for (;;) {
    const next = new URL(answer.headers.location, answer.url);
    if (next.origin === origin) return { reader, back: next.href };
    if (next.pathname.startsWith('/choose/')) next.searchParams.set('account', account);
    answer = await reader.ask(next.href);
  }
}

// A reader who is signed in.
export async function signIn(origin, account, to) {
  const { reader, back } = await goThere(origin, account, to);
  reader.came = await reader.ask(back);
  return reader;
}
