import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { groupsQuery } from '../../api/reads';
import type { FleetDrift, Node, NodeHunk, SettleAction, SettleRequest } from '../../api/types';

/** How the nodes of a fleet differ. Reports that change it are events; the rest is for a broken stream. */
export const useGroups = (fleet: string) => useQuery({ ...groupsQuery(fleet), refetchInterval: 15_000 });

/** The hunks of all groups, each once with all of its nodes; what people did before what the fleet does itself. */
export function hunksOf(drift: FleetDrift): NodeHunk[] {
  const byId = new Map<string, NodeHunk>();
  for (const h of drift.groups.flatMap((g) => g.hunks ?? [])) {
    const known = byId.get(h.id);
    byId.set(h.id, known ? { ...known, on: [...known.on, ...h.on] } : h);
  }
  const kinds: NodeHunk['kind'][] = ['by_hand', 'outside', 'rendered'];
  return [...byId.values()].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** How many hunks somebody has to look at: not those that are allowed everywhere, nor what the nodes should have. */
export const openHunks = (drift: FleetDrift) => hunksOf(drift).filter((h) => h.kind !== 'rendered' && h.on.some((n) => !n.allowed)).length;

/** Other edits of the files that h is in: they go with the bundle in which h is adopted, unless they are adopted with it. */
export const besides = (hunks: NodeHunk[], h: NodeHunk) =>
  hunks.filter((o) => o.id !== h.id && o.kind === 'by_hand' && o.path === h.path && o.on.some((n) => !n.allowed && h.on.some((m) => m.node === n.node)));

/** What can be done about a hunk. The server gives its reasons when it refuses all the same. */
export function settlements(h: NodeHunk): SettleAction[] {
  if (h.kind === 'rendered') return [];
  return h.kind === 'outside' ? ['revert'] : ['revert', 'adopt', 'allow'];
}

export interface SettleCall {
  request: SettleRequest;
  dryRun: boolean;
}

/** Settles a hunk, or says what that would write. */
export function useSettle(fleet: string, hunk: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ request, dryRun }: SettleCall) =>
      unwrap(api.POST('/fleets/{fleet}/drift/{hunk}', { params: { path: { fleet, hunk }, query: { dryRun } }, body: request })),
    onSettled: (_result, _error, call) => (call.dryRun ? undefined : Promise.all(['groups', 'nodes'].map((noun) => cache.invalidateQueries({ queryKey: [noun, fleet] })))),
  });
}

export interface Answer {
  node: string;
  hunk: string;
  error: string | undefined;
  at: string;
}

/** What nodes answered when they were asked to take an edit back, the newest first. */
export const answers = (nodes: Node[]): Answer[] =>
  nodes.flatMap((n) => (n.settled ?? []).map((s) => ({ node: n.node, hunk: s.hunk, error: s.error, at: s.at }))).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));

const lines = (text: string | undefined) => (text ? text.replace(/\n$/, '').split('\n') : []);

/** The hunk as a unified diff. */
export function unified(h: NodeHunk): string {
  const place = (line: number | undefined, count: number) => `${line ?? 0},${count}`;
  const [old, now] = [lines(h.old), lines(h.new)];
  return [`@@ -${place(h.oldLine, old.length)} +${place(h.newLine, now.length)} @@`, ...old.map((l) => `-${l}`), ...now.map((l) => `+${l}`)].join('\n');
}

export interface Side {
  line: number | undefined;
  text: string;
}

/** The hunk's lines beside each other; undefined where a side has none. */
export function rows(h: NodeHunk): [Side | undefined, Side | undefined][] {
  const number = (texts: string[], first: number | undefined): Side[] => texts.map((text, i) => ({ text, line: first ? first + i : undefined }));
  const old = number(lines(h.old), h.oldLine);
  const now = number(lines(h.new), h.newLine);
  return Array.from({ length: Math.max(old.length, now.length) }, (_, i) => [old[i], now[i]]);
}
