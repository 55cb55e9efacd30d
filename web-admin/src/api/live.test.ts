import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';
import { sampleEndpoint, sampleNode, sampleUpstream } from '../test/samples';
import { answer, refuse, server } from '../test/server';
import { Refresher, take } from './live';
import { nodesQuery, problemsQuery, shrinksQuery, upstreamsQuery } from './reads';

const event = (name: string, data: unknown) => ({ event: name, data: JSON.stringify(data), id: '1' });
const idle = { everything: () => {}, snapshot: () => {} };
const api = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:80'), sampleEndpoint('10.0.0.5:80')]);
const web = sampleUpstream('acme', 'web', [sampleEndpoint('10.0.1.4:80')]);

test('a verdict changes its endpoint and nothing else', () => {
  const cache = new QueryClient();
  cache.setQueryData(upstreamsQuery().queryKey, [api, web]);
  const verdict = { upstream: api.upstream.key, address: '10.0.0.5:80', state: 'ejected' as const, reason: '5 errors' };
  take(cache, idle, event('verdict', verdict));
  const views = cache.getQueryData(upstreamsQuery().queryKey);
  expect(views?.[0]?.upstream.endpoints.map((e) => e.verdict.state)).toEqual(['healthy', 'ejected']);
  expect(views?.[1]).toBe(web);
});

test('problems replace the list, a node replaces its row', () => {
  const cache = new QueryClient();
  cache.setQueryData(nodesQuery('shared').queryKey, [sampleNode('b', 'rolling')]);
  take(cache, idle, event('node', sampleNode('a', 'in_sync')));
  take(cache, idle, event('node', sampleNode('b', 'in_sync')));
  expect(cache.getQueryData(nodesQuery('shared').queryKey)?.map((n) => [n.node, n.state])).toEqual([['a', 'in_sync'], ['b', 'in_sync']]);
  const problem = { object: { kind: 'Tenant' as const, name: 'acme' }, code: 'host_taken', message: 'taken' };
  take(cache, idle, event('problems', { problems: [problem] }));
  expect(cache.getQueryData(problemsQuery().queryKey)).toEqual([problem]);
});

test('problems reach the upstreams that they are about, and what is kept is asked for again', () => {
  const cache = new QueryClient();
  cache.setQueryData(upstreamsQuery().queryKey, [api, web]);
  cache.setQueryData(shrinksQuery().queryKey, []);
  const problem = { object: { kind: 'Upstream', tenant: 'acme', name: 'api' }, code: 'shrink_held', message: 'kept' };
  take(cache, idle, event('problems', { problems: [problem] }));
  expect(cache.getQueryData(upstreamsQuery().queryKey)?.map((v) => v.problems)).toEqual([[problem], []]);
  expect(cache.getQueryData(upstreamsQuery().queryKey)?.[1]).toBe(web);
  expect(cache.getQueryState(shrinksQuery().queryKey)?.isInvalidated).toBe(true);
  take(cache, idle, event('problems', { problems: [] }));
  expect(cache.getQueryData(upstreamsQuery().queryKey)?.map((v) => v.problems)).toEqual([[], []]);
});

test('an event of a kind that is not known yet is let pass', () => {
  take(new QueryClient(), idle, event('weather', { rain: true }));
});

test('a few changed upstreams are read one by one: changed, new and gone', async () => {
  const cache = new QueryClient();
  cache.setQueryData(upstreamsQuery().queryKey, [api, web]);
  const changed = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.9:80')]);
  const fresh = sampleUpstream('acme', 'new', []);
  server.use(
    answer('get', '/tenants/{tenant}/upstreams/{upstream}/endpoints', (r) => (r.url.includes('/api/endpoints') ? changed : fresh)),
  );
  const refresh = new Refresher(cache, 1);
  const names = () => cache.getQueryData(upstreamsQuery().queryKey)?.map((v) => `${v.upstream.key.name} ${v.upstream.endpoints.length}`);
  refresh.snapshot([api.upstream.key, fresh.upstream.key]);
  await vi.waitFor(() => expect(names()).toEqual(['api 1', 'new 0', 'web 1']), { timeout: 20_000 });
  server.use(refuse('get', '/tenants/{tenant}/upstreams/{upstream}/endpoints', 404, 'not_found', 'gone'));
  refresh.snapshot([fresh.upstream.key]);
  await vi.waitFor(() => expect(names()).toEqual(['api 1', 'web 1']), { timeout: 20_000 });
});

test('many changed upstreams, or a resync, make the whole list old', async () => {
  const cache = new QueryClient();
  cache.setQueryData(upstreamsQuery().queryKey, [api]);
  cache.setQueryData(problemsQuery().queryKey, []);
  const old = (key: readonly unknown[]) => cache.getQueryState(key)?.isInvalidated;
  const refresh = new Refresher(cache, 1, 1);
  refresh.snapshot([api.upstream.key, web.upstream.key]);
  await vi.waitFor(() => expect(old(upstreamsQuery().queryKey)).toBe(true), { timeout: 20_000 });
  expect(old(problemsQuery().queryKey)).toBe(false);
  take(cache, refresh, event('snapshot', { resync: true, upstreams: [] }));
  await vi.waitFor(() => expect(old(problemsQuery().queryKey)).toBe(true), { timeout: 20_000 });
});

test('an answer that was under way when the stream opened is asked for again', async () => {
  const cache = new QueryClient();
  const asked: number[] = [];
  const observer = new QueryObserver(cache, {
    ...upstreamsQuery(),
    queryFn: async ({ signal }) => {
      asked.push(asked.length);
      if (asked.length > 1) return [web];
      return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    },
  });
  const stop = observer.subscribe(() => {});
  new Refresher(cache, 1).everything();
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toEqual([web]), { timeout: 20_000 });
  expect(asked).toEqual([0, 1]);
  stop();
});
