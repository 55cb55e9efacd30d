import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { Upstream, UpstreamKey, WriteResult } from '../../api/types';
import type { Place } from './places';

/** The upstream as somebody wrote it, read anew for each edit. */
export function useWritten({ tenant, name }: UpstreamKey) {
  return useQuery({
    queryKey: ['written', tenant, name],
    queryFn: ({ signal }) => unwrap(api.GET('/tenants/{tenant}/upstreams/{upstream}', { params: { path: { tenant, upstream: name } }, signal })),
    staleTime: Infinity, // an edit goes on from what it began with
    gcTime: 0,
  });
}

/** Writes the places of an upstream, or works out what that would do. Whoever was faster is not overwritten. */
export function useSavePlaces(dryRun: boolean) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ written: u, places }: { written: Upstream; places: Place[] }): Promise<WriteResult> => {
      const spec = { ...u.spec };
      if (places.length > 0) spec.discover = places;
      else delete spec.discover;
      return unwrap(
        api.PUT('/tenants/{tenant}/upstreams/{upstream}', {
          params: { path: { tenant: u.tenant, upstream: u.name }, query: { dryRun }, header: { 'If-Match': `"${u.revision}"` } },
          body: { ...u, spec },
        }),
      );
    },
    onSuccess: () => (dryRun ? undefined : cache.invalidateQueries({ queryKey: ['upstreams'] })),
  });
}
