import { apiBase, authorization, authorizedFetch } from './client';
import type { ServerEvent } from './sse';
import { EventParser } from './sse';

export type LiveState =
  | { phase: 'connecting' }
  | { phase: 'live' }
  /** since is when the stream broke, in milliseconds; what is shown is from before. */
  | { phase: 'reconnecting'; since: number; attempt: number };

export interface StreamOptions {
  onEvent: (e: ServerEvent) => void;
  onState: (s: LiveState) => void;
  signal: AbortSignal;
  /** First wait before reconnecting; it doubles up to maxWait. Milliseconds. */
  firstWait?: number;
  maxWait?: number;
  /** The server pings every 15 s; a stream silent for longer than this is dead. */
  silence?: number;
}

/**
 * Follows /events until signal is aborted or the token is refused. EventSource can not
 * send an Authorization header, hence fetch.
 */
export async function followEvents(o: StreamOptions): Promise<void> {
  const { firstWait = 500, maxWait = 15_000, silence = 40_000 } = o;
  let brokenSince: number | undefined;
  let lastId = '';
  let attempt = 0;
  o.onState({ phase: 'connecting' });
  while (!o.signal.aborted) {
    const parser = new EventParser();
    parser.id = lastId;
    const ended = await readOnce(parser, o, silence, () => {
      attempt = 0;
      brokenSince = undefined;
      o.onState({ phase: 'live' });
    });
    lastId = parser.id;
    if (ended === 'refused' || aborted(o.signal)) return;
    brokenSince ??= Date.now();
    attempt++;
    o.onState({ phase: 'reconnecting', since: brokenSince, attempt });
    const wait = Math.min(maxWait, (parser.retry ?? firstWait) * 2 ** (attempt - 1));
    // Half of the wait is random, so that many tabs do not return in one instant.
    await sleep(wait / 2 + (Math.random() * wait) / 2, o.signal);
  }
}

// A function, since TypeScript takes a property that was false once for false for ever.
const aborted = (s: AbortSignal) => s.aborted;

async function readOnce(parser: EventParser, o: StreamOptions, silence: number, onOpen: () => void): Promise<'broken' | 'refused'> {
  const dead = new AbortController();
  const stop = () => dead.abort();
  o.signal.addEventListener('abort', stop);
  let timer = setTimeout(stop, silence);
  try {
    const headers: Record<string, string> = { ...authorization(), Accept: 'text/event-stream' };
    if (parser.id !== '') headers['Last-Event-ID'] = parser.id;
    const request = new Request(`${location.origin}${apiBase}/events`, { headers, signal: dead.signal, cache: 'no-store' });
    const response = await authorizedFetch(request);
    if (response.status === 401 || response.status === 403) return 'refused';
    if (!response.ok || !response.body) return 'broken';
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    // Not every fetch ends a body that is being read when its request is aborted.
    dead.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
    if (aborted(dead.signal)) return 'broken';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'broken';
      clearTimeout(timer);
      timer = setTimeout(stop, silence);
      for (const e of parser.push(value)) o.onEvent(e);
    }
  } catch {
    return 'broken';
  } finally {
    clearTimeout(timer);
    o.signal.removeEventListener('abort', stop);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
