import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { ManualEndpoint } from '../../api/types';
import { setLanguage } from '../../i18n';
import { renderAt } from '../../test/render';
import { sampleEndpoint, sampleHealth, sampleResult, sampleUpstream } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const sick = sampleEndpoint('10.0.0.5:8080', 'ejected', { sources: ['manual', 'etcd'] }, {
  reason: '5 gateway errors in a row (502)',
  rule: 'consecutive_gateway_errors',
  since: '2026-11-20T23:00:00Z',
  evidence: {
    observer: 'edge-7',
    samples: [
      { at: '2026-11-20T22:59:58Z', kind: 'request', status: 502, latency: '1.234567ms' },
      { at: '2026-11-20T22:59:59Z', kind: 'request', error: 'connection refused' },
    ],
  },
});
const api = sampleUpstream('acme', 'api', [
  sampleEndpoint('10.0.0.4:8080'),
  sick,
  sampleEndpoint('10.0.0.6:8080', 'healthy', { weight: 0, inRotation: false }),
  sampleEndpoint('10.0.0.7:8080', 'healthy', { terminating: true, inRotation: false, tags: { version: 'v2', canary: '' } }),
]);
const address = '/upstreams/acme/api';

function serve() {
  server.use(answer('get', '/upstreams', { generation: 1, items: [api] }), eventStream().handler);
}

const row = async (text: string) => (await screen.findByText(text, {}, soon)).closest('tr') as HTMLElement;

test('shows every endpoint, the worst first, and why one is out of rotation', async () => {
  serve();
  renderAt(address);
  expect((await row('10.0.0.5:8080')).textContent).toContain('5 gateway errors in a row (502)');
  expect((await row('10.0.0.6:8080')).textContent).toContain('weight 0');
  expect((await row('10.0.0.7:8080')).textContent).toContain('terminating');
  expect((await row('10.0.0.7:8080')).textContent).toContain('version=v2, canary');
  const rows = screen.getAllByRole('row');
  expect(rows[1]?.textContent).toContain('10.0.0.5:8080');
  // Only what was given by hand can be taken away by hand.
  expect(within(await row('10.0.0.5:8080')).getByRole('button', { name: 'Remove' })).toBeTruthy();
  expect(within(await row('10.0.0.4:8080')).queryByRole('button', { name: 'Remove' })).toBeNull();
});

test('evidence opens by URL, newest sample first', async () => {
  serve();
  const { user, router } = renderAt(address);
  await user.click(within(await row('10.0.0.5:8080')).getByRole('button', { name: 'Evidence' }));
  const drawer = await screen.findByRole('dialog', {}, soon);
  expect(within(drawer).getByText('edge-7')).toBeTruthy();
  expect(within(drawer).getByText('1.23ms')).toBeTruthy();
  const samples = within(drawer).getAllByRole('row').slice(1);
  expect(samples[0]?.textContent).toContain('connection refused');
  expect(samples[1]?.textContent).toContain('502');
  expect(router.state.location.search).toEqual({ endpoint: '10.0.0.5:8080' });
});

test('says who sees what of an endpoint, and what its nginx nodes say', async () => {
  serve();
  const key = { tenant: 'acme', name: 'api' };
  const of = { upstream: key, address: '10.0.0.5:8080' };
  server.use(
    answer('get', '/tenants/{tenant}/upstreams/{upstream}/health', sampleHealth({
      standings: [
        {
          ...of, scope: 'path_bad', observers: 3, bad: 1, well: 2, unknown: 0,
          sights: [
            { ...of, observer: 'edge-7', state: 'ejected', since: '2026-11-20T23:00:00Z', rule: 'error_ratio', reason: '12 of 20 requests failed' },
            { ...of, observer: 'edge-8', state: 'healthy' },
          ],
        },
      ],
      serviceStanding: { upstream: key, observers: 3, bad: ['edge-7'] },
      fleets: [{ fleet: 'shared', service: { bad: false }, verdicts: [{ ...of, state: 'down', reason: '9 of 9 connections failed' }] }],
    })),
  );
  renderAt(`${address}?endpoint=10.0.0.5:8080`);
  const drawer = await screen.findByRole('dialog', {}, soon);
  const list = await within(drawer).findByRole('list', { name: 'Who sees what' }, soon);
  const items = within(list).getAllByRole('listitem').map((i) => i.textContent ?? '');
  expect(items[0]).toMatch(/edge-7.*ejected.*12 of 20 requests failed/);
  expect(items[1]).toMatch(/edge-8.*healthy/);
  expect(items[2]).toBe('1 observer has not said anything and counts for it.');
  expect(within(drawer).getByText('path bad')).toBeTruthy();
  expect(drawer.textContent).toContain('1 find it bad, 2 well, 0 know nothing of it.');
  expect(within(within(drawer).getByRole('list', { name: 'What the logs of nginx nodes say' })).getByText('9 of 9 connections failed')).toBeTruthy();
  expect(await screen.findByText('bad for 1 of 3 observers: edge-7', {}, soon)).toBeTruthy();
});

