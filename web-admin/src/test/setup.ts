import { cleanup, configure } from '@testing-library/react';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import { setLanguage, startI18n } from '../i18n';
import { token } from '../api/token';
import type { themeConfig } from '../ui/theme';
import { server } from './server';

// What antd asks of a browser and jsdom does not have. The window is 1280 px wide.
const width = 1280;
window.matchMedia = (query: string) => {
  const min = /min-width:\s*(\d+)/.exec(query);
  const max = /max-width:\s*([\d.]+)/.exec(query);
  const matches = min ? width >= Number(min[1]) : max ? width <= Number(max[1]) : false;
  return Object.assign(new EventTarget(), { matches, media: query, onchange: null, addListener: () => {}, removeListener: () => {} }) as MediaQueryList;
};
window.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
window.scrollTo = () => {};
const computed = window.getComputedStyle.bind(window);
// jsdom knows no pseudo-elements and says so at length.
window.getComputedStyle = (element: Element) => computed(element);

// Without antd's rules: jsdom goes through all of them for each element whose style is asked for,
// which is most of the time that a test of a dialog takes. What is hidden says so in its own style.
vi.mock('../ui/theme', async (original) => {
  const theme = await original<Record<string, unknown> & { themeConfig: typeof themeConfig }>();
  return { ...theme, themeConfig: (...wish: Parameters<typeof themeConfig>) => ({ ...theme.themeConfig(...wish), zeroRuntime: true }) };
});

// The machines that run this are shared and slow: what is waited for has half a minute, and not
// the second of the library.
configure({ asyncUtilTimeout: 30_000 });

beforeAll(async () => {
  server.listen({ onUnhandledRequest: 'error' });
  await startI18n();
});

afterEach(() => {
  cleanup();
  token.clear();
  server.resetHandlers();
  sessionStorage.clear();
  localStorage.clear();
  setLanguage('en');
});

afterAll(() => server.close());
