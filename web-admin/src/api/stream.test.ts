import { afterEach, expect, test, vi } from 'vitest';
import { eventStream, refuse, server } from '../test/server';
import type { ServerEvent } from './sse';
import type { LiveState } from './stream';
import { followEvents } from './stream';
import { token } from './token';

let stop = new AbortController();
afterEach(() => stop.abort());

function follow(more: { silence?: number } = {}) {
  stop = new AbortController();
  const events: ServerEvent[] = [];
  const states: LiveState[] = [];
  const done = followEvents({
    onEvent: (e) => events.push(e),
    onState: (s) => states.push(s),
    signal: stop.signal,
    firstWait: 5,
    maxWait: 20,
    ...more,
  });
  return { events, states, done };
}

const soon = { timeout: 20_000 };

test('sends the token, and after a break the last id', async () => {
  const stream = eventStream();
  server.use(stream.handler);
  token.set('secret');
  const { events, states } = follow();
  await vi.waitFor(() => expect(states.at(-1)).toEqual({ phase: 'live' }), soon);
  expect(stream.requests[0]?.headers.get('Authorization')).toBe('Bearer secret');
  expect(stream.requests[0]?.headers.get('Last-Event-ID')).toBeNull();
  stream.send('snapshot', { generation: 1 }, '41');
  await vi.waitFor(() => expect(events).toHaveLength(1), soon);
  stream.end();
  await vi.waitFor(() => expect(stream.requests).toHaveLength(2), soon);
  expect(stream.requests[1]?.headers.get('Last-Event-ID')).toBe('41');
  await vi.waitFor(() => expect(states.at(-1)).toEqual({ phase: 'live' }), soon);
  expect(states.map((s) => s.phase)).toEqual(['connecting', 'live', 'reconnecting', 'live']);
});

test('keeps one "since" over several failed attempts', async () => {
  server.use(refuse('get', '/events', 503, 'unavailable', 'starting'));
  token.set('secret');
  const { states } = follow();
  await vi.waitFor(() => expect(states.length).toBeGreaterThan(4), soon);
  const broken = states.filter((s) => s.phase === 'reconnecting');
  expect(new Set(broken.map((s) => s.since)).size).toBe(1);
  expect(broken.map((s) => s.attempt).slice(0, 4)).toEqual([1, 2, 3, 4]);
});

test('takes a silent stream for dead', async () => {
  const stream = eventStream();
  server.use(stream.handler);
  token.set('secret');
  follow({ silence: 50 });
  await vi.waitFor(() => expect(stream.requests.length).toBeGreaterThan(1), soon);
});

test('gives up when the token is refused, and forgets it', async () => {
  server.use(refuse('get', '/events', 401, 'unauthorized', 'unknown token'));
  token.set('old');
  const { done } = follow();
  await done;
  expect(token.get()).toBeNull();
  expect(token.wasRefused()).toBe(true);
});