test('says by code in Chinese what the server says in English', async () => {
  setLanguage('zh-CN');
  server.use(
    answer('get', '/upstreams', { generation: 1, items: [{ ...api, problems: [{ object: { kind: 'Upstream', tenant: 'acme', name: 'api' }, code: 'limit_missing', message: 'Give a limit.' }] }] }),
    eventStream().handler,
  );
  renderAt(address);
  expect((await row('10.0.0.5:8080')).textContent).toContain('连续的网关错误 5 gateway errors in a row (502)');
  expect((await screen.findByText('Give a limit.', {}, soon)).parentElement?.textContent).toContain('缺少上限 Give a limit.');
});

test('adds an endpoint only after its effect was shown', async () => {
  serve();
  const sent: { dryRun: string | null; body: ManualEndpoint }[] = [];
  server.use(
    answer('post', '/tenants/{tenant}/upstreams/{upstream}/endpoints', async (r) => {
      const dryRun = new URL(r.url).searchParams.get('dryRun');
      sent.push({ dryRun, body: (await r.json()) as ManualEndpoint });
      return sampleResult(dryRun === 'true', ['10.0.0.9:8080']);
    }),
  );
  const { user } = renderAt(address);
  await user.click(await screen.findByRole('button', { name: /Add endpoint/ }, soon));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.type(within(dialog).getByLabelText('Address'), '10.0.0.9:8080');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await within(dialog).findByText('+ 10.0.0.9:8080', {}, soon)).toBeTruthy();
  expect(sent.map((s) => s.dryRun)).toEqual(['true']);
  await user.click(within(dialog).getByRole('button', { name: 'Add it' }));
  await waitFor(() => expect(sent.map((s) => s.dryRun)).toEqual(['true', 'false']), soon);
  expect(sent[1]?.body).toEqual({ address: '10.0.0.9:8080', weight: 1 });
  expect(await screen.findByText('Saved: 10.0.0.9:8080', {}, soon)).toBeTruthy();
});

test('a refused address shows what the server said, and nothing is saved', async () => {
  serve();
  server.use(
    refuse('post', '/tenants/{tenant}/upstreams/{upstream}/endpoints', 400, 'invalid', 'The endpoint is not valid.', [{ field: 'address', message: '"x" is not IP:port' }]),
  );
  const { user } = renderAt(address);
  await user.click(await screen.findByRole('button', { name: /Add endpoint/ }, soon));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.type(within(dialog).getByLabelText('Address'), 'x');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await within(dialog).findByText('"x" is not IP:port', {}, soon)).toBeTruthy();
  expect(within(dialog).queryByRole('button', { name: 'Add it' })).toBeNull();
});

