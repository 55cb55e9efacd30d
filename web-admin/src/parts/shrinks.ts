import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../api/client';
import { shrinksQuery } from '../api/reads';
import type { Shrink, UpstreamKey } from '../api/types';
import { keyText } from '../api/types';

/** What is kept of one upstream: it is settled as a whole. */
export interface Loss {
  upstream: UpstreamKey;
  shrinks: Shrink[];
  lost: number;
  of: number;
  kept: string[];
  /** When the first of it is let go. */
  until: string;
}

/** The losses by upstream, of one of them or of all. */
export function losses(shrinks: Shrink[], only?: UpstreamKey): Loss[] {
  const of = new Map<string, Loss>();
  for (const s of shrinks) {
    if (only && keyText(only) !== keyText(s.upstream)) continue;
    const l = of.get(keyText(s.upstream)) ?? { upstream: s.upstream, shrinks: [], lost: 0, of: 0, kept: [], until: s.until };
    l.shrinks.push(s);
    l.lost += s.lost;
    l.of += s.of;
    l.kept = [...new Set([...l.kept, ...s.kept])];
    if (Date.parse(s.until) < Date.parse(l.until)) l.until = s.until;
    of.set(keyText(s.upstream), l);
  }
  return [...of.values()];
}

export const useShrinks = () => useQuery(shrinksQuery());

export type Settlement = 'accept' | 'hold';

/** Lets go of what is kept of an upstream, or holds on to it. */
export function useSettle({ tenant, name }: UpstreamKey) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (action: Settlement) =>
      unwrap(api.POST('/tenants/{tenant}/upstreams/{upstream}/shrink', { params: { path: { tenant, upstream: name } }, body: { action } })),
    // Also after a failure: most often it is over already.
    onSettled: () => Promise.all(['shrinks', 'problems', 'upstreams'].map((noun) => cache.invalidateQueries({ queryKey: [noun] }))),
  });
}
