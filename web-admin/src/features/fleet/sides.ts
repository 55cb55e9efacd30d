import type { TFunction } from 'i18next';
import type { Bundle, Node } from '../../api/types';

// What can be compared and downloaded, as the API names it: NODE for the files that a node has,
// desired:NODE for those that it should have, revision:DIGEST for a bundle.

export const desiredOf = (node: string) => `desired:${node}`;
export const bundleOf = (digest: string) => `revision:${digest}`;

export type Side = { kind: 'node'; node: string } | { kind: 'desired'; node: string } | { kind: 'revision'; digest: string };

export function parseSide(of: string): Side {
  const [, kind, name = ''] = /^(desired|revision):(.*)$/s.exec(of) ?? [];
  if (kind === 'desired') return { kind, node: name };
  return kind === 'revision' ? { kind, digest: name } : { kind: 'node', node: of };
}

/** "edge-1, on disk", "desired for edge-1" or "revision 13 · 9f3a07be · for edge-1". */
export function sideText(of: string, bundles: Bundle[], t: TFunction): string {
  const side = parseSide(of);
  if (side.kind === 'node') return t('diff.onDiskOf', { node: side.node });
  if (side.kind === 'desired') return t('diff.desiredOf', { node: side.node });
  const bundle = bundles.find((b) => b.digest === side.digest);
  const parts = [bundle?.revisions.length ? t('fleet.revision', { n: bundle.revisions.join(', ') }) : t('diff.revisionUnknown'), side.digest.slice(0, 8)];
  const nodes = bundle ? alike(bundle, bundles) : [];
  if (nodes.length > 0) parts.push(t(nodes.length > 1 ? 'diff.bundleForMany' : 'diff.bundleForOne', { count: nodes.length, node: nodes[0] }));
  return parts.join(' · ');
}

/** The nodes that a bundle is or was for: those with its facts. */
const alike = (b: Bundle, bundles: Bundle[]) => [...new Set(bundles.filter((o) => o.facts === b.facts).flatMap((o) => o.nodes))].sort();

/** Bundles of two revisions for nodes that are alike, if both are still known. */
export function bundlesOf(from: number, to: number, bundles: Bundle[]): [Bundle, Bundle] | undefined {
  const [lefts, rights] = [from, to].map((n) => bundles.filter((b) => b.revisions.includes(n)));
  for (const right of rights ?? []) {
    const left = lefts?.find((l) => l.facts === right.facts && l.digest !== right.digest);
    if (left) return [left, right];
  }
  return undefined;
}

/** What a side can be chosen from, in groups. The side that is chosen is always among them. */
export function sideOptions(nodes: Node[], bundles: Bundle[], chosen: string | undefined, t: TFunction) {
  const group = (label: string, of: string[]) => ({ label, title: label, options: of.map((value) => ({ value, label: sideText(value, bundles, t) })) });
  const names = nodes.map((n) => n.node);
  const groups = [
    group(t('diff.groupDisk'), names),
    group(t('diff.groupDesired'), names.map(desiredOf)),
    group(t('diff.groupRevisions'), bundles.map((b) => bundleOf(b.digest))),
  ];
  const known = groups.some((g) => g.options.some((o) => o.value === chosen));
  return chosen === undefined || known ? groups : [group(t('diff.groupOther'), [chosen]), ...groups];
}