test('removes an endpoint after its effect was shown, and names who else lists it', async () => {
  serve();
  const sent: string[] = [];
  server.use(
    answer('delete', '/tenants/{tenant}/upstreams/{upstream}/endpoints/{address}', (r) => {
      const url = new URL(r.url);
      sent.push(`${decodeURIComponent(url.pathname.split('/').at(-1) ?? '')} ${url.searchParams.get('dryRun')}`);
      return sampleResult(url.searchParams.get('dryRun') === 'true', [], ['10.0.0.5:8080']);
    }),
  );
  const { user } = renderAt(address);
  await user.click(within(await row('10.0.0.5:8080')).getByRole('button', { name: 'Remove' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  expect(await within(dialog).findByText('- 10.0.0.5:8080', {}, soon)).toBeTruthy();
  expect(within(dialog).getByText(/etcd still names this address/)).toBeTruthy();
  expect(sent).toEqual(['10.0.0.5:8080 true']);
  await user.click(within(dialog).getByRole('button', { name: 'Remove it' }));
  await waitFor(() => expect(sent).toEqual(['10.0.0.5:8080 true', '10.0.0.5:8080 false']), soon);
});

test('an upstream that is not there', async () => {
  serve();
  renderAt('/upstreams/acme/nix');
  expect(await screen.findByText(/There is no upstream acme\/nix/, {}, soon)).toBeTruthy();
});

test('an error', async () => {
  server.use(refuse('get', '/upstreams', 500, 'internal', 'the loop stopped'), eventStream().handler);
  renderAt(address);
  expect(await screen.findByText('the loop stopped', {}, soon)).toBeTruthy();
});

test('shows limits, retries and TLS, and that there are none', async () => {
  const plain = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080')]);
  const bounded = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080')]);
  plain.upstream.retry = { attempts: 1 };
  Object.assign(bounded.upstream, {
    limits: { maxConnections: 50, maxPending: 200, queueTimeout: '1s' },
    retry: { attempts: 3, on: ['connect-failure', 'reset'], budgetPercent: 10 },
    tls: { serverName: 'api.internal', ca: 'PEM', certificate: 'client' },
    proxyProtocol: 'v2',
  });
  server.use(answer('get', '/upstreams', { generation: 1, items: [bounded] }), eventStream().handler);
  const { unmount } = renderAt(address);
  expect(await screen.findByText('50 exchanges at once; 200 more wait for 1s', {}, soon)).toBeTruthy();
  expect(screen.getByText('at most 3 tries, after connect-failure, reset; retries are up to 10% of requests')).toBeTruthy();
  expect(screen.getByText(/verified for api.internal by its own authorities/)).toBeTruthy();
  expect(screen.getByText('shows certificate client')).toBeTruthy();
  expect(screen.getByText('v2')).toBeTruthy();
  unmount();
  server.use(answer('get', '/upstreams', { generation: 1, items: [plain] }));
  renderAt(address);
  expect(await screen.findByText('in the clear', {}, soon)).toBeTruthy();
  expect(screen.getByText('off: one try for each request')).toBeTruthy();
  expect(screen.queryByText('PROXY header')).toBeNull();
});

test('names every place where endpoints are discovered', async () => {
  const { upstream } = api;
  const discover = [
    { kubernetes: { namespace: 'shop', service: 'api', port: 'http' } },
    { etcd: { prefix: '/services/api/' } },
    { dns: { name: '_http._tcp.api.internal', type: 'SRV' as const } },
    { dns: { resolver: 'office', name: 'api.internal', port: 8080 } },
  ];
  server.use(answer('get', '/upstreams', { generation: 1, items: [{ ...api, upstream: { ...upstream, discover } }] }), eventStream().handler);
  renderAt(address);
  expect(await screen.findByText('Kubernetes default/shop/api:http', {}, soon)).toBeTruthy();
  for (const text of ['etcd default:/services/api/', 'DNS default SRV _http._tcp.api.internal', 'DNS office A, AAAA api.internal:8080']) {
    expect(screen.getByText(text)).toBeTruthy();
  }
});

test('an upstream that nobody wrote says where it is changed, and offers no change', async () => {
  const derivedFrom = { source: 'kubernetes/default', cluster: 'default', namespace: 'shop', kind: 'Service', name: 'api' };
  server.use(answer('get', '/upstreams', { generation: 1, items: [{ ...api, derivedFrom }] }), eventStream().handler);
  renderAt(address);
  expect(await screen.findByText(/Made from Service shop\/api of cluster default/, {}, soon)).toBeTruthy();
  expect(screen.queryByRole('button', { name: /Add endpoint/ })).toBeNull();
  expect(screen.queryByRole('button', { name: /Discovery/ })).toBeNull();
});
