import type { TFunction } from 'i18next';
import type { EvidenceCounts } from '../../api/types';

const percent = (share: number) => Math.round(share * 100);

/** The numbers that an ejection was decided by, as facts; none without counts. */
export function countFacts(c: EvidenceCounts | undefined, t: TFunction): { label: string; value: string }[] {
  if (!c) return [];
  const facts = [{ label: t('evidence.counts'), value: t('evidence.countsText', { errors: c.errors, count: c.requests }) }];
  if (c.inARow) facts.push({ label: t('evidence.inARow'), value: String(c.inARow) });
  if (c.window && c.window !== '0s') facts.push({ label: t('evidence.window'), value: c.window });
  facts.push({ label: t('evidence.siblings'), value: t('evidence.siblingsText', { count: c.siblings, percent: percent(c.siblingsMedian) }) });
  if (c.latency) facts.push({ label: t('evidence.slow'), value: t('evidence.slowText', { own: c.latency, siblings: c.siblingsLatency ?? '-' }) });
  return facts;
}
