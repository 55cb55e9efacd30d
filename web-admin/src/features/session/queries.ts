import { ApiError, apiBase } from '../../api/client';

/** Asks the server who the token belongs to. Throws an ApiError when it belongs to nobody. */
export async function tryToken(token: string): Promise<void> {
  // Not by the api client: a refusal here is an answer to a form, not the end of a session.
  const response = await fetch(`${location.origin}${apiBase}/session`, { headers: { Authorization: `Bearer ${token}` } }).catch(
    (cause: unknown) => {
      throw new ApiError(0, 'unreachable', String(cause));
    },
  );
  if (!response.ok) throw ApiError.from(response.status, await response.json().catch(() => undefined));
}
