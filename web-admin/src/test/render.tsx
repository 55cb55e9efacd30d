import { createMemoryHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
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
