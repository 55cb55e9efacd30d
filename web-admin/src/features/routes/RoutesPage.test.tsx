import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { Problem, Route } from '../../api/types';
import { renderAt } from '../../test/render';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };

const shop: Route = {
  kind: 'Route', tenant: 'acme', name: 'shop', updatedBy: 'admin',
  spec: { hosts: ['shop.example.com'], match: [{ path: { exact: '/cart' } }, { path: { prefix: '/api' } }], to: [{ upstream: 'api', weight: 95 }, { upstream: 'canary', weight: 5 }] },
};
const made: Route = {
  kind: 'Route', tenant: 'acme', name: 'default.shop.web.1234', spec: { hosts: ['web.example.com'], to: [{ upstream: 'default.shop.web.80' }] },
  derivedFrom: { source: 'kubernetes/default', cluster: 'default', namespace: 'shop', kind: 'Ingress', name: 'web' },
};
const broken: Route = { kind: 'Route', tenant: 'globex', name: 'default.www.x.9', spec: { hosts: [], filters: [{ respond: { status: 503 } }] }, derivedFrom: { source: 'names' } };

const problems: Problem[] = [
  { object: { kind: 'Route', tenant: 'acme', name: 'shop' }, code: 'path_taken', message: 'Another route has the path.' },
  { object: { kind: 'Ingress', tenant: 'acme', name: 'default/shop/web' }, code: 'service_missing', message: 'There is no Service "gone".' },
  { object: { kind: 'Ingress', tenant: 'globex', name: 'default/www/x' }, code: 'host_not_owned', message: 'Of another tenant.' },
];

function serve() {
  server.use(answer('get', '/objects', { items: [shop, made, broken] }), answer('get', '/problems', { items: problems }), eventStream().handler);
}

const row = async (name: string) => (await screen.findByText(name, { selector: 'strong' }, soon)).closest('tr') as HTMLElement;
const names = () => [...document.querySelectorAll('td strong')].map((e) => e.textContent);

test('shows where routes send requests, and where those are from that nobody wrote', async () => {
  serve();
  renderAt('/routes');
  const written = await row('shop');
  for (const text of ['shop.example.com', '/cart', '/api*', 'api 95', 'canary 5', 'written by admin']) expect(written.textContent).toContain(text);
  await waitFor(() => expect(written.textContent).toContain('Another route has the path.'), soon);
  const derived = await row('default.shop.web.1234');
  expect(derived.textContent).toContain('from Ingress shop/web of cluster default');
  expect(within(derived).getByRole('link').getAttribute('href')).toBe('/upstreams/acme/default.shop.web.80');
  const other = (await row('default.www.x.9')).textContent;
  for (const text of ['every host of the tenant', 'answers 503', 'from names']) expect(other).toContain(text);
});

test('says what else a request needs, and what filters do, one line each', async () => {
  const full: Route = {
    kind: 'Route', tenant: 'acme', name: 'full',
    spec: {
      hosts: ['full.example.com'],
      match: [
        { path: { prefix: '/api' }, methods: ['GET', 'POST'], headers: [{ name: 'x-env', exact: 'prod' }, { name: 'x-any', present: true }], query: [{ name: 'v', exact: '2' }] },
        { path: { exact: '/login' } },
      ],
      to: [{ upstream: 'api' }],
      filters: [
        { ipAccess: { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16', '10.2.0.1'] } },
        { requestHeaders: { set: { 'x-from': 'edge' }, remove: ['x-debug'] } },
        { responseHeaders: { add: { via: 'sluice' } } },
        { rewrite: { prefix: '/v2', host: 'api.internal' } },
        { redirect: { scheme: 'https', port: 8443, status: 302 } },
        { rateLimit: { requests: 100, key: { header: 'x-api-key' } } },
        { connectionLimit: { max: 20, key: 'host', status: 503 } },
        { mirror: { upstream: 'api-next', percent: 10 } },
      ],
    },
  };
  serve();
  server.use(answer('get', '/objects', { items: [full, shop] }));
  renderAt('/routes');
  const r = await row('full');
  for (const line of [
    '/api*', 'method GET, POST', 'header x-env: prod', 'header x-any, any value', 'query v=2', '/login',
    'addresses: allow 10.0.0.0/8; deny 10.1.0.0/16, 10.2.0.1', 'request headers: set x-from: edge; remove x-debug', 'response headers: add via: sluice',
    'rewrite: host api.internal, prefix /v2', 'redirect 302: scheme https, port 8443', 'rate: 100 requests in 1s of a value of x-api-key, 99 more at once, else 429',
    'in progress: 20 requests of a host, else 503', 'copies: 10 % to api-next',
  ]) expect(within(r).getByText(line)).toBeTruthy();
  expect((await row('shop')).textContent).not.toContain('method');
});

test.each([
  ['q=web.example', ['default.shop.web.1234']],
  ['q=ingress+shop%2Fweb', ['default.shop.web.1234']],
  ['q=canary', ['shop']],
  ['derived=true', ['default.shop.web.1234', 'default.www.x.9']],
])('%s narrows the list', async (search, want) => {
  serve();
  renderAt(`/routes?${search}`);
  await waitFor(() => expect(names()).toEqual(want), soon);
});

test('with a tenant, shows its routes and its problems, also of resources in its namespaces', async () => {
  serve();
  renderAt('/routes?tenant=acme');
  await waitFor(() => expect(names().slice(0, 2)).toEqual(['shop', 'default.shop.web.1234']), soon);
  const panel = (await screen.findByText('Problems of tenant acme', {}, soon)).closest('section') as HTMLElement;
  expect(await within(panel).findByText('There is no Service "gone".', {}, soon)).toBeTruthy();
  expect(within(panel).getByText('Another route has the path.')).toBeTruthy();
  expect(within(panel).queryByText('Of another tenant.')).toBeNull();
});

test('no routes, and an error', async () => {
  serve();
  server.use(answer('get', '/objects', { items: [] }));
  const { unmount } = renderAt('/routes');
  expect(await screen.findByText('No routes yet', {}, soon)).toBeTruthy();
  unmount();
  server.use(refuse('get', '/objects', 503, 'unavailable', 'the store is away'));
  renderAt('/routes');
  expect(await screen.findByText('the store is away', {}, soon)).toBeTruthy();
});
