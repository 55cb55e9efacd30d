import { keepPreviousData, queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { fleetsQuery, nodesQuery } from '../../api/reads';
import type { Node, TreeDiff, TreeKind } from '../../api/types';
import { nodeStates } from '../../api/types';
import type { FleetSearch } from './search';

export const useFleets = () => useQuery(fleetsQuery());

/** The nodes of a fleet. Silence sends no event, so they are also read now and then. */
export const useNodes = (fleet: string) => useQuery({ ...nodesQuery(fleet), refetchInterval: 15_000 });

const diffQuery = (fleet: string, node: string, other: string | undefined) =>
  queryOptions({
    queryKey: ['diff', fleet, node, other ?? ''],
    queryFn: ({ signal }): Promise<TreeDiff> => {
      const query = other === undefined ? { node } : { node, other };
      return unwrap(api.GET('/fleets/{fleet}/diff', { params: { path: { fleet }, query }, signal }));
    },
    placeholderData: keepPreviousData,
  });

/** How node (right) differs from other, or from what it should have (left). */
export const useDiff = (fleet: string, node: string, other: string | undefined) => useQuery(diffQuery(fleet, node, other));

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

export interface Download {
  node: Node;
  which: TreeKind;
}

/** Saves a node's tree as a file. A plain link could not send the token. */
export const useDownload = () =>
  useMutation({
    mutationFn: async ({ node: n, which }: Download) => {
      const path = { fleet: n.fleet, node: n.node };
      const call = api.GET('/fleets/{fleet}/nodes/{node}/tree.tar.gz', { params: { path, query: { which } }, parseAs: 'blob' });
      saveAs(await unwrap(call), `${n.fleet}-${n.node}-${which}.tar.gz`);
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
