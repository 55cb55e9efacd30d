export interface RoutesSearch {
  q?: string;
  tenant?: string;
  /** Only those that nobody wrote. */
  derived?: true;
}

// A number or a truth value typed into the address bar arrives parsed; it was meant as text.
const text = (v: unknown) => (typeof v === 'number' || typeof v === 'boolean' ? String(v) : typeof v === 'string' && v !== '' ? v : undefined);

/** Every key is always returned, so that one that does not fit is taken out of the address bar. */
export function routesSearch(s: Record<string, unknown>): RoutesSearch {
  return { q: text(s.q), tenant: text(s.tenant), derived: s.derived === true ? true : undefined };
}
