import type { HealthState } from '../../api/types';
import { healthStates } from '../../api/types';

/** "trouble" is anything that somebody should look at; "out" is out of rotation. */
export type StateFilter = HealthState | 'trouble' | 'out';
export const stateFilters: StateFilter[] = ['trouble', 'out', ...healthStates];

export interface UpstreamsSearch {
  q?: string;
  tenant?: string;
  state?: StateFilter;
}

export interface UpstreamSearch {
  state?: HealthState | 'out';
  /** The endpoint whose evidence is open. */
  endpoint?: string;
  /** The endpoint whose transitions are listed; all without it. */
  log?: string;
}

// Every key is always returned: the router lays the answer over what the address bar says,
// so only an explicit undefined takes a value away that does not fit. A number or a truth
// value typed into the address bar arrives parsed; it was meant as text.
const text = (v: unknown) => (typeof v === 'number' || typeof v === 'boolean' ? String(v) : typeof v === 'string' && v !== '' ? v : undefined);
const oneOf = <T extends string>(all: readonly T[], v: unknown) => all.find((s) => s === v);

export function upstreamsSearch(s: Record<string, unknown>): UpstreamsSearch {
  return { q: text(s.q), tenant: text(s.tenant), state: oneOf(stateFilters, s.state) };
}

export function upstreamSearch(s: Record<string, unknown>): UpstreamSearch {
  return { state: oneOf<HealthState | 'out'>(['out', ...healthStates], s.state), endpoint: text(s.endpoint), log: text(s.log) };
}
