import type { TFunction } from 'i18next';

const two = (n: number) => String(n).padStart(2, '0');

/** "03:12:44", with the date in front when it is not today. Local time, 24 hours. */
export function clock(at: Date, now: Date): string {
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return time;
  const date = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return at.getFullYear() === now.getFullYear() ? `${date} ${time}` : `${at.getFullYear()}-${date} ${time}`;
}

/** The whole instant with its offset, for tooltips: "2026-11-21 03:12:44 +08:00". */
export function instant(at: Date): string {
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const abs = Math.abs(offset);
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${date} ${time} ${sign}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

/** A span in its two largest units: "4m 12s". Negative spans (skewed clocks) are zero. */
export function span(ms: number, t: TFunction): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return t('common.second', { s });
  if (s < 3600) return t('common.minute', { m: Math.floor(s / 60), s: s % 60 });
  if (s < 86400) return t('common.hour', { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return t('common.day', { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}
