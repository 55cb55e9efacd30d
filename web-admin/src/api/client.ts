import createClient from 'openapi-fetch';
import type { paths } from './schema';
import { token } from './token';
import type { ErrorCode, ErrorDocument } from './types';

export const apiBase = '/api/v1';

/** An answer that is not a success, or no answer at all (status 0, code "unreachable"). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: ErrorCode | 'unreachable',
    message: string,
    readonly fields: { field: string; message: string }[] = [],
  ) {
    super(message);
    this.name = 'ApiError';
  }

  static from(status: number, body: unknown): ApiError {
    const doc = (typeof body === 'object' && body !== null ? body : {}) as Partial<ErrorDocument>;
    const text = typeof body === 'string' ? body.slice(0, 300) : '';
    const message = doc.detail || doc.title || text || `HTTP ${status}`;
    return new ApiError(status, doc.code ?? codeOf(status), message, doc.errors ?? []);
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 502 || status === 503 || status === 504) return 'unavailable';
  return status < 500 ? 'invalid' : 'internal';
}

export function authorization(): Record<string, string> {
  const t = token.get();
  return t ? { Authorization: `Bearer ${t}` } : {};
}

/** Fetch that turns "no answer" into an ApiError and a 401 into a visit to the login page. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const tried = request.headers.get('Authorization');
  const response = await globalThis.fetch(request).catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, 'unreachable', cause instanceof Error ? cause.message : String(cause));
  });
  // Only a refusal of the present token counts: an answer to an older one may come late.
  if (response.status === 401 && tried !== null && tried === authorization().Authorization) token.clear(true);
  return response;
}

export const api = createClient<paths>({ baseUrl: location.origin + apiBase, fetch: authorizedFetch });

api.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) {
      if (!request.headers.has(name)) request.headers.set(name, value);
    }
    return request;
  },
});

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of a successful call; anything else throws an ApiError. */
export async function unwrap<T>(call: Promise<Result<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok || data === undefined) throw ApiError.from(response.status, error);
  return data;
}
