import type { NodeState } from '../../api/types';
import { nodeStates } from '../../api/types';

export const fleetTabs = ['drift', 'history', 'tokens'] as const;
export type FleetTab = (typeof fleetTabs)[number];

export interface FleetSearch {
  fleet?: string;
  q?: string;
  state?: NodeState;
  /** The node whose details are open. */
  node?: string;
  /** Without it, the nodes. */
  tab?: FleetTab;
}

export interface DiffSearch {
  /** The left side: NODE, desired:NODE or revision:DIGEST. Without it, what the node on the right should have. */
  from?: string;
  /** The right side. */
  to?: string;
  file?: string;
  view?: 'split' | 'unified';
}

// Every key is always returned: the router lays the answer over what the address bar says,
// so only an explicit undefined takes a value away that does not fit. A number or a truth
// value typed into the address bar arrives parsed; it was meant as text.
const text = (v: unknown) => (typeof v === 'number' || typeof v === 'boolean' ? String(v) : typeof v === 'string' && v !== '' ? v : undefined);

export function fleetSearch(s: Record<string, unknown>): FleetSearch {
  return { fleet: text(s.fleet), q: text(s.q), state: nodeStates.find((n) => n === s.state), node: text(s.node), tab: fleetTabs.find((x) => x === s.tab) };
}

export function diffSearch(s: Record<string, unknown>): DiffSearch {
  const view = s.view === 'split' || s.view === 'unified' ? s.view : undefined;
  return { from: text(s.from), to: text(s.to), file: text(s.file), view };
}
