import { screen, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { ServiceName, SourceStatus } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleStatus } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const ago = (days: number) => new Date(Date.now() - days * 86_400_000 - 1_800_000).toISOString();

function name(host: string, more: Partial<ServiceName> = {}): ServiceName {
  return { host, cluster: 'default', namespace: 'shop', service: 'api', tenant: 'acme', upstream: 'api', to: ['192.0.2.1'], ttlSeconds: 60, phase: 'announced', since: ago(60), ...more };
}

const sources: SourceStatus[] = [
  { name: 'etcd/default', kind: 'etcd', up: true, lastEvent: ago(1), upstreams: 3 },
  { name: 'kubernetes/east', kind: 'kubernetes', up: false, message: 'connection refused', lastEvent: ago(10), staleSince: ago(5), upstreams: 2, pending: 1 },
  { name: 'kubernetes/west', kind: 'kubernetes', up: false, message: 'no route to host', staleSince: ago(180), copied: true, upstreams: 1, pending: 1 },
];

function serve(names = { rule: '{{service}}.{{namespace}}.example.com', leading: true, items: [name('api.shop.example.com')] }) {
  server.use(answer('get', '/status', { ...sampleStatus, sources }), answer('get', '/names', names), eventStream().handler);
}

const row = async (text: string) => (await screen.findByText(text, {}, soon)).closest('tr') as HTMLElement;

test('says of each source whether it is up, when it last spoke and since when it may be out of date', async () => {
  serve();
  renderAt('/sources');
  expect((await row('etcd/default')).textContent).toMatch(/up.*\(1d 0h\).*current.*3/);
  expect((await row('kubernetes/east')).textContent).toMatch(/down.*\(10d 0h\).*\(5d 0h\).*2 \(1 not heard of yet\).*connection refused/);
  expect((await row('kubernetes/east')).textContent).not.toContain('local copy');
  expect((await row('kubernetes/west')).textContent).toMatch(/down.*\(180d 0h\).*local copy/);
  const first = screen.getAllByRole('row')[1];
  expect(first?.textContent).toContain('kubernetes/east'); // those that are down come first
});

test('lists the names that are announced, those that fail first', async () => {
  serve({
    rule: '{{service}}.example.com',
    leading: true,
    items: [
      name('a.example.com', { goneSince: ago(3) }),
      name('b.example.com', { phase: 'announcing', error: 'REFUSED by 10.0.0.53', nextAttempt: new Date(Date.now() + 60_000).toISOString() }),
      name('c.example.com', { phase: 'withdrawing', error: 'rejected: 400' }),
    ],
  });
  renderAt('/sources');
  expect(await screen.findByText('{{service}}.example.com', {}, soon)).toBeTruthy();
  const failing = await row('b.example.com');
  expect(failing.textContent).toMatch(/being announced: failed.*REFUSED by 10\.0\.0\.53 tried again/);
  expect(within(failing).getByRole('link', { name: 'acme/api' }).getAttribute('href')).toBe('/upstreams/acme/api');
  expect((await row('c.example.com')).textContent).toContain('not tried again');
  expect((await row('a.example.com')).textContent).toContain('service is gone');
  const hosts = screen.getAllByText(/^[abc]\.example\.com$/).map((e) => e.textContent);
  expect(hosts).toEqual(['b.example.com', 'c.example.com', 'a.example.com']);
});

test('says who announces when this process does not, and that nobody does', async () => {
  serve({ rule: '{{service}}.example.com', leading: false, items: [] });
  const { unmount } = renderAt('/sources');
  expect(await screen.findByText(/Another process announces/, {}, soon)).toBeTruthy();
  unmount();
  serve({ rule: '', leading: false, items: [] });
  renderAt('/sources');
  expect(await screen.findByText(/No names are announced/, {}, soon)).toBeTruthy();
});

test('says that the store is away, and that names can not be read', async () => {
  server.use(
    answer('get', '/status', { ...sampleStatus, store: { mode: 'etcd', up: false, staleSince: ago(7) } }),
    refuse('get', '/names', 503, 'unavailable', 'the store is away'),
    eventStream().handler,
  );
  renderAt('/sources');
  expect(await screen.findByText(/Serving the last good copy/, {}, soon)).toBeTruthy();
  expect(await screen.findByText('the store is away', {}, soon)).toBeTruthy();
});

test('forbidden', async () => {
  serve();
  server.use(refuse('get', '/status', 403, 'forbidden', 'no right'));
  renderAt('/sources');
  expect(await screen.findByText('You may not see this', {}, soon)).toBeTruthy();
});
