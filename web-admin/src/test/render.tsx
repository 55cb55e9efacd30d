import { createMemoryHistory } from '@tanstack/react-router';
import type { QueryClient } from '@tanstack/react-query';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect } from 'vitest';
import { App } from '../App';
import { token } from '../api/token';
import { newCache } from '../cache';
import { newRouter } from '../router';

/** Renders the whole UI at an address, logged in unless the token is null. */
export function renderAt(address: string, { as = 'secret' }: { as?: string | null } = {}) {
  if (as !== null) token.set(as);
  const router = newRouter(createMemoryHistory({ initialEntries: [address] }));
  const cache = newCache(() => 10);
  const view = render(<App cache={cache} router={router} />);
  return { ...view, router, cache, user: userEvent.setup() };
}

/**
 * Waits until the stream is open and what is read again for that has arrived: an answer that is
 * still under way would undo what a test's event says. (A server would tell the same in both.)
 */
export async function streaming(cache: QueryClient) {
  await screen.findByText('live');
  // The refresher's timer was set before the page said so, and its reads begin in one turn.
  for (let i = 0; i < 2; i++) await new Promise((r) => setTimeout(r));
  await waitFor(() => expect(cache.isFetching()).toBe(0));
}
