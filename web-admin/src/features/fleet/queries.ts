import { keepPreviousData, queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { bundlesQuery, fleetsQuery, nodesQuery } from '../../api/reads';
import type { Node, TreeDiff } from '../../api/types';
import { nodeStates } from '../../api/types';
import type { FleetSearch } from './search';

export const useFleets = () => useQuery(fleetsQuery());

/** The nodes of a fleet. Silence sends no event, so they are also read now and then. */
export const useNodes = (fleet: string) => useQuery({ ...nodesQuery(fleet), refetchInterval: 15_000 });

/** The bundles that nodes should run, or should have run lately. */
export const useBundles = (fleet: string) => useQuery({ ...bundlesQuery(fleet), refetchInterval: 15_000 });

const diffQuery = (fleet: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['diff', fleet, from, to],
    queryFn: ({ signal }): Promise<TreeDiff> => unwrap(api.GET('/fleets/{fleet}/diff', { params: { path: { fleet }, query: { from, to } }, signal })),
    placeholderData: keepPreviousData,
  });

/** How one side differs from the other. */
export const useDiff = (fleet: string, from: string, to: string) => useQuery(diffQuery(fleet, from, to));

/** Nodes that fit every word, the worst state first. */
export function filterNodes(nodes: Node[], s: FleetSearch): Node[] {
  const words = (s.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return nodes
    .filter((n) => {
      if (s.state !== undefined && n.state !== s.state) return false;
      const text = [n.node, n.desired, n.onDisk, n.running, n.facts.nginxVersion].join(' ').toLowerCase();
      return words.every((w) => text.includes(w));
    })
    .sort((a, b) => nodeStates.indexOf(a.state) - nodeStates.indexOf(b.state) || (a.node < b.node ? -1 : 1));
}

export type TreeFormat = 'tar' | 'text';

export interface Download {
  /** NODE, desired:NODE or revision:DIGEST */
  of: string;
  format: TreeFormat;
}

/** Saves the files of a side. A plain link could not send the token. */
export const useDownload = (fleet: string) =>
  useMutation({
    mutationFn: async ({ of, format }: Download) => {
      const call = api.GET('/fleets/{fleet}/tree', { params: { path: { fleet }, query: { of, format } }, parseAs: 'blob' });
      const blob: unknown = await unwrap<unknown>(call);
      saveAs(blob as Blob, `${fleet}-${of}`.replace(/[^\w.-]/g, '_') + (format === 'tar' ? '.tar.gz' : '.conf'));
    },
  });

function saveAs(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  // The browser reads the URL after click() returns.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
