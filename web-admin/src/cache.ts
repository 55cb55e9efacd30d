import { QueryClient } from '@tanstack/react-query';
import { ApiError } from './api/client';

/** The cache of the server's answers. Events keep it current, so answers stay fresh for long. */
export function newCache(retryDelay = (attempt: number) => Math.min(15_000, 1000 * 2 ** attempt)): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        // "always": the browser's idea of being online says nothing about loopback.
        networkMode: 'always',
        retry: (failures, error) => passes(error) && failures < 2,
        retryDelay,
        // What could not be read is tried again until it can: nobody presses F5 at night.
        refetchInterval: (query) => (query.state.error && passes(query.state.error) ? 5000 : false),
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}

// What may pass by itself: no answer, or a server that is not ready.
const passes = (e: Error) => e instanceof ApiError && (e.code === 'unreachable' || e.code === 'unavailable');
