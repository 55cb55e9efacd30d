import type { Discover } from '../../api/types';

export type PlaceKind = 'kubernetes' | 'etcd' | 'dns' | 'manual';

/** How a place mixes with the others. */
interface Mixing {
  precedence?: number | null;
  weight?: number | null;
  priority?: number | null;
}

/** An entry of spec.discover. "manual" stands for the endpoints given by hand. */
export type Place = Discover & { manual?: object; precedence?: number; weight?: number; priority?: number };

/** One row of the form. What was typed for another kind stays, and is not sent. */
export interface PlaceRow extends Mixing {
  kind: PlaceKind;
  kubernetes?: { cluster?: string; namespace?: string; service?: string; port?: string };
  etcd?: { registry?: string; prefix?: string };
  dns?: { resolver?: string; name?: string; type?: 'A' | 'AAAA' | 'SRV' | ''; port?: number | null };
}

export interface DiscoverForm {
  discover: PlaceRow[];
}

/** The fields of each kind, in the order of the form. */
export const placeFields: Record<PlaceKind, string[]> = {
  kubernetes: ['cluster', 'namespace', 'service', 'port'],
  etcd: ['registry', 'prefix'],
  dns: ['resolver', 'name', 'type', 'port'],
  manual: [],
};

const mixing: (keyof Mixing)[] = ['precedence', 'weight', 'priority'];

export function rowOf(p: Place): PlaceRow {
  const { kubernetes, etcd, dns, precedence, weight, priority } = p;
  const mix = { precedence: precedence ?? null, weight: weight ?? null, priority: priority ?? null };
  if (kubernetes) return { kind: 'kubernetes', kubernetes, ...mix };
  if (etcd) return { kind: 'etcd', etcd, ...mix };
  if (dns) return { kind: 'dns', dns: { type: '', ...dns }, ...mix };
  return { kind: 'manual', ...mix };
}

const trimmed = (v: string | undefined) => v?.trim() || undefined;

/** Fields left empty are left out, so that the server's defaults count. */
export function placeOf(r: PlaceRow): Place {
  const mix = Object.fromEntries(mixing.map((m) => [m, r[m]]).filter(([, v]) => typeof v === 'number')) as Partial<Place>;
  return { ...mix, ...what(r) };
}

function what(r: PlaceRow): Place {
  switch (r.kind) {
    case 'kubernetes': {
      const k = r.kubernetes ?? {};
      return { kubernetes: present({ cluster: trimmed(k.cluster), namespace: k.namespace?.trim() ?? '', service: k.service?.trim() ?? '', port: trimmed(k.port) }) };
    }
    case 'etcd':
      return { etcd: present({ registry: trimmed(r.etcd?.registry), prefix: r.etcd?.prefix?.trim() ?? '' }) };
    case 'dns': {
      const d = r.dns ?? {};
      // The port of another type that was chosen before does not count.
      const port = d.type === 'SRV' ? undefined : (d.port ?? undefined);
      return { dns: present({ resolver: trimmed(d.resolver), name: d.name?.trim() ?? '', type: d.type || undefined, port }) };
    }
    case 'manual':
      return { manual: {} };
  }
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

// Without the keys that have no value: an absent key and an undefined one are not the same.
const present = <T extends object>(o: T) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as Present<T>;

export type FieldName = (string | number)[];

export interface Complaint {
  name: FieldName;
  errors: string[];
}

/**
 * Puts what the server says about fields to the fields of the form. What is about an entry as a
 * whole goes to the field that the message begins with, such as "Port 0 is not a port", or else
 * to the kind. Complaints about other things are left out.
 */
export function complaints(fields: { field: string; message: string }[], rows: PlaceRow[]): Complaint[] {
  const found = new Map<string, Complaint>();
  for (const { field, message } of fields) {
    const m = /^(?:objects\[0\]\.)?spec\.discover\[(\d+)\](?:\.(\w+))?(?:\.(\w+))?/.exec(field);
    const i = Number(m?.[1]);
    const row = m ? rows[i] : undefined;
    if (!m || !row) continue;
    const name: FieldName = ['discover', i, ...fieldOf(row, m[2], m[3], message)];
    const c = found.get(name.join('.')) ?? { name, errors: [] };
    if (!c.errors.includes(message)) c.errors.push(message);
    found.set(name.join('.'), c);
  }
  return [...found.values()];
}

function fieldOf(row: PlaceRow, group: string | undefined, field: string | undefined, message: string): string[] {
  const known = placeFields[row.kind];
  if (group !== undefined && mixing.some((m) => m === group)) return [group];
  if (group === row.kind && field !== undefined && known.includes(field)) return [group, field];
  const first = /^[a-z]+/i.exec(message)?.[0].toLowerCase() ?? '';
  return known.includes(first) ? [row.kind, first] : ['kind'];
}
