import { screen, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import { renderAt, streaming } from '../../test/render';
import { sampleEndpoint, sampleNode, sampleStatus, sampleUpstream } from '../../test/samples';
import { answer, eventStream, hang, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const ejected = sampleEndpoint('10.0.0.5:8080', 'ejected', {}, { reason: '5 gateway errors in a row (502)', since: '2026-11-20T23:00:00Z' });

function serve() {
  const stream = eventStream();
  server.use(
    answer('get', '/status', sampleStatus),
    answer('get', '/problems', {
      items: [{ object: { kind: 'Upstream', tenant: 'acme', name: 'api' }, field: 'spec.endpoints[0]', code: 'address_invalid', message: 'Not IP:port.', source: 'build' }],
    }),
    answer('get', '/upstreams', { generation: 7, items: [sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), ejected])] }),
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', { items: [sampleNode('edge-01', 'in_sync'), sampleNode('edge-02', 'failed')] }),
    stream.handler,
  );
  return stream;
}

test('shows who this is, what is wrong and where it leads', async () => {
  serve();
  renderAt('/');
  expect(await screen.findByText('edge-1', {}, soon)).toBeTruthy();
  const problem = (await screen.findByText('Not IP:port.', {}, soon)).closest('li');
  expect(within(problem as HTMLElement).getByRole('link', { name: /acme\/api/ }).getAttribute('href')).toBe('/upstreams/acme/api');
  expect(screen.getByText('etcd 10.1.0.4:2379: deadline exceeded')).toBeTruthy();
  const suspect = (await screen.findByText(/5 gateway errors/, {}, soon)).closest('li');
  expect(within(suspect as HTMLElement).getByText('10.0.0.5:8080').closest('a')?.getAttribute('href')).toContain('endpoint=');
  expect(screen.getByRole('link', { name: '1 ejected' }).getAttribute('href')).toBe('/upstreams?state=ejected');
  expect((await screen.findByRole('link', { name: '1 failed' }, soon)).getAttribute('href')).toBe('/fleet?fleet=shared&state=failed');
});

test('tells the listener for agents from those for requests', async () => {
  serve();
  server.use(answer('get', '/status', { ...sampleStatus, listeners: [{ name: 'http', address: '[::]:8080' }, { name: 'agents', address: '[::]:9443', tls: true, agents: true }] }));
  renderAt('/');
  const agents = (await screen.findByText('[::]:9443', {}, soon)).closest('li') as HTMLElement;
  expect(within(agents).getByText('for agents')).toBeTruthy();
  expect(within(agents).getByText('TLS')).toBeTruthy();
  expect(within(screen.getByText('[::]:8080').closest('li') as HTMLElement).queryByText('for agents')).toBeNull();
});

test('shows alerts, and receivers that can not be told', async () => {
  serve();
  server.use(
    answer('get', '/alerts', {
      items: [
        {
          id: 'service_bad/acme/api', kind: 'service_bad', severity: 'critical', resolved: false, tenant: 'acme', subject: 'upstream acme/api',
          summary: 'upstream acme/api fails as a whole', detail: 'All 3 endpoints fail.', since: '2026-11-20T23:00:00Z', node: 'edge-1',
        },
      ],
      receivers: [
        { name: 'ops', type: 'slack', scope: 'all', waiting: 2, dropped: 0, error: 'hooks.example.com: connection refused' },
        { name: 'fine', type: 'json', scope: 'all', waiting: 0, dropped: 0 },
      ],
    }),
  );
  renderAt('/');
  const alert = (await screen.findByText('service bad', {}, soon)).closest('li') as HTMLElement;
  expect(within(alert).getByText('All 3 endpoints fail.')).toBeTruthy();
  const receiver = screen.getByText('hooks.example.com: connection refused').closest('li') as HTMLElement;
  expect(within(receiver).getByText('2 alerts wait')).toBeTruthy();
  expect(screen.queryByText('fine')).toBeNull();
});

test('says how bundles are checked, and what is missing', async () => {
  serve();
  server.use(answer('get', '/status', { ...sampleStatus, fleetCheck: { level: 'limits_only', version: '1.22.1', warning: 'no namespaces: operation not permitted' } }));
  renderAt('/');
  expect(await screen.findByText('no namespaces: operation not permitted', {}, soon)).toBeTruthy();
  expect(screen.getByText('with limits only')).toBeTruthy();
  expect(screen.getByText('nginx 1.22.1')).toBeTruthy();
});

test('takes new problems from the stream', async () => {
  const stream = serve();
  const { cache } = renderAt('/');
  await screen.findByText('Not IP:port.', {}, soon);
  await streaming(cache);
  stream.send('problems', { problems: [{ object: { kind: 'Tenant', name: 'initech' }, code: 'host_taken', message: 'Host is taken.' }] });
  expect(await screen.findByText('Host is taken.', {}, soon)).toBeTruthy();
  expect(screen.queryByText('Not IP:port.')).toBeNull();
});

test('says that nothing is wrong', async () => {
  serve();
  server.use(answer('get', '/problems', { items: [] }), answer('get', '/upstreams', { generation: 1, items: [] }), answer('get', '/fleets', { items: [] }));
  renderAt('/');
  expect(await screen.findByText('No problems.', {}, soon)).toBeTruthy();
  expect(await screen.findByText(/No endpoint is ejected/, {}, soon)).toBeTruthy();
  expect(await screen.findByText(/No alert. Nobody would be told/, {}, soon)).toBeTruthy();
  expect(await screen.findByText(/No fleet yet/, {}, soon)).toBeTruthy();
});

test('loading', async () => {
  serve();
  server.use(hang('/status'));
  renderAt('/');
  expect(await screen.findByRole('status', { name: 'Loading' }, soon)).toBeTruthy();
});

test('an error says what the server said and can be tried again', async () => {
  serve();
  server.use(refuse('get', '/status', 500, 'internal', 'the store is closed'));
  const { user } = renderAt('/');
  expect(await screen.findByText('the store is closed', {}, soon)).toBeTruthy();
  serve();
  await user.click(screen.getByRole('button', { name: /Try again/ }));
  expect(await screen.findByText('edge-1', {}, soon)).toBeTruthy();
});

test('forbidden', async () => {
  serve();
  server.use(refuse('get', '/status', 403, 'forbidden', 'no right'));
  renderAt('/');
  expect(await screen.findByText('You may not see this', {}, soon)).toBeTruthy();
});
