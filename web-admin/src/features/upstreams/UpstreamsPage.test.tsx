import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import { renderAt, streaming } from '../../test/render';
import { sampleEndpoint, sampleUpstream } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const api = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), sampleEndpoint('10.0.0.5:8080', 'ejected')]);
const web = sampleUpstream('acme', 'web', [sampleEndpoint('10.0.1.4:3000', 'healthy', { zone: 'north' })]);
const search = sampleUpstream('globex', 'search', [sampleEndpoint('10.2.0.4:9200', 'down')], { routes: ['find'] });

function serve() {
  const stream = eventStream();
  server.use(answer('get', '/upstreams', { generation: 1, items: [api, web, search] }), stream.handler);
  return stream;
}

const rows = () => screen.getAllByRole('row').slice(1).map((r) => within(r).getByRole('link').textContent);

test('lists every upstream with its counts', async () => {
  serve();
  renderAt('/upstreams');
  const row = (await screen.findByRole('link', { name: 'acme/api' }, soon)).closest('tr') as HTMLElement;
  expect(row.textContent).toContain('1 / 2');
  expect(rows()).toEqual(['acme/api', 'acme/web', 'globex/search']);
  expect(screen.getByText('none in rotation')).toBeTruthy();
});

test.each([
  ['q=10.2.0', ['globex/search']],
  ['q=NORTH', ['acme/web']],
  ['q=find', ['globex/search']],
  ['tenant=acme', ['acme/api', 'acme/web']],
  ['state=trouble', ['acme/api', 'globex/search']],
  ['state=down', ['globex/search']],
  ['tenant=acme&state=out', ['acme/api']],
  ['state=nonsense', ['acme/api', 'acme/web', 'globex/search']],
])('filters by the URL: %s', async (query, want) => {
  serve();
  renderAt(`/upstreams?${query}`);
  await waitFor(() => expect(rows()).toEqual(want), soon);
});

test('what is typed goes to the URL, and can be cleared', async () => {
  serve();
  const { user, router } = renderAt('/upstreams');
  await user.type(await screen.findByRole('textbox', { name: /Name, address/ }, soon), 'web');
  await waitFor(() => expect(rows()).toEqual(['acme/web']), soon);
  expect(router.state.location.search).toEqual({ q: 'web' });
  await user.click(screen.getByRole('button', { name: 'Clear filters' }));
  await waitFor(() => expect(rows()).toHaveLength(3), soon);
});

test('a verdict from the stream changes the counts', async () => {
  const stream = serve();
  const { cache } = renderAt('/upstreams?state=ejected');
  await waitFor(() => expect(rows()).toEqual(['acme/api']), soon);
  await streaming(cache);
  stream.send('verdict', { upstream: web.upstream.key, address: '10.0.1.4:3000', state: 'ejected' });
  await waitFor(() => expect(rows()).toEqual(['acme/api', 'acme/web']), soon);
});

test('empty says what to do', async () => {
  server.use(answer('get', '/upstreams', { generation: 1, items: [] }), eventStream().handler);
  renderAt('/upstreams');
  expect(await screen.findByText(/sluice apply -f FILE/, {}, soon)).toBeTruthy();
});

test('an error keeps what was there and says that it is old', async () => {
  serve();
  const { cache } = renderAt('/upstreams');
  await waitFor(() => expect(rows()).toHaveLength(3), soon);
  server.use(refuse('get', '/upstreams', 500, 'internal', 'the loop stopped'));
  await cache.invalidateQueries({ queryKey: ['upstreams'] });
  expect(await screen.findByText('the loop stopped', {}, soon)).toBeTruthy();
  expect(rows()).toHaveLength(3);
});

test('an error without an answer before', async () => {
  server.use(refuse('get', '/upstreams', 503, 'unavailable', 'no snapshot yet'), eventStream().handler);
  renderAt('/upstreams');
  expect(await screen.findByText('no snapshot yet', {}, soon)).toBeTruthy();
});
