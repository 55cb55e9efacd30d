import { useSyncExternalStore } from 'react';

// The token lives in sessionStorage: it survives a reload and ends with the tab, and no
// other site can make the browser send it, which a cookie could not promise.
const key = 'sluice.token';
const listeners = new Set<() => void>();
let refused = false;

export const token = {
  get: () => sessionStorage.getItem(key),

  set(value: string) {
    refused = false;
    sessionStorage.setItem(key, value);
    listeners.forEach((f) => f());
  },

  /** Forgets the token; refusedByServer makes the login page say why it is shown. */
  clear(refusedByServer = false) {
    if (sessionStorage.getItem(key) === null) return;
    refused = refusedByServer;
    sessionStorage.removeItem(key);
    listeners.forEach((f) => f());
  },

  wasRefused: () => refused,

  subscribe(f: () => void) {
    listeners.add(f);
    return () => {
      listeners.delete(f);
    };
  },
};

export const useToken = () => useSyncExternalStore((f) => token.subscribe(f), () => token.get());
