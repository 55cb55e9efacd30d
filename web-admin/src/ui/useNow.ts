import { useSyncExternalStore } from 'react';

// One timer for all spans on the page: they tick together, and none runs while nobody looks.
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(f: () => void) {
  listeners.add(f);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((l) => l());
  }, 1000);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The present, once a second, in milliseconds. */
export const useNow = () => useSyncExternalStore(subscribe, () => (timer === undefined ? (now = Math.floor(Date.now() / 1000) * 1000) : now));
