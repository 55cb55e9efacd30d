import type { ThemeConfig } from 'antd';
import { theme } from 'antd';
import { useEffect, useSyncExternalStore } from 'react';

export type Appearance = 'light' | 'dark' | 'system';

const key = 'sluice.appearance';
const listeners = new Set<() => void>();
const systemDark = () => matchMedia('(prefers-color-scheme: dark)');

function subscribe(f: () => void) {
  const media = systemDark();
  listeners.add(f);
  media.addEventListener('change', f);
  return () => {
    listeners.delete(f);
    media.removeEventListener('change', f);
  };
}

export function appearance(): Appearance {
  const stored = localStorage.getItem(key);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export function setAppearance(a: Appearance) {
  localStorage.setItem(key, a);
  listeners.forEach((f) => f());
}

const isDark = () => (appearance() === 'system' ? systemDark().matches : appearance() === 'dark');

export const useAppearance = () => useSyncExternalStore(subscribe, appearance);

/** Whether the page is dark now; also tells the style sheet. */
export function useDark(): boolean {
  const dark = useSyncExternalStore(subscribe, isDark);
  useEffect(() => {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }, [dark]);
  return dark;
}

const systemStill = () => matchMedia('(prefers-reduced-motion: reduce)');

function subscribeStill(f: () => void) {
  const media = systemStill();
  media.addEventListener('change', f);
  return () => media.removeEventListener('change', f);
}

/** Whether the person has asked their system for less motion. */
export const useStill = () => useSyncExternalStore(subscribeStill, () => systemStill().matches);

// System fonts only: font-src stays 'self' and nothing is fetched at night. CJK faces are
// named after the Latin ones, so that digits and addresses come from the Latin face.
const sans =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const mono = 'ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono CJK SC", monospace';

export function themeConfig(dark: boolean, still: boolean): ThemeConfig {
  return {
    algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
    token: {
      colorPrimary: dark ? '#2aa198' : '#0f766e',
      colorLink: dark ? '#4cc2b8' : '#0b6b63',
      colorBgLayout: dark ? '#101416' : '#f3f5f6',
      colorBgContainer: dark ? '#171c1f' : '#ffffff',
      colorBgElevated: dark ? '#1d2427' : '#ffffff',
      borderRadius: 4,
      fontSize: 13,
      fontFamily: sans,
      fontFamilyCode: mono,
      // Without motion at all, a dialog does not give its first field the focus.
      ...(still
        ? { motionDurationFast: '1ms', motionDurationMid: '1ms', motionDurationSlow: '1ms' }
        : { motionDurationMid: '0.1s', motionDurationSlow: '0.15s' }),
    },
    components: {
      Table: { cellPaddingBlockSM: 6, cellPaddingInlineSM: 10, headerBg: dark ? '#1d2427' : '#f8f9fa', headerSplitColor: 'transparent' },
    },
  };
}
