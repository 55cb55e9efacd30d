import type { HttpHandler } from 'msw';
import { delay, http, HttpResponse } from 'msw';
import { setupServer } from 'msw/node';
import type { paths } from '../api/schema';
import type { ErrorCode, ErrorDocument } from '../api/types';
import { sampleHealth } from './samples';

const base = `${location.origin}/api/v1`;

type Method = 'get' | 'post' | 'put' | 'delete';
type Ok<P extends keyof paths, M extends Method> = paths[P] extends Record<M, { responses: { 200: { content: { 'application/json': infer T } } } }> ? T : never;

// "/tenants/{tenant}" of the specification is "/tenants/:tenant" for msw.
const url = (path: string) => base + path.replace(/\{(\w+)\}/g, ':$1');

/** Answers an operation with a body that the specification allows. */
export function answer<P extends keyof paths, M extends Method>(method: M, path: P, body: Ok<P, M> | ((request: Request) => Ok<P, M> | Promise<Ok<P, M>>)): HttpHandler {
  return http[method](url(path), async ({ request }) => {
    const value = typeof body === 'function' ? await (body as (request: Request) => Ok<P, M> | Promise<Ok<P, M>>)(request) : body;
    return HttpResponse.json(value as object);
  });
}

/** Answers an operation with a problem document. */
export function refuse(method: Method, path: keyof paths, status: number, code: ErrorCode, detail: string, errors?: ErrorDocument['errors']): HttpHandler {
  const doc: ErrorDocument = { type: 'about:blank', title: code, status, code, detail, ...(errors ? { errors } : {}) };
  return http[method](url(path), () => HttpResponse.json(doc, { status, headers: { 'Content-Type': 'application/problem+json' } }));
}

/** An operation that never answers. */
export function hang(path: keyof paths): HttpHandler {
  return http.get(url(path), async () => {
    await delay('infinite');
    return HttpResponse.json({});
  });
}

/** A stream of events that the test feeds. */
export function eventStream() {
  const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const requests: Request[] = [];
  const handler = http.get(url('/events'), ({ request }) => {
    requests.push(request);
    let mine: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        mine = c;
        open.add(c);
      },
      cancel: () => void open.delete(mine),
    });
    return new HttpResponse(body, { headers: { 'Content-Type': 'text/event-stream' } });
  });
  const write = (text: string) => open.forEach((c) => c.enqueue(new TextEncoder().encode(text)));
  return {
    handler,
    requests,
    isOpen: () => open.size > 0,
    send: (event: string, data: unknown, id?: string) => write(`event: ${event}\n${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(data)}\n\n`),
    /** Ends every open stream, as a restarting server does. */
    end: () => {
      open.forEach((c) => c.close());
      open.clear();
    },
  };
}

// What pages ask for whatever they show.
export const server = setupServer(
  answer('get', '/shrinks', { items: [] }),
  answer('get', '/problems', { items: [] }),
  answer('get', '/alerts', { items: [], receivers: [] }),
  answer('get', '/tenants/{tenant}/upstreams/{upstream}/health', sampleHealth()),
  answer('get', '/health/events', { items: [] }),
  answer('get', '/fleets/{fleet}/rollouts', { items: [] }),
  answer('get', '/fleets/{fleet}/bundles', { items: [] }),
  answer('get', '/fleets/{fleet}/groups', { fleet: 'shared', summary: '', groups: [] }),
);
